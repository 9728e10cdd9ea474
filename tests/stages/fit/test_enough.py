"""Too few rows to choose by: said with what to do, from labels alone."""

from __future__ import annotations

import numpy as np
import pytest

from frostline.stages.fit import too_few
from frostline.stages.heads import head_spec


def contents(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 32), np.uint8)


def said(per_class, classes, **how):
    y = np.repeat(np.arange(classes), per_class)
    return too_few(y, contents(len(y)), head_spec("logreg", how.pop("grid", (0.1, 1.0)), **how))


@pytest.mark.parametrize("how", [{}, {"hold_out": 0.1}, {"folds": 2}], ids=str)
def test_one_sample_of_each_class_names_what_chooses_instead(how):
    found = said(1, 1000, **how)
    assert "1,000 training samples, one per class, are too few to choose C on a held-out part of them" in found
    assert "at least two of a class, --folds loo (ridge and knn), or one value with --grid" in found


@pytest.mark.parametrize("per_class, classes", [(4, 200), (2, 3), (5, 20)])
@pytest.mark.parametrize("how", [{}, {"hold_out": 0.1}, {"folds": 2}, {"grid": (1.0,)}], ids=str)
def test_two_samples_of_each_class_are_enough(per_class, classes, how):
    assert said(per_class, classes, **how) is None


def test_many_classes_of_enough_samples_are_enough():
    assert said(20, 1000) is None


def test_copies_are_not_counted_for_folds():
    y, digests = np.repeat([0, 1], 4), contents(8)
    digests[1] = digests[0]
    found = too_few(y, digests, head_spec("logreg", (0.1, 1.0), folds=4))
    assert "a class of 3 different training samples can't be split into 4 folds; expected --folds 3 at most" in found


def test_copies_of_one_sample_are_said_to_be_copies():
    y, digests, spec = np.repeat([0, 1], 25), contents(2), head_spec("logreg", (0.1, 1.0))
    assert "all 50 training samples are identical" in too_few(y, digests[np.zeros(50, int)], spec)
    assert "50 training samples, one per class and copies of it, are too few" in too_few(y, digests[y], spec)
