"""Values of C that are equal but for rounding are one value, and have one head."""

from __future__ import annotations

import numpy as np

from frostline.stages.heads.newton.c_path import distinct
from frostline.stages.heads.solvers.logistic import logistic_path


def test_values_that_rounding_parts_are_one() -> None:
    ascending, place = distinct(np.array([1.0, 0.01, 0.010000000000000002, 1.0, 3.0]))
    assert ascending.tolist() == [0.01, 1.0, 3.0] and place.tolist() == [1, 0, 0, 1, 2]


def test_heads_of_values_that_rounding_parts_are_alike_and_good() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 120)
    X = np.eye(3)[y] @ rng.standard_normal((3, 5)) + rng.standard_normal((120, 5))
    grid = [1e-4, 0.01, 0.010000000000000002, 1.0, 1.0000000000000002, 100.0]
    path, plain = logistic_path(X, y, grid), logistic_path(X, y, [1e-4, 0.01, 1.0, 100.0])
    assert path.converged.all() and (path.weight[1] == path.weight[2]).all()
    np.testing.assert_allclose(path.objective[[0, 1, 3, 5]], plain.objective, rtol=1e-5)
