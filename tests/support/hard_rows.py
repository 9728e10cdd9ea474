"""Rows that are hard to fit."""

from __future__ import annotations

import numpy as np

from support.rows import Data, badly_scaled, duplicate_columns, half_precision, scored


def plain(n=240, d=16, classes=4, noise=3.0) -> Data:
    return scored(n, d, classes, noise)


def separable() -> Data:
    return plain(noise=0.0)


def collinear() -> Data:
    X, y = plain()
    rng = np.random.default_rng(1)
    X[:, 8:] = X[:, :8] @ rng.standard_normal((8, 8)) + 1e-4 * rng.standard_normal((240, 8))
    return X, y


def badly_scaled_off_centre() -> Data:
    X, y = plain()
    rng = np.random.default_rng(2)
    return (X * 10.0 ** rng.permutation(np.linspace(-6, 6, 16)) + 10).astype(np.float32), y


def class_sizes_1_to_1000() -> Data:
    rng = np.random.default_rng(3)
    y = np.repeat([0, 1, 2], [2000, 2, 40])
    X = rng.standard_normal((len(y), 8))
    X[y == 1] += 1
    X[y == 2, 0] += 1
    return X.astype(np.float32), y


def constants() -> Data:
    X, y = plain()
    X[:, 3], X[:, 5], X[:, 6] = 7, 0, 1e4
    return X, y


GRID = (1e-6, 1e-3, 1.0, 1e3, 1e5)


HARD = {
    "collinear": collinear(),
    "duplicate_columns": duplicate_columns(plain()),
    "badly_scaled": badly_scaled(plain(), 6),
    "badly_scaled_off_centre": badly_scaled_off_centre(),
    "separable": separable(),
    "few_rows": plain(n=60, d=150),
    "few_badly_scaled_rows": badly_scaled(plain(n=60, d=120), 4),
    "class_sizes_1_to_1000": class_sizes_1_to_1000(),
    "constants": constants(),
    "two_classes": plain(classes=2),
    "two_separable_classes": plain(classes=2, noise=0.0),
    "half_precision": half_precision(plain()),
    "one_feature": plain(d=1, classes=3),
}
