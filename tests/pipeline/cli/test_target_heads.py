"""Targets of a table by the command: how heads are chosen, and what is said before a network is loaded."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from frostline.stages.heads import HEADS
from support.distributions import install
from support.tables import LABELS, photo_table

THEIRS = '''
"""A head of a distribution for many labels and for numbers: it answers with means, and has no thresholds."""

from dataclasses import dataclass

import numpy as np

from frostline.stages.heads import Kind, Stored

PLACES = {"multi-label": "means:Labels", "regression": "means:Numbers"}
KIND = Kind(parameter="shrink", grid=(1.0, 2.0), default=1.0, reader="means:read", others=PLACES)


@dataclass(frozen=True, eq=False)
class Head:
    mean: np.ndarray
    classes: tuple
    width: int
    target: str
    shrink: float = 1.0
    converged = np.ones(2, bool)
    iterations = np.ones(2, np.int64)

    @property
    def probabilistic(self):
        return self.target == "multi-label"

    def decision_values(self, X):
        return np.tile(self.mean / self.shrink, (len(X), 1))

    def stored(self):
        values = {"target": self.target, "shrink": self.shrink}
        return Stored("means", values, {"mean": self.mean})


@dataclass(frozen=True, eq=False)
class Path(Head):
    grid: tuple = ()

    def decision_values(self, X):
        return np.stack([np.tile(self.mean / value, (len(X), 1)) for value in self.grid])

    def head(self, index, classes):
        return Head(self.mean, classes, self.width, self.target, self.grid[index])


def read(stored, classes, width):
    return Head(stored.tensors["mean"], classes, width, stored.values["target"], stored.values["shrink"])


class Labels:
    target = "multi-label"

    def __init__(self, X, y, classes):
        self.X, self.y = X, np.where(y < 0, np.nan, y) if self.target == "multi-label" else y

    def fit(self, grid, row_weights):
        mean = np.nanmean(self.y[row_weights > 0], axis=0)
        return Path(mean, (), self.X.shape[1], self.target, grid=tuple(grid))


class Numbers(Labels):
    target = "regression"
'''


@pytest.fixture
def table(work: Path, tmp_path: Path) -> list[str]:
    """How the photos are named."""
    photos = photo_table(tmp_path / "photos")
    return ["--dataset", f"csv:{photos}", "--backbone", "pixels", "--resize", "4x4", "--workers", "1"]


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A distribution with a head that is for no single labels."""

    def forget() -> None:
        HEADS.__dict__.pop("_added", None)
        HEADS._loaded.pop("means", None)
        sys.modules.pop("means", None)

    forget()
    install(tmp_path / "site", "means", "frostline.heads", "means = means:KIND", THEIRS)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path / "site")
    yield
    forget()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--criterion", "r2"], "unknown criterion 'r2'; known: accuracy, balanced_accuracy"),
        (["--per-label"], "expected a multi-label target for --per-label, got single-label"),
        (["--target", "age", "--criterion", "kendal"], "unknown criterion 'kendal'; did you mean 'kendall'"),
        (["--target", "age", "--per-label"], "expected a multi-label target for --per-label, got regression"),
        (["--target", "tags", "--task", "multi-label", "--criterion", "map"], "with a multi-label target"),
        (["--target", "age", "--head", "sklearn.svm:SVC"], "expected a scikit-learn regressor"),
        (["--target", "age", "--head", "ridge", "--head-params", "a=1"], "ridge takes no parameters"),
        (["--head", "sklearn.linear_model:Lasso"], "expected a scikit-learn classifier"),
    ],
)
def test_mistakes_are_said_before_a_network_is_loaded(
    table: list[str], capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["run", *table, *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err and "loading" not in err


def test_a_regressor_of_scikit_learn_is_a_head_for_numbers(
    table: list[str], work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = [*table, "--target", "age", "--head", "sklearn.linear_model:Lasso"]
    assert main(["run", *numbers, "--head-params", "alpha=0.1"]) == 0
    [head] = work.glob("heads/*")
    capsys.readouterr()
    assert main(["predict", str(head), str(work.parent / "photos" / "000.png")]) == 0
    assert re.search(r"age \d", capsys.readouterr().out)


def test_a_dry_run_knows_the_head_that_the_run_fitted(table: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    labels = ["run", *table, "--target", "tags", "--task", "multi-label", "--head", "ridge"]
    assert main(labels) == 0
    for more, said in ([], "ridge: cached"), (["--per-label"], "ridge: to fit"):
        capsys.readouterr()
        assert main([*labels, *more, "--dry-run"]) == 0
        assert said in capsys.readouterr().out


@pytest.mark.usefixtures("installed")
def test_a_head_of_a_distribution_for_labels_and_numbers_is_fitted_and_used(
    table: list[str], work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = str(work.parent / "photos" / "000.png")
    labels = [*table, "--target", "tags", "--task", "multi-label", "--head", "means"]
    assert main(["run", *labels]) == 0
    [head] = work.glob("heads/*")
    capsys.readouterr()
    assert main(["predict", str(head), image, "--json"]) == 0
    [found] = json.loads(capsys.readouterr().out)
    assert {name for name, _ in found["classes"]} == set(LABELS)
    assert found["labels"] == [name for name, p in found["classes"] if p > 0.5]
    assert main(["export", str(head), str(work.parent / "model.pt2")]) == 2
    assert "this head is not linear" in capsys.readouterr().err
    assert main(["run", *labels, "--per-label"]) == 2
    assert (
        "this head can't have a separate hyperparameter for each label; "
        "leave --per-label out" in capsys.readouterr().err
    )
    assert main(["run", *table, "--target", "age", "--head", "means", "--criterion", "mae"]) == 0
    [head] = set(work.glob("heads/*")) - {head}
    capsys.readouterr()
    assert main(["predict", str(head), image, "--json"]) == 0
    assert 2 < json.loads(capsys.readouterr().out)[0]["outputs"]["age"] < 7
    assert main(["run", *table, "--head", "means"]) == 2
    assert "head means with a single-label target; expected one of" in capsys.readouterr().err
