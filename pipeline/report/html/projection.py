"""A plane to look at features in: the two directions that best tell the classes apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST = 40
_RANK = 50


def plane(X: NDArray[np.float64], y: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]] | None:
    """Return rows of X (n, d) in the plane of Fisher's two best discriminants, (m, 2), and which rows these are, (m,).

    The plane is learned on one half of the rows, drawn at random (seed 0), and shows the other, so that no sample
    lies where it does because of its own label. The features are first reduced to their 50 principal components.
    Where ``y`` are strata of a number, that is sliced inverse regression (Li, JASA 86, 1991).
    None if fewer than 40 rows, two columns, or two classes in the first half leave nothing to learn from.
    """
    order, half = np.random.default_rng(0).permutation(len(y)), len(y) // 2
    X, y = X[order], y[order]
    labels, own = np.unique(y[:half], return_inverse=True)
    if len(y) < LEAST or len(labels) < 2 or X.shape[1] < 2:
        return None
    Z = _principal(X - X[:half].mean(0), half)
    means = np.array([Z[:half][own == label].mean(0) for label in range(len(labels))])
    within = np.cov((Z[:half] - means[own]).T, bias=True)
    within += np.eye(len(within)) * (0.01 * np.trace(within) / len(within) + 1e-12)
    whiten = np.linalg.cholesky(np.linalg.inv(within))
    between = np.cov(whiten.T @ means[own].T)
    directions = whiten @ np.linalg.eigh(between)[1][:, :-3:-1]
    return _upright(Z[half:] @ directions), order[half:]


def _principal(X: NDArray[np.float64], half: int) -> NDArray[np.float64]:
    """Return the rows in the first half's principal components, by subspace iteration.

    Halko, Martinsson and Tropp, SIAM Review 53, 2011, algorithm 4.4; the random start is seeded.
    """
    basis = np.random.default_rng(0).standard_normal((X.shape[1], min(_RANK, X.shape[1])))
    for _ in range(4):
        basis = np.linalg.qr(X[:half].T @ (X[:half] @ basis))[0]
    return X @ basis


def _upright(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points with the longer tail of each axis to the right and up: a direction's sign means nothing."""
    skew = ((points - points.mean(0)) ** 3).sum(0)
    return points * np.where(skew < 0, -1, 1)
