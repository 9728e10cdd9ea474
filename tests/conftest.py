"""What the tests share: a small image folder, the command, and the optional assets."""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # several processes that each take every core stand in each other's way
    os.environ["OMP_NUM_THREADS"] = "1"

import pytest
import torch

from faults.counts import Points
from frostline.pipeline.bench.matrix import Matrix, read_matrix
from support import syncs
from support.bucket_fixtures import bucket, endpoint  # noqa: F401 (fixtures)
from support.pictures import pets
from support.project import REPOSITORY, Command, Write
from support.warm import Warm


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--campaign", action="store_true", help="the long version of the fault campaigns")
    parser.addoption("--rewrite-golden", action="store_true", help="write the golden records of tests/golden anew")
    parser.addoption("--optimize", choices=("auto", "none"), default="auto", help="how every network is loaded")


def pytest_configure(config: pytest.Config) -> None:
    """Use no disk; load every network as it is written, whoever loads it, where that is asked for."""
    syncs.leave_out()
    syncs.in_memory()
    os.environ["FROSTLINE_OPTIMIZE"] = config.getoption("--optimize")  # for processes that tests start
    if config.getoption("--optimize") == "none":
        from frostline.pipeline import settings
        from frostline.stages.backbones.inference import load

        for model in (settings.ExtractSettings, settings.RankSettings, settings.HeadSettings, settings.Settings):
            model.model_fields["optimize"].default = "none"
            model.model_rebuild(force=True)
        as_asked = load.load_backbone
        load.load_backbone = lambda *args, **how: as_asked(*args, **{**how, "optimize": "none"})


@pytest.fixture
def optimizations(request: pytest.FixtureRequest) -> None:
    """For tests of what --optimize auto does."""
    if request.config.getoption("--optimize") == "none":
        pytest.skip("--optimize none: no network is made faster")


@pytest.fixture
def fusing(optimizations: None) -> None:
    """For tests of what torch's oneDNN operations do."""
    from frostline.stages.backbones.optimize.operations import fusing_obstacle

    obstacle = fusing_obstacle()
    if obstacle:
        pytest.skip(obstacle)


_points = Points()


@pytest.fixture(scope="session")
def points() -> Points:
    """The count of the campaigns' points."""
    return _points


@pytest.fixture(scope="session")
def campaign(request: pytest.FixtureRequest) -> bool:
    """Whether the long version is asked for."""
    return bool(request.config.getoption("--campaign"))


def pytest_collection() -> None:
    """Look for no garbage while modules are loaded, which leave next to none."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Have collections pass over what is loaded by now: half a million objects, which stay."""
    gc.collect()
    gc.freeze()
    gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _points.counts:
        terminalreporter.section("points of the fault campaigns")
        for name, n in sorted(_points.counts.items()):
            terminalreporter.line(f"{n:>7,}  {name}")


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of real weights and images, where the machine has one."""
    folder = Path(os.environ.get("TEST_ASSETS", REPOSITORY.parent / "shared" / "assets"))
    if not folder.is_dir():
        pytest.skip(f"no assets in {folder}; set TEST_ASSETS to the folder of real weights and images")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An image folder: three classes, 12 training and 4 test images each, sizes differ."""
    return pets(tmp_path / "pets")


def _own_settings() -> set[str]:
    """The settings in the environment that are those of whoever runs the tests."""
    return {name for name in os.environ if name.startswith("FROSTLINE_")} - {"FROSTLINE_OPTIMIZE"}


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Whoever sets torch's threads sets them back: all tests that follow in this process would suffer."""
    before = torch.get_num_threads()
    yield
    assert torch.get_num_threads() == before


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """What runs commands without their imports."""
    with closing(Warm()) as warm:
        yield warm


@pytest.fixture
def frostline(tmp_path: Path, warm: Warm) -> Command:
    """Run the command in a process of its own, its workspace below the test's folder."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {n: v for n, v in os.environ.items() if n not in _own_settings()}
        env = {**clean, "FROSTLINE_DATA_DIR": str(tmp_path / "data"), **environment}
        return warm.run(["-m", "frostline", *arguments], env, tmp_path)

    return run


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands run in this process, their workspace in this folder."""
    for name in _own_settings():
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "data"


@pytest.fixture
def write(work: Path) -> Write:
    """Write a matrix to ``some.toml`` and read it."""

    def matrix(text: str) -> Matrix:
        file = work.with_name("some.toml")
        file.write_text(text)
        return read_matrix(file, work)

    return matrix
