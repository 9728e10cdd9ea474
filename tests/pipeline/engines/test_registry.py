"""The door of engines: one that a distribution adds fills a set as this process would."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from frostline.pipeline.engines.base import Job
from frostline.pipeline.engines.batch_settings import BatchSettings
from frostline.pipeline.engines.registry import ENGINES, check_engine, engine_for
from frostline.pipeline.plan.numeric_mode import NumericMode
from frostline.stages.errors import ConfigError
from frostline.stages.store import open_set
from support.project import REPOSITORY
from support.warm import Warm

Extracted = Callable[..., subprocess.CompletedProcess[str]]

ENGINE = """
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

def elsewhere(job, here):
    with open("jobs.txt", "a") as file:
        file.write(job.to_json() + "\\n")
    if job.split == "test":
        return here(job.batch)
    command = [sys.executable, "-m", "frostline.pipeline.engines.worker", job.to_json()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:
        return int(worker.stdout.read())

def thread(job, here):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(here, job.batch).result()

def idle(job, here):
    return 0

def stops(job, here):
    here(job.batch)
    raise KeyboardInterrupt
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a distribution that adds engines, as pip would lay it out."""
    site = tmp_path / "site"
    about = site / "more_engines-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: more_engines\nVersion: 1.0\n")
    lines = "\n".join(f"{name} = more_engines:{name}" for name in ("elsewhere", "thread", "idle", "stops", "missing"))
    (about / "entry_points.txt").write_text(f"[frostline.engines]\n{lines}\n")
    (site / "more_engines.py").write_text(ENGINE)
    return site


@pytest.fixture
def extracted(site: Path, warm: Warm) -> Extracted:
    def run(engine: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["-m", "frostline", "extract", "--engine", engine, "--data-dir", engine, *arguments]
        path = os.pathsep.join(map(str, (site, REPOSITORY)))
        return warm.run(command, {**os.environ, "PYTHONPATH": path}, site.parent)

    return run


def shard_files(workspace: Path) -> dict[str, bytes]:
    return {str(path.relative_to(workspace)): path.read_bytes() for path in workspace.glob("features/*/shards/*")}


FLAGS = ("--backbone", "pixels", "--batch-size", "5", "--json")


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    workspace = tmp_path_factory.mktemp("wanted")
    assert main(["extract", "--engine", "local", "--data-dir", str(workspace), *FLAGS]) == 0
    return shard_files(workspace)


def test_an_engine_of_a_distribution_fills_a_set_in_a_process_of_its_own_with_the_bytes_of_local(
    extracted: Extracted, tmp_path: Path, wanted: dict[str, bytes]
) -> None:
    done = extracted("elsewhere", *FLAGS)
    assert done.returncode == 0 and "done here" not in done.stderr
    assert [one["computed"] for one in json.loads(done.stdout)] == [1438, 359]
    assert shard_files(tmp_path / "elsewhere") == wanted
    train, test = map(Job.from_json, (tmp_path / "jobs.txt").read_text().splitlines())
    assert (train.split, train.rows, test.split, test.rows) == ("train", 1438, "test", 359)
    assert train.mode == NumericMode("fp32", None) and train.batch.batch_size == 5
    for folder in (tmp_path / "elsewhere" / "features").iterdir():
        features, elsewhere = open_set(folder), "-train-" in folder.name
        assert features.published and features.speed
        assert (features.pace["waiting"] is None) == elsewhere  # which this process can't know


@pytest.mark.parametrize("engine", ["thread", "idle"])
def test_what_an_engine_does_in_a_thread_or_leaves_undone_has_the_same_bytes(
    extracted: Extracted, tmp_path: Path, wanted: dict[str, bytes], engine: str
) -> None:
    done = extracted(engine, *FLAGS)
    assert done.returncode == 0 and shard_files(tmp_path / engine) == wanted
    assert ("engine idle left 2 shards undone; done here" in done.stderr) == (engine == "idle")


def test_an_engine_that_is_interrupted_ends_the_command_with_finished_shards_kept(
    extracted: Extracted, tmp_path: Path, wanted: dict[str, bytes]
) -> None:
    done = extracted("stops", *FLAGS)
    assert done.returncode == 130 and "interrupted; finished shards are kept" in done.stderr
    assert {n: data for n, data in wanted.items() if "train" in n} == shard_files(tmp_path / "stops")


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("elsewere", "unknown engine 'elsewere'; did you mean 'elsewhere'?"),
        ("process", "unknown engine 'process'; did you mean 'processes'?"),
        ("missing", "engine 'missing' of more_engines can't be loaded (AttributeError"),
    ],
)
def test_an_engine_that_is_not_there_is_said_with_the_nearest(extracted: Extracted, engine: str, message: str) -> None:
    done = extracted(engine, "--backbone", "pixels")
    assert done.returncode == 2 and message in done.stderr


def test_an_unknown_engine_is_refused_before_anything_is_read(work: Path) -> None:
    with pytest.raises(ConfigError, match="known: array, auto, local, processes, ray"):
        check_engine("elsewhere")
    for arguments in (["extract"], ["extract", "--dry-run"], ["run"], ["run", "--dry-run"], ["rank"]):
        assert main([*arguments, "--engine", "elsewhere", "--dataset", "folder:not there"]) == 2
    assert not work.exists()


def test_the_engines_of_frostline_can_be_loaded() -> None:
    assert {"local", "processes"} <= set(ENGINES.names()) and all(callable(ENGINES.load(n)) for n in ENGINES.names())


def test_a_job_is_data_and_comes_back_from_json_as_it_was() -> None:
    batch = BatchSettings("cpu", 2, 16, 2, 2, 2)
    job = Job({"dataset": "digits", "device": "auto"}, NumericMode("bf16", 160), batch, "train", "plain", "0" * 64, 9)
    assert Job.from_json(job.to_json()) == job
    assert Job.from_json(job.on("cuda:1").to_json()).settings == {"dataset": "digits", "device": "cuda:1"}


def test_only_an_engine_that_takes_an_argument_may_have_one() -> None:
    for setting in ("local:here", "processes:2", "auto:2", "local:"):
        with pytest.raises(ConfigError, match="takes nothing after its name"):
            check_engine(setting)
    for setting in ("ray:auto", "array:1/2"):
        check_engine(setting)


def test_an_argument_is_what_stands_after_the_first_colon(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def engine(job: Job, here: object, argument: str) -> int:
        told.append(argument)
        return 0

    monkeypatch.setitem(ENGINES._loaded, "ray", engine)
    job = Job({}, NumericMode("fp32", None), BatchSettings("cpu", 1, 1, 1, 1, 1), "train", "plain", "", 0)
    for setting in ("ray:host:6379", "ray:ray://host:10001", "ray:", "ray"):
        engine_for(setting, "cpu")(job, None)  # type: ignore[arg-type]
    assert told == ["host:6379", "ray://host:10001", "", ""]


def test_a_job_of_several_layers_is_a_job_for_each() -> None:
    batch = BatchSettings("cpu", 2, 16, 2, 2, 2)
    more_layers = ({"layer": "layer2", "pool": None, "digest": "1" * 64},)
    job = Job({"layer": "fc"}, NumericMode("bf16", 160), batch, "train", "plain", "0" * 64, 9, more_layers=more_layers)
    first, second = Job.from_json(job.to_json()).each()
    assert (first.settings["layer"], first.digest, first.more_layers) == ("fc", "0" * 64, ())
    assert (second.settings, second.digest) == ({"layer": "layer2", "pool": None}, "1" * 64)
