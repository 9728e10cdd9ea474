"""A family of backbones that a distribution adds: one file, used from the command line as any other."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from frostline.pipeline.serve.predict import load_classifier
from frostline.stages.errors import ConfigError
from frostline.stages.heads import head_files, read_head
from support.distributions import families_of, install_family
from support.project import Command

HOW = ["--dataset", "digits", "--grid", "C=1", "--baseline", "none", "--precision", "fp32", "--device", "cpu"]


@pytest.fixture
def site(tmp_path: Path) -> str:
    install_family(tmp_path / "site")
    return str(tmp_path / "site")


def test_its_features_are_made_once_and_then_read_without_torch(frostline: Command, site: str, tmp_path: Path) -> None:
    how = ["run", "--backbone", "mine:tiny", *HOW]
    first = frostline(*how, PYTHONPATH=site)
    assert first.returncode == 0, first.stderr
    assert "loading mine:tiny" in first.stderr and "mine:tiny" in first.stdout
    code = (
        "import sys; from frostline.pipeline.cli.main import main\n"
        f"assert main([*{how!r}, '--data-dir', 'data', '--json']) == 0\n"
        "assert 'mine' in sys.modules and 'torch' not in sys.modules"
    )
    again = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": site}, cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert "loading" not in again.stderr
    report = json.loads(next((tmp_path / "data" / "runs").glob("*/run.json")).read_text())
    assert report["versions"]["mine"] == "1.0"
    names = [path.name.rpartition("-")[0] for path in (tmp_path / "data" / "features").iterdir()]
    assert sorted(names) == ["digits-test-mine_tiny", "digits-train-mine_tiny"]


@pytest.fixture
def head(
    request: pytest.FixtureRequest, site: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A head that is fitted on a network of the family that the test names."""
    monkeypatch.chdir(tmp_path)
    with families_of(Path(site)):
        backbone = ["--backbone", f"{request.param}:tiny", "--weights", "v1"]
        assert main(["run", "--dataset", f"folder:{folder}", *backbone, *HOW[2:]]) == 0
        yield next((tmp_path / "data" / "heads").iterdir())


@pytest.mark.parametrize(("head", "code"), [("mine", 0), ("shy", 2)], indirect=["head"])
def test_a_head_has_it_loaded_only_if_the_family_trusts_heads(
    head: Path, code: int, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["predict", str(head), str(folder / "test" / "cat" / "00.png")]
    capsys.readouterr()
    assert main(asked) == code
    refused = "was fitted on shy:tiny. This code runs only if you name it: --backbone shy:tiny"
    assert (refused in capsys.readouterr().err) == bool(code)
    assert main([*asked, "--backbone", f"{'shy' if code else 'mine'}:tiny"]) == 0


@pytest.mark.parametrize("head", ["mine"], indirect=True)
def test_a_head_names_no_weights_that_its_family_does_not_know(head: Path, folder: Path) -> None:
    found, record = read_head(head)
    for weights, known in (("v1", True), ("v2", False), ("IMAGENET1K_V1", False)):
        record["backbone"]["weights"] = weights
        for name, data in head_files(found, record).items():
            (head / name).write_bytes(data)
        with nullcontext() if known else pytest.raises(ConfigError, match="are missing or have changed"):
            load_classifier(head)


@pytest.mark.parametrize("head", ["mine"], indirect=True)
def test_a_head_of_a_family_that_is_not_installed_says_whom_it_needs(
    head: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["predict", str(head), str(folder / "test" / "cat" / "00.png")]
    with families_of(tmp_path / "nothing"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [place for place in sys.path if not place.endswith("site")])
        patch.delitem(sys.modules, "mine")
        capsys.readouterr()
        assert (main(asked), main([*asked, "--backbone", "mine:tiny"])) == (2, 2)
    said = capsys.readouterr().err
    assert (
        "was fitted on mine:tiny. This code runs only if you name it" in said
        and "unknown backbone family 'mine'" in said
    )


def test_help_names_it(frostline: Command, site: str) -> None:
    shown = " ".join(frostline("run", "--help", "all", PYTHONPATH=site).stdout.split())
    assert (
        "FAMILY:NAME with one of the families torchvision, shipped, identity, hf, open_clip, st, tfidf, timm, mine, shy"
        in shown
    )
