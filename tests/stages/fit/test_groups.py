"""Choosing with groups: rows of one are never on both sides of a hold-out or fold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frostline.stages.errors import DataError
from frostline.stages.fit import fit_rows
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import head_spec

SUBJECTS, PHOTOS = 40, 6
GROUPS = np.repeat(np.arange(SUBJECTS), PHOTOS)


def subjects(kind: str) -> tuple[np.ndarray, Any]:
    """Rows that say who somebody is, and values that a subject has by chance: nothing can be learned of new ones."""
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(SUBJECTS, 30))[GROUPS] + 0.1 * rng.normal(size=(len(GROUPS), 30))).astype(np.float32)
    drawn = rng.permutation(SUBJECTS)[GROUPS] % 2
    return X, drawn if kind == "single-label" else np.stack([drawn, 1 - drawn], 1).astype(np.int8)


def chosen(kind: str, groups: np.ndarray | None, **how: Any) -> Any:
    X, y = subjects(kind)
    spec = head_spec("knn", (1, 2), target=kind, **how)
    digests = np.random.default_rng(1).integers(0, 256, (len(X), 32), np.uint8)
    return fit_rows(TrainingRows(X, y, 2, spec, kind), digests, ("a", "b"), groups=groups)[1]


@pytest.mark.parametrize("how", [{"folds": 4}, {"hold_out": 0.25}], ids=str)
def test_what_only_tells_subjects_apart_is_worth_nothing_with_groups(how: dict[str, Any]) -> None:
    assert max(chosen("single-label", None, **how).accuracy) > 0.99
    assert max(chosen("single-label", GROUPS, **how).accuracy) < 0.8
    assert max(chosen("multi-label", None, **how).scores["map"]) > 0.99
    assert max(chosen("multi-label", GROUPS, **how).scores["map"]) < 0.8


def test_groups_that_are_too_few_are_said() -> None:
    with pytest.raises(DataError, match="rows of 2 groups can't be split into 4 parts"):
        chosen("single-label", GROUPS % 2, folds=4)
    with pytest.raises(DataError, match="leave-one-out with groups would leak"):
        chosen("single-label", GROUPS, folds="loo")


def test_a_hold_out_that_leaves_one_class_is_refused() -> None:
    X, y = subjects("single-label")
    spec = head_spec("knn", (1, 2))
    digests = np.random.default_rng(1).integers(0, 256, (len(X), 32), np.uint8)
    with pytest.raises(DataError, match="240 training rows in 2 groups: to hold out groups would leave a class"):
        fit_rows(TrainingRows(X, y, 2, spec), digests, ("a", "b"), groups=y)
