"""Values are searched from coarse to fine: the choice is that of the whole grid, and it is solved closely."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frostline.stages.fit import Selection, fit, fit_rows, search
from frostline.stages.fit.alike import UnitLosses
from frostline.stages.fit.search import Search
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import head_spec
from frostline.stages.heads.kinds import DINOV2_GRID
from frostline.stages.heads.protocols import PROTOCOLS
from frostline.stages.heads.solvers.svm import SVMSolver
from frostline.stages.store import RowFile
from support.features import features

SPEC = head_spec("logreg", DINOV2_GRID)


@pytest.mark.parametrize(("scaling", "seed"), [("none", 0), ("none", 1), ("standardize", 2), ("l2", 0), ("l2", 1)])
def test_the_search_chooses_what_the_whole_grid_does(scaling: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data, spec = features(seed=seed), replace(SPEC, scaling=scaling)
    head, searched = fit([data], spec)

    monkeypatch.setattr(search, "FEW", len(DINOV2_GRID))
    whole_head, whole = fit([data], spec)
    assert not whole.untried and not whole.rough and all(whole.converged)
    assert searched.untried and searched.given == whole.given == DINOV2_GRID
    assert searched.value == whole.value
    np.testing.assert_array_equal(head.decision_values(data.X), whole_head.decision_values(data.X))
    losses = [whole.log_loss[whole.grid.index(value)] for value in searched.grid]
    np.testing.assert_allclose(searched.log_loss, losses, rtol=5e-3)


def test_the_value_chosen_and_those_next_to_it_are_solved_closely() -> None:
    _, found = fit([features()], SPEC)
    place = DINOV2_GRID.index(found.value)
    for value in DINOV2_GRID[place - 1 : place + 2]:
        assert value not in found.rough and found.converged[found.grid.index(value)]
    assert found.rough and found.unconverged == 0


def two_minima(n: int = 2000, width: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Return rows whose classes differ only where they vary little: a penalty that hides this leaves noise to fit."""
    rng = np.random.default_rng(0)
    y, noise = rng.integers(0, 2, n), rng.standard_normal((n, width))
    noise[:, 0] *= 30
    signal = 0.01 * ((2 * y[:, None] - 1) * 2.5 + rng.standard_normal((n, 2)))
    return np.concatenate((noise, signal), 1).astype(np.float32), y


def chosen(X: np.ndarray, y: np.ndarray, *, grid: Any = None, groups: Any = None, **options: Any) -> Selection:
    classes = int(y.max()) + 1
    digests = np.random.default_rng(0).integers(0, 256, (len(y), 32), np.uint8)
    rows = TrainingRows(X, y, classes, head_spec("logreg", grid, **options))
    return fit_rows(rows, digests, tuple(map(str, range(classes))), groups=groups)[1]


def test_a_second_minimum_of_the_loss_is_found_beyond_the_first() -> None:
    found = chosen(*two_minima())
    losses = dict(zip(found.grid, found.log_loss, strict=True))
    assert losses[1e-6] + 0.05 < max(losses.values()) and found.value > 1
    assert found.accuracy[found.grid.index(found.value)] > 0.99 and losses[found.value] < 0.05


def test_what_is_larger_is_not_tried_where_the_loss_has_risen_and_the_training_rows_are_fitted() -> None:
    found = chosen(np.random.default_rng(0).standard_normal((600, 500)).astype(np.float32), np.arange(600) % 3)
    assert max(found.untried) == found.given[-1] > found.grid[-1] and found.grid[0] == found.given[0]
    assert found.log_loss[-1] > min(found.log_loss) + 0.01


@pytest.mark.parametrize("class_weight", ["none", "balanced"])
def test_folds_of_groups_are_searched_as_the_whole_grid_would_be(
    class_weight: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    y, groups = (rng.random(500) ** 2 * 3).astype(int), np.arange(500) // 5
    X = (np.eye(3)[y] @ rng.standard_normal((3, 30)) / 2 + rng.standard_normal((500, 30))).astype(np.float32)
    searched = chosen(X, y, groups=groups, folds=4, class_weight=class_weight)
    monkeypatch.setattr(search, "FEW", 100)
    whole = chosen(X, y, groups=groups, folds=4, class_weight=class_weight)
    assert searched.untried and searched.value == whole.value and searched.alike == whole.alike
    assert searched.folds == 4 and searched.held_out_rows == 500


def test_rows_of_a_file_are_searched_as_those_in_memory(tmp_path: Path) -> None:
    data = features(500)
    _, here = fit([data], SPEC)
    file = RowFile(data.X.shape[1], data.X.dtype, tmp_path)
    file.append(data.X)
    _, there = fit([replace(data, X=file)], SPEC)
    assert here.value == there.value and here.untried == there.untried


def test_the_value_taken_and_the_least_loss_that_it_is_compared_with_are_both_solved_closely() -> None:
    rng = np.random.default_rng(5)
    y = rng.integers(0, 4, 300)
    X = (0.05 * rng.standard_normal((4, 30))[y] + rng.standard_normal((300, 30))).astype(np.float32)
    found = chosen(X, y, grid=DINOV2_GRID)
    least = found.grid[int(np.argmin(found.log_loss))]
    assert DINOV2_GRID.index(least) > DINOV2_GRID.index(found.value) + 1
    assert least not in found.rough and found.value not in found.rough


def test_a_head_is_searched_only_if_its_kind_says_that_it_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = two_minima(200, 50)
    monkeypatch.setattr(SVMSolver, "begin", lambda *_: None, raising=False)  # of another meaning
    logistic, svm = (TrainingRows(X, y, 2, head_spec(kind, DINOV2_GRID)) for kind in ("logreg", "svm"))
    assert logistic.continues and not svm.continues


def test_folds_whose_heads_take_too_much_memory_get_the_whole_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, masks = TrainingRows(*two_minima(200, 50), 2, SPEC), [np.arange(200) % 2 == k for k in (0, 1)]
    assert search.searchable(rows, masks)
    monkeypatch.setattr(search, "_BYTES", 2 * rows.bytes_begun - 1)
    assert not search.searchable(rows, masks) and search.searchable(rows, masks[:1])


def test_rows_that_are_standardised_for_each_fold_count_in_memory() -> None:
    X, y = two_minima(200, 50)
    own, shared = (TrainingRows(X, y, 2, replace(SPEC, scaling=scaling)) for scaling in ("standardize", "l2"))
    assert own.bytes_begun - shared.bytes_begun >= 2 * X.nbytes


def search_of(rows: TrainingRows) -> Search:
    """Return a search by every fifth row, its rough part done."""
    of_rows, n = rows.target.row_losses(rows.y, probabilistic=True), len(rows.y)
    assert of_rows is not None
    found = Search(rows, [np.arange(n) % 5 == 0], np.arange(n), of_rows)
    found.around_the_least()
    return found


def test_gaps_are_filled_around_the_least_loss_and_left_beyond() -> None:
    data = features(2000)
    found = search_of(TrainingRows(data.X, data.y, 4, SPEC))
    gaps, least = np.diff(found.places()), found.places().index(found.losses.least())
    assert (gaps[max(least - 1, 0) : least + 1] == 1).all() and gaps[0] > 1 and found.close == set()


def test_a_value_that_is_solved_closely_is_scored_again() -> None:
    data, held = features(400), np.arange(400) % 5 == 0
    found = search_of(TrainingRows(data.X, data.y, 4, SPEC))
    best = found.losses.least()
    assert found.refine([best]) and not found.refine([best])
    path = TrainingRows(data.X, data.y, 4, SPEC).fit((SPEC.grid[best],), ~held)
    own = -np.log(path.decision_values(data.X[held])[0][np.arange(80), data.y[held]])
    judged = found.judgement().record["log_loss"][found.places().index(best)]
    assert judged == pytest.approx(own.mean(), rel=1e-4)
    assert found.losses.sums[best].sum() == pytest.approx(own.sum(), rel=1e-4)


def test_a_protocol_has_a_close_head_of_every_value() -> None:
    _, found = fit([features()], PROTOCOLS["dinov2-logreg"].spec())
    assert found.grid == DINOV2_GRID and len(found.accuracy) == 45 and not found.untried
    assert not found.rough and all(found.converged)


def test_a_few_values_are_all_tried() -> None:
    grid = tuple(10.0**power for power in range(-5, 3))
    _, found = fit([features()], head_spec("logreg", grid))
    assert found.grid == grid and found.rough == found.untried == () and all(found.converged)


def test_a_loss_that_rises_again_only_within_its_error_does_not_end_the_search() -> None:
    units, rows = np.arange(100), np.arange(100)
    losses = UnitLosses(len(DINOV2_GRID), units)
    found = Search.__new__(Search)
    noise = np.random.default_rng(0).standard_normal(100)
    for place, more in ((0, 0.0), (4, 0.2 * noise + 0.02), (8, 0.2 * noise + 0.2)):
        own = (1 + more) * np.ones((1, 100))
        losses.add(slice(place, place + 1), rows, (own, own), np.ones(100))
    found.losses = losses
    risen = found._risen()
    assert not risen[4] and risen[8] and not risen[0] and not risen[20]


def test_what_is_larger_is_not_tried_where_the_loss_has_risen_by_more_than_is_left_to_learn() -> None:
    rng = np.random.default_rng(0)
    y, means = rng.integers(0, 5, 1250), 0.35 * rng.standard_normal((5, 120))
    X = (means[y] + rng.standard_normal((1250, 120))).astype(np.float32)
    wrong = np.where(rng.random(1250) < 0.1, rng.integers(0, 5, 1250), y)  # which no head of so few features fits
    searched = search_of(TrainingRows(X, wrong, 5, SPEC))
    largest = SPEC.grid[searched.places()[-1]]
    assert largest < SPEC.grid[-1] and searched.heads.training_loss(largest) > 0.1


@pytest.mark.parametrize(("steps", "after"), [(3, 1.0), (12, 0.1 * 10**0.5)])
def test_the_value_after_a_hard_one_is_nearer(steps: int, after: float) -> None:
    data, grid = features(400), tuple(0.1 * 10 ** (0.5 * place) for place in range(9))
    found = search_of(TrainingRows(data.X, data.y, 4, head_spec("logreg", grid)))
    found._steps[0] = steps
    assert grid[found._after(0)] == pytest.approx(after) and found._after(8) == 8
