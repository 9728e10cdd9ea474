"""Heads of other distributions by the command: one file each, and not a line of ours."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from frostline.pipeline.cli.main import main
from frostline.stages.heads import HEADS
from frostline.stages.records.sealed import sealed, unsealed
from support.distributions import CLOSER, KERNELS, install
from support.project import Command

Answer = Callable[..., Any]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    where = tmp_path / "site"
    install(where, "closer", "frostline.heads", "closer = closer:KIND", CLOSER)
    install(where, "kernels", "frostline.heads", "kernels = kernels:KIND", KERNELS)
    return where


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The distributions installed in this process."""

    def forget() -> None:
        HEADS.__dict__.pop("_added", None)
        for name in ("closer", "kernels"):
            HEADS._loaded.pop(name, None)
            sys.modules.pop(name, None)

    forget()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(site)
    yield site
    forget()


@pytest.fixture
def theirs(installed: Path, work: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> Answer:
    """Run a command; return its JSON, or what it said where it failed."""

    def answer(name: str, *arguments: str, code: int = 0) -> Any:
        what = (*pixels(folder),) if name == "run" else ()
        capsys.readouterr()
        assert main([name, *what, *arguments, "--json"]) == code
        out = capsys.readouterr()
        return json.loads(out.out) if code == 0 else out.err

    return answer


def pixels(folder: Path) -> list[str]:
    return ["--backbone", "pixels", "--resize", "8x8", "--workers", "1", "--dataset", f"folder:{folder}"]


@pytest.mark.parametrize(("name", "parameter"), [("closer", "sharpness"), ("kernels", "width")])
def test_a_head_of_a_distribution_is_fitted_cached_read_and_shown(
    frostline: Command, site: Path, tmp_path: Path, folder: Path, name: str, parameter: str
) -> None:
    def answer(*arguments: str) -> Any:
        done = frostline(*arguments, "--json", PYTHONPATH=str(site))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    first = answer("run", *pixels(folder), "--head", f"{name},ridge")
    assert first["probes"][0]["head"]["selection"]["parameter"] == parameter
    assert first["probes"][0]["evaluation"]["scores"]["accuracy"]["value"] > 0.6
    again = answer("run", *pixels(folder), "--head", f"{name},ridge")
    assert again["probes"][0]["head"]["cached"]
    assert again["probes"][0]["evaluation"] == first["probes"][0]["evaluation"]
    (head,) = (tmp_path / "data" / "heads").glob(f"*-{name}-*")
    answers = answer("predict", str(head), str(folder / "test"))
    assert sum(Path(one["path"]).parent.name == one["label"] for one in answers) / len(answers) > 0.6
    (page,) = (tmp_path / "data" / "runs").glob("*/report.html")
    assert name in page.read_text() and parameter in page.read_text()
    assert answer("verify")["damaged"] == []
    said = " ".join(frostline("run", "--help", "all", PYTHONPATH=str(site)).stdout.split())
    assert "lda, svm, closer, kernels, a scikit-learn module:Class" in said


def test_other_code_of_a_distribution_is_another_head(theirs: Answer, installed: Path) -> None:
    theirs("run", "--head", "closer")
    assert theirs("run", "--head", "closer")["probes"][0]["head"]["cached"]
    module = installed / "closer.py"
    module.write_text(module.read_text() + "\n# another version\n")
    assert not theirs("run", "--head", "closer")["probes"][0]["head"]["cached"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--head", "closr"), "unknown head 'closr'; did you mean 'closer'"),
        (("--head", "closer", "--grid", "0"), "sharpness 0 for closer; expected numbers above 0"),
        (("--head", "kernels", "--grid", "0.1"), "width 0.1 for kernels; expected numbers from 0.5"),
        (
            ("--head", "closer", "--grid", "C=1"),
            "closer chooses sharpness, not 'C'; it has no parameter 'C'; --head-param",
        ),
        (("--head", "closer", "--grid", "shift=1"), "not 'shift'; set that parameter with --head-params"),
        (("--head", "closer", "--head-params", "shft=1"), "unknown parameter of closer 'shft'; did you mean 'shift'"),
        (("--head", "closer", "--head-params", "shift=x"), "closer with {'shift': 'x'}: shift 'x'; expected a number"),
        (("--head", "kernels", "--head-params", "a=1"), "kernels takes no parameters with --head-params; got 'a'"),
        (("--head", "closer", "--folds", "loo"), "Leave-one-out is available for ridge, knn"),
    ],
)
def test_mistakes_in_it_get_the_words_of_built_in_ones(theirs: Answer, arguments: tuple[str, ...], said: str) -> None:
    assert said in theirs("run", *arguments, code=2)


def test_a_solver_that_fails_is_named_and_nothing_traces_back(theirs: Answer, installed: Path) -> None:
    module = installed / "closer.py"
    module.write_text(CLOSER.replace("onehot = ", "self.missing; onehot = "))
    assert "closer raised AttributeError: 'Solver' object has no attribute 'missing'" in theirs(
        "run", "--head", "closer", code=2
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('reader="kernels:read"', 'reader=""', "a head of form 'kernels', which no installed head can read"),
        ('Stored("kernels"', 'Stored("mine"', "a head of form 'mine', which no installed head can read"),
        ('"labels": self.labels})', '"labels": self.labels}, {"head.PY": b""})', "expected names such as head.trees"),
        ('"kernels:Solver"', '"kernels:Sovler"', "kernels:Sovler of a head can't be loaded (AttributeError"),
        ("KIND = Kind(", "KIND = dict(solver=", "of an installed distribution is {'solver'"),
    ],
)
def test_a_head_that_could_not_be_read_again_is_not_written(
    theirs: Answer, installed: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    code = KERNELS.replace(old, new)
    if "dict" in new:
        code = code.replace('"width", (1.0, 3.0), 1.0, low=0.5, high=9, reader="kernels:read")', "parameter=1)")
    (installed / "kernels.py").write_text(code)
    assert said in theirs("run", "--head", "kernels", code=2)
    assert not list((tmp_path / "data").glob("heads/*"))


def test_without_its_distribution_a_stored_head_is_refused_by_name(
    theirs: Answer, installed: Path, tmp_path: Path, folder: Path
) -> None:
    theirs("run", "--head", "kernels")
    (head,) = (tmp_path / "data" / "heads").iterdir()
    shutil.rmtree(installed / "kernels-1.0.dist-info")
    HEADS.__dict__.pop("_added")
    said = theirs("predict", str(head), str(folder / "test"), code=4)
    assert "its form is 'kernels', which no installed package can read; install the package" in said


def test_a_stranger_s_record_can_not_name_code(theirs: Answer, tmp_path: Path, folder: Path) -> None:
    theirs("run", "--head", "kernels")
    (head,) = (tmp_path / "data" / "heads").iterdir()
    record = unsealed((head / "head.json").read_bytes())
    for form in ("closer", "os:system", "no_such", 7, None, ["linear"]):
        record["form"]["kind"] = form
        (head / "head.json").write_bytes(sealed(record))
        assert "which no installed package can read" in theirs("predict", str(head), str(folder / "test"), code=4)


def test_a_reader_that_fails_says_that_the_head_is_damaged(theirs: Answer, tmp_path: Path, folder: Path) -> None:
    theirs("run", "--head", "kernels")
    (head,) = (tmp_path / "data" / "heads").iterdir()
    record = unsealed((head / "head.json").read_bytes())
    del record["form"]["spread"]
    (head / "head.json").write_bytes(sealed(record))
    assert "is damaged: KeyError: 'spread'" in theirs("predict", str(head), str(folder / "test"), code=4)
