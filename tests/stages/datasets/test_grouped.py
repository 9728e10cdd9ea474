"""Whole groups are drawn, by what their samples are, as evenly over strata as whole groups can be."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
import pytest
from sklearn.model_selection import StratifiedGroupKFold

from frostline.stages.datasets.grouped import dealt, folds, hold_out, named_groups, shots, train_size
from frostline.stages.errors import DataError
from frostline.stages.targets.regression import REGRESSION
from frostline.stages.targets.single_label import SINGLE_LABEL, SingleLabel
from support.subjects import draw


def contents(n: int, start: int = 0) -> np.ndarray:
    lots = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(start, start + n))
    return np.frombuffer(lots, np.uint8).reshape(-1, 32)


def uneven(seed: int = 0, n: int = 600, groups: int = 60, classes: int = 4) -> tuple[np.ndarray, ...]:
    """Return labels, digests and groups of uneven sizes, each of which is mostly of one class."""
    rng = np.random.default_rng(seed)
    group = rng.choice(groups, n, p=rng.dirichlet(np.ones(groups)))
    labels = np.where(rng.random(n) < 0.8, group % classes, rng.integers(0, classes, n))
    return labels, contents(n), group


def split_groups(sides: np.ndarray, groups: np.ndarray) -> int:
    return sum(len(np.unique(sides[groups == one])) > 1 for one in np.unique(groups))


LABELS, DIGESTS, GROUPS = uneven()
CHOICES = {
    "hold_out": lambda y, d, g, seed=0: hold_out(SINGLE_LABEL, y, d, g, 0.2, seed),
    "folds": lambda y, d, g, seed=0: folds(SINGLE_LABEL, y, d, g, 5, seed),
    "shots": lambda y, d, g, seed=0: shots(y, d, g, 3, seed),
    "train_size": lambda y, d, g, seed=0: train_size(y, d, g, 150, seed),
}


@pytest.mark.parametrize("name", CHOICES)
def test_no_group_is_on_two_sides(name: str) -> None:
    for seed in range(5):
        y, digests, groups = uneven(seed)
        sides = CHOICES[name](y, digests, groups, seed)
        assert split_groups(sides, groups) == 0 and len(np.unique(sides)) > 1


@pytest.mark.parametrize("name", CHOICES)
def test_the_choice_follows_content_and_neither_order_nor_ids(name: str) -> None:
    choose, order = CHOICES[name], np.random.default_rng(0).permutation(len(LABELS))
    found = choose(LABELS, DIGESTS, GROUPS)
    np.testing.assert_array_equal(choose(LABELS[order], DIGESTS[order], GROUPS[order]), found[order])
    np.testing.assert_array_equal(choose(LABELS, DIGESTS, 1000 - 7 * GROUPS), found)
    other = choose(LABELS, DIGESTS, GROUPS, 1)
    assert (other != found).any()


@pytest.mark.parametrize("name", CHOICES)
def test_equal_content_is_not_on_two_sides_either(name: str) -> None:
    digests = DIGESTS.copy()
    first, second = 0, int((GROUPS[0] != GROUPS).argmax())
    digests[second] = digests[first]
    both = np.isin(GROUPS, [GROUPS[first], GROUPS[second]])
    for seed in range(10):
        assert len(np.unique(CHOICES[name](LABELS, digests, GROUPS, seed)[both])) == 1


def test_held_out_strata_are_about_their_share() -> None:
    errors = []
    for seed in range(20):
        y, digests, groups = uneven(seed)
        held = hold_out(SINGLE_LABEL, y, digests, groups, 0.2, seed)
        errors.append(np.abs(np.bincount(y[held], minlength=4) / np.bincount(y, minlength=4) - 0.2).max())
    assert np.median(errors) < 0.05


def test_another_seed_holds_out_other_groups_whatever_their_sizes() -> None:
    often = np.zeros(60)
    for seed in range(50):
        held = hold_out(SINGLE_LABEL, LABELS, DIGESTS, GROUPS, 0.2, seed)
        often[np.unique(GROUPS[held])] += 1
    there = often[np.unique(GROUPS)]
    assert np.mean((there >= 1) & (there <= 35)) > 0.9  # but for the largest, which would be more than a fifth


def test_folds_are_spread_as_evenly_as_scikit_learns() -> None:
    def unevenness(fold: np.ndarray, y: np.ndarray) -> float:
        shares = np.stack([np.bincount(y[fold == k], minlength=4) / np.bincount(y, minlength=4) for k in range(5)])
        return float(shares.std(0).mean())

    ours, theirs = [], []
    for seed in range(20):
        y, digests, groups = uneven(seed)
        ours.append(unevenness(folds(SINGLE_LABEL, y, digests, groups, 5, seed), y))
        fold = np.zeros(len(y), np.int64)
        parts = StratifiedGroupKFold(5, shuffle=True, random_state=seed).split(y, y, groups)
        for k, (_, test) in enumerate(parts):
            fold[test] = k
        theirs.append(unevenness(fold, y))
    assert np.mean(ours) <= 1.2 * np.mean(theirs)


def test_quantiles_of_numbers_are_spread_too() -> None:
    groups = np.repeat(np.arange(60), 10)
    values = (groups * 1.0 + np.random.default_rng(0).standard_normal(600))[:, None]
    held = hold_out(REGRESSION, values, DIGESTS, groups, 0.2, 0)
    assert split_groups(held, groups) == 0
    assert held.mean() == pytest.approx(0.2, abs=0.04)
    assert values[held].mean() == pytest.approx(values.mean(), abs=4)


class Own(SingleLabel):
    """Deals by lot alone, and remembers the lots."""

    lots = np.zeros(0, "S32")

    def dealt(self, _values: np.ndarray, lots: np.ndarray, shares: object, /) -> np.ndarray:
        self.lots = lots
        return (lots > np.sort(lots)[len(lots) // 2]).astype(np.int64)


def test_a_target_that_deals_its_rows_itself_gets_one_lot_for_each_group() -> None:
    target = Own()
    part = dealt(target, LABELS, DIGESTS, GROUPS, (0.5, 0.5), 0)
    assert split_groups(target.lots, GROUPS) == 0 and len(np.unique(target.lots)) == len(np.unique(GROUPS))
    np.testing.assert_array_equal(part, target.lots > np.sort(target.lots)[300])


def test_shots_are_groups_of_each_class_and_nested() -> None:
    few, more = (shots(LABELS, DIGESTS, GROUPS, count, 0) for count in (2, 5))
    assert (more[few]).all() and more.sum() > few.sum()
    for label in range(4):
        assert len(np.unique(GROUPS[few][LABELS[few] == label])) >= 2


def test_training_sizes_are_nested_near_what_was_asked_and_stratified() -> None:
    groups = np.repeat(np.arange(120), 5)
    labels = groups % 4
    masks = [train_size(labels, DIGESTS, groups, count, 0) for count in (1, 50, 99, 300, 10_000)]
    assert [int(mask.sum()) for mask in masks] == [5, 50, 100, 300, 600]
    for fewer, more in pairwise(masks):
        assert more[fewer].all()
    assert np.ptp(np.bincount(labels[masks[3]])) <= 5


def test_copies_count_once_in_a_training_size() -> None:
    groups, labels = np.repeat(np.arange(50), 4), np.zeros(200, np.int64)
    digests = np.repeat(contents(100), 2, axis=0)
    assert train_size(labels, digests, groups, 20, 0).sum() == 40


def test_too_few_groups_are_said() -> None:
    one, two = np.zeros(10, np.int64), np.arange(10) % 2
    with pytest.raises(DataError, match=r"rows of 1 group can't be split into 2 parts.*expected 2 groups or more"):
        hold_out(SINGLE_LABEL, two, contents(10), one, 0.2, 0)
    with pytest.raises(DataError, match="rows of 2 groups can't be split into 3 parts"):
        folds(SINGLE_LABEL, two, contents(10), two, 3, 0)


@pytest.mark.parametrize("fraction", [0.01, 0.5, 0.99])
def test_no_side_is_empty_however_small_its_share(fraction: float) -> None:
    groups = np.arange(12) // 4
    held = hold_out(SINGLE_LABEL, np.zeros(12, np.int64), contents(12), groups, fraction, 0)
    assert 0 < held.sum() < 12


def test_groups_of_one_row_are_stratified_as_rows_are() -> None:
    labels = np.arange(300) % 3
    held = hold_out(SINGLE_LABEL, labels, contents(300), np.arange(300), 0.2, 0)
    assert np.bincount(labels[held]).tolist() == [20, 20, 20]


def names(pattern: str, groups: int, each: int) -> list[str]:
    return [pattern.format(group, photo) for group in range(groups) for photo in range(each)]


def test_names_of_patients_are_seen() -> None:
    ids = names("sick/patient{}_{}.png", 10, 5) + names("well/patient{}_{}.png", 10, 5)
    found = named_groups(ids, np.repeat([0, 1], 50))
    assert found is not None
    assert (found.groups, found.rows) == (20, 100)
    assert found.example == ("sick/patient0_0.png", "sick/patient0_1.png")


@pytest.mark.parametrize(
    ("ids", "strata"),
    [
        (names("img_{}{:03}.png", 1, 100), np.arange(100) % 2),  # one prefix for all
        (names("class{}/{}.png", 10, 10), np.repeat(np.arange(10), 10)),  # folders
        (names("cat{}/cat{}_1.png", 10, 10), np.repeat(np.arange(10), 10)),
        (names("n{:08}_{}.JPEG", 10, 10), np.repeat(np.arange(10), 10)),  # classes by ImageNet's ids
        (names("{1}{0}.png", 1, 100), np.arange(100) % 2),  # numbers alone
        (names("a{}_{}.png", 100, 1), np.arange(100) % 2),  # no two of a kind
        (names("a{}_{}.png", 6, 2) + [f"x{i}y.png" for i in range(88)], np.arange(100) % 2),  # too few of them
        (names("a{}_{}.png", 4, 25), np.arange(100) % 2),  # four groups
        ([], np.zeros(0, np.int64)),
    ],
)
def test_names_that_may_mean_anything_else_are_not(ids: list[str], strata: np.ndarray) -> None:
    assert named_groups(ids, strata) is None


def test_what_is_said_of_30_subjects_is_true_of_new_ones() -> None:
    draws = [draw(seed) for seed in range(40)]
    assert sum(one.by_groups.low <= one.truth <= one.by_groups.high for one in draws) >= 36
    assert np.mean([one.by_groups.value for one in draws]) == pytest.approx(
        np.mean([one.truth for one in draws]), abs=0.08
    )
    assert np.mean([one.by_rows.value for one in draws]) > 0.95  # what rows alone would have claimed
    assert sum(one.by_rows.low <= one.truth_of_rows <= one.by_rows.high for one in draws) <= 4


def test_dealing_is_by_shares_of_any_number() -> None:
    part = dealt(SINGLE_LABEL, LABELS, DIGESTS, GROUPS, (0.5, 0.3, 0.2), 0)
    np.testing.assert_allclose(np.bincount(part) / len(part), (0.5, 0.3, 0.2), atol=0.06)
