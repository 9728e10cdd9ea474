"""Training rows for tests of solvers, plain and hard ones."""

from __future__ import annotations

import numpy as np

Data = tuple[np.ndarray, np.ndarray]


def scored(n: int, d: int, classes: int, noise: float, centre: float = 0.0) -> Data:
    """Return rows whose classes are those of the highest of random linear scores, through noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d)) + centre
    scores = X @ rng.standard_normal((d, classes)) + noise * rng.standard_normal((n, classes))
    return X.astype(np.float32), scores.argmax(1)


def clustered(n: int, d: int, classes: int) -> Data:
    """Return rows around a mean for each class, the classes taken in turn."""
    rng = np.random.default_rng(0)
    y = np.arange(n) % classes
    X = rng.standard_normal((n, d)) + rng.standard_normal((classes, d))[y]
    return X.astype(np.float32), y


def constant_column(rows: Data) -> Data:
    X, y = rows[0].copy(), rows[1]
    X[:, 3], X[:, 5] = 7, 0
    return X, y


def duplicate_columns(rows: Data) -> Data:
    X, y = rows
    return np.concatenate((X, X, X[:, :3]), 1), y


def badly_scaled(rows: Data, decades: int) -> Data:
    """Return rows whose columns' scales go from 10**-decades to 10**decades."""
    X, y = rows
    return (X * 10.0 ** np.linspace(-decades, decades, X.shape[1])).astype(np.float32), y


def a_class_of_one_row(rows: Data) -> Data:
    """Return rows of three classes with the seventh one's made a fourth."""
    X, y = rows
    return X, np.where(np.arange(len(y)) == 7, 3, y)


def half_precision(rows: Data) -> Data:
    X, y = rows
    return X.astype(np.float16), y
