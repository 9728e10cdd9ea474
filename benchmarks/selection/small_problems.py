"""Small problems of real data: digits, CIFAR-10 through three encoders, questions; 2 to 100 classes, even and not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.selection.small_features import Rows

Ints = NDArray[np.int64]


class Problem(NamedTuple):
    """So many training rows of some classes of a set of features.

    ``classes``: positions, all of them, or how many parts k-means splits each class of CIFAR-10 into.
    ``tail``: how many times as many rows the first class has as the last; 0: as many as the pool has.
    """

    source: str
    classes: tuple[int, ...] | int
    rows: int
    tail: float = 1

    @property
    def name(self) -> str:
        of = f"{len(self.classes)} classes" if isinstance(self.classes, tuple) else f"{self.classes} parts of each"
        uneven = "" if self.tail == 1 else ", as they come" if self.tail == 0 else f", {self.tail:g} : 1"
        return f"{self.source}, {of if self.classes else 'all classes'}, {self.rows:,} rows{uneven}"


CATS_DOGS, CARS_TRUCKS = (3, 5), (1, 9)
PROBLEMS = [
    *(
        Problem(encoder, *how)
        for encoder in ("resnet8", "mobilenet", "squeezenet")
        for how in (
            ((), 100),
            ((), 500),
            ((), 2000),
            ((), 500, 20),
            (CATS_DOGS, 50),
            (CATS_DOGS, 245),
            (CARS_TRUCKS, 245, 10),
        )
    ),
    Problem("mobilenet", 10, 500),
    Problem("squeezenet", 10, 1000),
    Problem("resnet8", 10, 2000),
    Problem("squeezenet", 2, 100),
    Problem("mobilenet", 2, 300, 5),
    Problem("digits", (), 50),
    Problem("digits", (), 200),
    Problem("digits", (), 1000),
    Problem("digits", (3, 8), 50),
    Problem("digits", (3, 8), 150),
    Problem("digits", (), 300, 20),
    Problem("digits", (1, 4, 7), 60, 5),
    Problem("trec", (), 60),
    Problem("trec", (), 300, 0),
    Problem("trec", (), 2000, 0),
    Problem("trec", (1, 2), 50),
    Problem("trec", (1, 2), 300, 3),
    Problem("trec", (2, 3, 4, 5), 150),
]


def drawn(problem: Problem, features: Mapping[str, Rows], seed: int) -> Rows:
    """Return the training rows of one draw of a problem, and all its test rows."""
    rows = _labelled(problem, features)
    rng, k = np.random.default_rng([seed, problem.rows]), int(rows.y.max()) + 1
    share = np.bincount(rows.y) if problem.tail == 0 else problem.tail ** -(np.arange(k) / max(1, k - 1))
    wanted = np.maximum(2, np.round(share / share.sum() * problem.rows)).astype(int)
    each = [rng.permutation(np.flatnonzero(rows.y == label))[: wanted[label]] for label in range(k)]
    own = np.concatenate(each)
    return Rows(np.ascontiguousarray(rows.X[own]), rows.y[own], rows.X_test, rows.y_test)


def _labelled(problem: Problem, features: Mapping[str, Rows]) -> Rows:
    rows = features[problem.source]
    if isinstance(problem.classes, int):
        y, y_test = _parts(features["resnet8"], problem.classes)
        return Rows(rows.X, y, rows.X_test, y_test)
    if not problem.classes:
        return rows
    own, tested = np.isin(rows.y, problem.classes), np.isin(rows.y_test, problem.classes)
    y, y_test = (np.searchsorted(problem.classes, labels) for labels in (rows.y[own], rows.y_test[tested]))
    return Rows(rows.X[own], y, rows.X_test[tested], y_test)


def _parts(rows: Rows, parts: int) -> tuple[Ints, Ints]:
    """Return labels of training and test rows: each class split by k-means on its training rows."""
    from sklearn.cluster import KMeans

    y, y_test = np.zeros_like(rows.y), np.zeros_like(rows.y_test)
    for label in np.unique(rows.y):
        found = KMeans(parts, n_init=2, random_state=0).fit(rows.X[rows.y == label])
        y[rows.y == label] = label * parts + found.labels_
        y_test[rows.y_test == label] = label * parts + found.predict(rows.X_test[rows.y_test == label])
    return y, y_test
