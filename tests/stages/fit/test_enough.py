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


@pytest.mark.parametrize("per_class, classes", [(4, 200), (2, 3), (1, 1000)])
def test_a_hold_out_of_nothing_names_what_chooses_instead(per_class, classes):
    found = said(per_class, classes)
    assert f"{per_class * classes:,} training samples, {per_class} a class, are too few to choose C on 10 %" in found
    assert ("--folds" in found) and (f"--folds {per_class}," in found) == (per_class > 1)


@pytest.mark.parametrize("how", [{"hold_out": 0.34}, {"folds": 4}, {"grid": (1.0,)}])
def test_what_it_names_chooses(how):
    assert said(4, 200, **how) is None


def test_many_classes_of_enough_samples_are_enough():
    assert said(20, 1000) is None


def test_copies_are_not_counted_for_folds():
    y, digests = np.repeat([0, 1], 4), contents(8)
    digests[1] = digests[0]
    assert "a class of 3 different training samples can't be dealt to 4 folds" in too_few(
        y, digests, head_spec("logreg", (0.1, 1.0), folds=4)
    )
