"""How rows are held out: as suits how many there are, and every class that can is heard."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frostline.stages.errors import DataError
from frostline.stages.fit import fit_rows
from frostline.stages.fit.scheme import Scheme, held_out, scheme
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import head_spec

GRID = (0.01, 1.0, 100.0)


def rows_of(sizes: list[int], **how: Any) -> tuple[TrainingRows, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(len(sizes)), sizes)
    X = (rng.normal(size=(len(sizes), 8))[y] + rng.normal(size=(len(y), 8))).astype(np.float32)
    return TrainingRows(X, y, len(sizes), head_spec("logreg", GRID, **how)), contents(len(y))


def contents(n: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, 32), np.uint8)


@pytest.mark.parametrize(
    ("rows", "groups", "wanted"),
    [
        (50, None, Scheme(5, repeats=5)),
        (150, None, Scheme(5, repeats=2)),
        (300, None, Scheme(5)),
        (9_999, None, Scheme(5)),
        (10_000, None, Scheme(0, 0.1)),
        (10_000, 199, Scheme(5)),
        (10_000, 200, Scheme(0, 0.1)),
        (50, 3, Scheme(3, repeats=5)),
    ],
)
def test_the_scheme_follows_the_number_of_rows_and_groups(rows: int, groups: int | None, wanted: Scheme) -> None:
    assert scheme(head_spec("logreg"), rows, groups) == wanted


def test_heads_whose_fits_cost_as_much_on_few_rows_are_dealt_once() -> None:
    estimator = head_spec("sklearn.svm:SVC", (0.1, 1.0), parameter="C")
    assert [scheme(spec, 50, None).repeats for spec in (head_spec("linear"), estimator)] == [1, 1]


@pytest.mark.parametrize("how", [{}, {"hold_out": 0.1}, {"folds": 5}, {"hold_out": 0.9}], ids=str)
def test_twenty_classes_of_five_rows_are_chosen_on_and_every_class_is_heard(how: dict[str, Any]) -> None:
    rows, digests = rows_of([5] * 20, **how)
    _, masks = held_out(rows, digests, None)
    assert set(rows.y[np.any(masks, axis=0)]) == set(range(20))
    _, selection = fit_rows(rows, digests, tuple(map(str, range(20))))
    assert selection.value in GRID and len(selection.log_loss) == 3


def test_a_class_of_two_is_heard_and_one_of_a_single_row_always_fitted() -> None:
    rows, digests = rows_of([1, 2, 40])
    _, masks = held_out(rows, digests, None)
    held = np.sum(masks, axis=0)
    assert held[0] == 0 and (held[1:] == held[1]).all() and held[1] > 0
    assert all(len(np.unique(rows.y[~mask])) == 3 for mask in masks)


def test_folds_of_many_small_classes_are_as_large_as_each_other() -> None:
    rows, digests = rows_of([2] * 20)
    _, masks = held_out(rows, digests, None)
    assert {int(mask.sum()) for mask in masks} == {8}


def test_repeats_deal_otherwise_and_each_holds_every_row_out_once() -> None:
    rows, digests = rows_of([30, 30])
    found, masks = held_out(rows, digests, None)
    assert found.repeats == 5 and len(masks) == 25
    deals = [masks[start : start + 5] for start in range(0, 25, 5)]
    assert all((np.sum(deal, axis=0) == 1).all() for deal in deals)
    assert not any(np.array_equal(deals[0][0], mask) for deal in deals[1:] for mask in deal)


def test_copies_stay_together_in_every_repeat() -> None:
    rows, digests = rows_of([20, 20])
    digests[1], digests[21] = digests[0], digests[20]
    _, masks = held_out(rows, digests, None)
    assert all(mask[1] == mask[0] and mask[21] == mask[20] for mask in masks)


def test_a_group_is_on_one_side_in_every_repeat() -> None:
    rows, digests = rows_of([30, 30])
    groups = np.arange(60) % 12
    found, masks = held_out(rows, digests, groups)
    assert found.repeats == 5
    assert all(len(np.unique(mask[groups == group])) == 1 for mask in masks for group in range(12))


def test_the_spec_says_when_the_scheme_is_named() -> None:
    assert head_spec("logreg").folds == "auto"
    named = head_spec("logreg", folds=0), head_spec("logreg", hold_out=0.3), head_spec("logreg", folds=3)
    assert [(spec.folds, spec.hold_out) for spec in named] == [(0, 0.1), (0, 0.3), (3, 0.0)]


def test_groups_that_copies_join_are_one_where_folds_are_counted() -> None:
    rows, digests = rows_of([18, 18])
    groups = np.arange(36) % 6
    digests[[1, 3, 5]] = digests[[0, 2, 4]]  # groups 0 and 1, 2 and 3, 4 and 5
    assert fit_rows(rows, digests, ("a", "b"), groups=groups)[1].folds == 3


def test_one_group_is_an_error_that_says_so() -> None:
    rows, digests = rows_of([18, 18])
    with pytest.raises(DataError, match="only one group of training samples, so no group can be held out"):
        fit_rows(rows, digests, ("a", "b"), groups=np.zeros(36, np.int64))


def test_a_group_with_the_only_rows_of_a_class_is_fitted_whole() -> None:
    rows, digests = rows_of([30, 30, 2])
    groups = np.arange(62) % 10
    groups[60:] = 0
    _, masks = held_out(rows, digests, groups)
    for held in masks:
        assert not set(groups[held]) & set(groups[~held])
        assert not held[groups == 0].any()


def test_a_validation_split_chooses_by_classes_and_groups_that_can_be_learned_alone() -> None:
    rows, digests = rows_of([20, 20, 4])
    held = rows.y == 2
    held[:10] = True
    _, selection = fit_rows(rows, digests, ("a", "b", "c"), held=[held])
    assert (selection.by, selection.held_out_rows, selection.fitted_rows) == ("hold-out", 10, 34)
    groups = np.arange(44) // 2  # the last held row of the first class in one group with a fitted row
    held[9] = False
    _, selection = fit_rows(rows, digests, ("a", "b", "c"), held=[held], groups=groups)
    assert (selection.held_out_rows, selection.fitted_rows) == (8, 36)


@pytest.mark.parametrize("pairs", [False, True])
def test_a_validation_split_that_nothing_can_be_learned_for_is_an_error(pairs: bool) -> None:
    rows, digests = rows_of([20, 20, 4])
    held, groups = np.arange(44) % 2 == 0 if pairs else rows.y > 0, np.arange(44) // 2 if pairs else None
    of = "groups that other training rows belong to" if pairs else "classes that no other"
    with pytest.raises(DataError, match=f"{held.sum()} rows of the validation split, all of {of}"):
        fit_rows(rows, digests, ("a", "b", "c"), held=[held], groups=groups)
