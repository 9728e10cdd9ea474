"""Intervals hold the population's scores as often as they claim, and are not much wider than an oracle's."""

from __future__ import annotations

from types import ModuleType

import pytest

from support.project import REPOSITORY

CELLS = (
    (2, 100, True, 0.999, "too sure", False),
    (2, 360, False, 0.9, "too sure", False),
    (10, 100, True, 0.55, "calibrated", True),
    (10, 100, True, 0.55, "unsure", False),
    (100, 360, True, 0.9, "calibrated", True),
)
REPETITIONS, LEAST = 40, 0.85  # three standard errors below 0.95


@pytest.fixture
def coverage(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark, of which this is a small part."""
    monkeypatch.syspath_prepend(REPOSITORY)
    from benchmarks.selection import coverage

    return coverage


@pytest.mark.parametrize("parts", CELLS, ids=lambda parts: "-".join(map(str, parts[:5])))
def test_intervals_hold_and_are_no_wider_than_they_must_be(coverage: ModuleType, parts: tuple) -> None:
    cell = coverage.Cell(*parts)
    found = coverage.measured(cell, REPETITIONS)
    assert {name: one.coverage for name, one in found.items() if one.coverage < LEAST} == {}
    assert {name: one.ratio for name, one in found.items() if one.ratio > 1.75} == {}
    assert {"balanced_accuracy", "macro_f1", "auroc", "log_loss", "brier", "ece"} <= set(found)


def test_where_classes_have_one_row_averages_have_no_interval(coverage: ModuleType) -> None:
    found = coverage.measured(coverage.Cell(100, 100, False, 0.9, "calibrated", False), 3)
    assert not {"balanced_accuracy", "macro_f1", "auroc"} & set(found)
    assert found["accuracy"].share == found["weighted_f1"].share == found["ece"].share == 1


def test_costly_cells_have_fewer_repetitions_and_every_row_says_how_many(coverage: ModuleType) -> None:
    cheap, costly = (coverage.Cell(100, n, True, 0.9, "calibrated", False) for n in (360, 2000))
    assert [coverage.repetitions_of(cell, 200) for cell in (cheap, costly)] == [200, 100]
    assert coverage.line(costly, {}, 100).split()[5:7] == ["100", "0.022"]
    found = {"ece": coverage.Found(0.9, 100, 1.0, 0.5, 0.25)}
    (said,) = coverage.summary([(costly, found)])
    assert "below 1 times, by more than two standard errors 0; width 2.00 at most" in said


def test_populations_are_what_they_are_said_to_be(coverage: ModuleType) -> None:
    cell = coverage.Cell(3, 20_000, False, 0.9, "too sure", False)
    predicted = coverage.sample(cell, coverage.np.random.default_rng(0))
    scores, true = coverage.single_label(predicted).scores, coverage.true_scores(cell, predicted)
    for name in ("accuracy", "macro_f1", "auroc", "log_loss", "brier"):
        assert scores[name].low < true[name] < scores[name].high
    assert scores["ece"].value == pytest.approx(true["ece"], abs=0.01)
