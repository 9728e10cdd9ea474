"""Values are searched from coarse to fine: the choice is that of the whole grid, and it is solved closely."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from frostline.stages.fit import fit, fit_rows
from frostline.stages.fit.alike import UnitLosses
from frostline.stages.fit.search import Search
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import head_spec
from frostline.stages.heads.kinds import DINOV2_GRID
from frostline.stages.heads.protocols import PROTOCOLS
from support.features import features

SPEC = head_spec("logreg", DINOV2_GRID)


@pytest.mark.parametrize("scaling", ["none", "standardize", "l2"])
@pytest.mark.parametrize("seed", range(3))
def test_the_search_chooses_what_the_whole_grid_does(scaling: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data, spec = features(seed=seed), replace(SPEC, scaling=scaling)
    head, searched = fit([data], spec)

    def every_value(search: Search, _: object) -> None:
        search.everything()
        search.refine(range(len(DINOV2_GRID)))

    monkeypatch.setattr(Search, "around_the_least", every_value)
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


def test_what_was_not_tried_lies_beyond_a_loss_that_has_clearly_risen() -> None:
    _, found = fit([features(2000)], SPEC)
    assert min(found.untried) < found.grid[0]
    assert found.log_loss[0] > min(found.log_loss) + 0.01


def test_gaps_are_filled_around_the_least_loss_and_left_beyond() -> None:
    data, held = features(2000), np.arange(2000) % 5 == 0
    rows = TrainingRows(data.X, data.y, 4, SPEC)
    search = Search(rows, [held], np.arange(2000))
    of_rows = rows.target.row_losses(data.y, probabilistic=True)
    assert of_rows is not None
    search.around_the_least(of_rows)
    decided = next(search.found().blocks())[3]
    least = int(of_rows(decided, data.y[held])[0].mean(1).argmin())
    gaps = np.diff(search.places())
    assert (gaps[max(least - 1, 0) : least + 1] == 1).all() and gaps[0] > 1 and search.close == set()


def test_nothing_large_is_tried_on_rows_that_say_nothing() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((600, 100)).astype(np.float32), np.arange(600) % 3
    digests = rng.integers(0, 256, (600, 32), np.uint8)
    _, found = fit_rows(TrainingRows(X, y, 3, SPEC), digests, ("a", "b", "c"))
    assert max(found.untried) == DINOV2_GRID[-1] > found.grid[-1]
    assert found.log_loss[-1] > min(found.log_loss) + 0.01


def test_a_protocol_has_a_score_of_every_value_and_says_which_are_rough() -> None:
    _, found = fit([features()], PROTOCOLS["dinov2-logreg"].spec())
    assert found.grid == DINOV2_GRID and len(found.accuracy) == 45 and not found.untried
    assert 0 < len(found.rough) <= 42 and found.value not in found.rough


def test_a_few_values_are_all_tried() -> None:
    grid = tuple(10.0**power for power in range(-5, 3))
    _, found = fit([features()], head_spec("logreg", grid))
    assert found.grid == grid and found.rough == found.untried == () and all(found.converged)


def test_a_loss_that_rises_again_only_within_its_error_does_not_end_the_search() -> None:
    units, rows = np.arange(100), np.arange(100)
    losses = UnitLosses(len(DINOV2_GRID), units)
    search = Search.__new__(Search)
    noise = np.random.default_rng(0).standard_normal(100)
    for place, more in ((0, 0.0), (4, 0.2 * noise + 0.02), (8, 0.2 * noise + 0.2)):
        own = (1 + more) * np.ones((1, 100))
        losses.add(slice(place, place + 1), rows, (own, own), np.ones(100))
    risen = search._risen(losses)
    assert not risen[4] and risen[8] and not risen[0] and not risen[20]
