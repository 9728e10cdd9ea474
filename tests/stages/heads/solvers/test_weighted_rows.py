from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from frostline.stages.heads.solvers.centroid import CentroidSolver
from frostline.stages.heads.solvers.knn import NeighbourSolver
from frostline.stages.heads.solvers.lda import LDASolver
from frostline.stages.heads.solvers.ridge import RidgeSolver
from frostline.stages.heads.solvers.weighted_rows import checked_grid, spectrum, weighted_rows


def drawn(n: int, d: int = 6, classes: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    weights = rng.uniform(0, 2, n) * (np.arange(n) % 5 > 0)
    return rng.standard_normal((n, d)).astype(np.float32), np.arange(n) % classes, weights


def centred(X, y, weights, centres) -> np.ndarray:
    """Z, one row after the other."""
    return np.stack([np.sqrt(w) * (x - centres[c]) for x, c, w in zip(X.astype(float), y, weights, strict=True) if w])


def test_totals_and_means_are_those_of_each_class_over_many_blocks() -> None:
    X, y, weights = drawn(10_000)
    rows = weighted_rows(X, y, 4, weights)
    for label in range(3):
        mine = y == label
        assert rows.totals[label] == pytest.approx(weights[mine].sum())
        np.testing.assert_allclose(rows.means[label], np.average(X[mine], axis=0, weights=weights[mine]), atol=1e-7)
    np.testing.assert_allclose(rows.mean, np.average(X, axis=0, weights=weights), atol=1e-7)
    assert rows.totals[3] == 0 and not rows.means[3].any()


@pytest.mark.parametrize("within", [True, False])
@pytest.mark.parametrize(("n", "d"), [(10_000, 6), (50, 20), (40, 32), (41, 32), (20, 70)])
def test_the_spectrum_is_that_of_the_centred_rows(n: int, d: int, within: bool) -> None:
    X, y, weights = drawn(n, d)
    rows = weighted_rows(X, y, 3, weights)
    centres = rows.means if within else np.tile(rows.mean, (3, 1))
    Z, found = centred(X, y, weights, centres), spectrum(rows, centres)
    np.testing.assert_allclose(found.basis * found.values @ found.basis.T, Z.T @ Z, atol=1e-8 * n)
    kept = found.values > 0
    np.testing.assert_allclose(found.basis[:, kept].T @ found.basis[:, kept], np.eye(kept.sum()), atol=1e-9)
    assert kept.sum() == np.linalg.matrix_rank(Z) and not found.basis[:, ~kept].any()
    if found.left is not None:
        np.testing.assert_allclose(found.left * found.values @ found.left.T, Z @ Z.T, atol=1e-9)
        np.testing.assert_allclose(np.sqrt(rows.weights) @ found.left, 0, atol=1e-9)


@pytest.mark.parametrize("solver", [RidgeSolver, LDASolver, CentroidSolver, NeighbourSolver])
def test_half_precision_rows_are_never_copied_whole_to_float64(solver) -> None:
    X, y, weights = drawn(60_000, 32)
    X = X.astype(np.float16)
    tracemalloc.start()
    solver(X, y, 3).fit((1.0,), weights)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * X.size


@pytest.mark.parametrize("grid", [(), ((1.0, 2.0),), (0.0,), (2.1,), (np.nan,), (np.inf,)])
def test_values_out_of_bounds_are_refused_with_the_bounds(grid) -> None:
    with pytest.raises(ValueError, match=r"width is .*; expected at least one finite value above 0, 2 at most"):
        checked_grid("width", grid, high=2)
