"""The target of one label: what is wrong with labels, and what a parameter is chosen by."""

from __future__ import annotations

import numpy as np
import pytest

from frostline.stages.errors import ConfigError
from frostline.stages.targets.base import DEFAULT, no_sample
from frostline.stages.targets.registry import TARGETS, main_score

TARGET = TARGETS.load(DEFAULT)
NAMES = ("cat", "dog", "fox")


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ([0, 1, 2], [0], []),
        ([0, 2], [1, 1, 0], ["class 'dog': no training sample, 2 test samples"]),
        ([0, 1, 2], [], [no_sample("test")]),
        ([], [], [no_sample("training"), no_sample("test")]),
    ],
)
def test_labels_that_leave_a_class_or_a_split_empty_are_faults(
    train: list[int], test: list[int], said: list[str]
) -> None:
    assert TARGET.faults(NAMES, np.array(train, np.int64), np.array(test, np.int64)) == said


def test_one_class_is_none_to_tell_apart() -> None:
    assert TARGET.number_faults(("cat",)) == ["1 class found (cat); a classifier needs at least two"]
    assert TARGET.number_faults(NAMES) == []


def test_a_class_that_a_fraction_leaves_on_one_side_is_named() -> None:
    labels = np.repeat(np.arange(3), [10, 2, 10])
    (said,) = TARGET.split_faults(NAMES, labels, 0.2)
    assert said.startswith("class 'dog': 2 samples, 0 of them for testing at the test fraction 0.2")


def test_candidates_are_judged_by_the_share_of_rows_that_are_right_then_by_their_log_loss() -> None:
    decision_values = np.array([[[0.5, 0.5], [0.2, 0.8]], [[0.1, 0.9], [1.0, 0.0]]])  # two candidates, two rows
    y, weights = np.array([0, 1]), np.array([1.0, 3.0])
    criterion = TARGET.criterion(2, probabilistic=True)
    for row in (0, 1):  # a block each
        criterion.add(slice(None), decision_values[:, [row]], y[[row]], weights[[row]])
    found = criterion.judgement()
    assert found.good.tolist() == [1, 0] and found.record["accuracy"] is found.good
    assert np.isclose(found.cost[0], -(np.log(0.5) + 3 * np.log(0.8)) / 4) and np.isclose(
        found.cost[1], (3 * 52 * np.log(2) - np.log(0.1)) / 4
    )
    scores = TARGET.criterion(2, probabilistic=False)
    scores.add(slice(None), decision_values, y, weights)
    assert not scores.judgement().cost.any() and list(scores.judgement().record) == ["accuracy"]


def test_strata_are_the_labels() -> None:
    labels = np.array([2, 0, 1])
    assert TARGET.strata(labels).tolist() == [2, 0, 1]


def test_the_main_score_stands_first_in_tables() -> None:
    assert (TARGET.main, list(TARGET.table)) == ("accuracy", ["accuracy", "macro_f1"])
    assert main_score({"macro_f1": 0.5, "accuracy": 0.75}) == 0.75


def test_a_kind_of_target_that_is_not_there_is_said() -> None:
    with pytest.raises(ConfigError, match="unknown kind of target 'single'; did you mean 'single-label'"):
        TARGETS.load("single")
