"""Duplicates: samples of identical content, and samples that a backbone hardly tells apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.diagnostics.close_by_chance import by_chance
from frostline.stages.diagnostics.typical_distance import typical_distance
from frostline.stages.store import Features
from frostline.stages.targets.registry import TARGETS

NEAR = 0.13
_BLOCK = 2048
_NARROW = 32  # features: of no more, rows are so close by chance that float32 can't tell how close
_ROUNDING = 1e-6  # of a cosine in float32
_EXACT = 1e-14  # and in float64


@dataclass(frozen=True)
class Copies:
    """All samples of one content, where there are several, by name. ``conflicting``: their known targets differ."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    conflicting: bool

    @property
    def leaks(self) -> bool:
        """Whether test samples are in train."""
        return bool(self.train and self.test)


@dataclass(frozen=True)
class DuplicatePair:
    """Two near duplicates: a sample and its nearest, by name. ``distance``: in units of the typical one."""

    id: str
    nearest: str
    distance: float


@dataclass(frozen=True)
class NearDuplicates:
    """Near duplicates of different content, the nearest first.

    ``across``: a sample of test and its nearest of train. ``typical_distance``: the median cosine
    distance, 1 - cos, of a training row from its nearest other one that is no near duplicate.
    """

    train: tuple[DuplicatePair, ...]
    test: tuple[DuplicatePair, ...]
    across: tuple[DuplicatePair, ...]
    typical_distance: float


def copies(train: Features, test: Features) -> tuple[Copies, ...]:
    """Return every content that occurs more than once, by the samples' digests, in row order."""
    places: dict[bytes, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for split, features in enumerate((train, test)):
        for row, content in enumerate(features.digests):
            places[content.tobytes()][split].append(row)
    several = [(rows, others) for rows, others in places.values() if len(rows) + len(others) > 1]
    return tuple(
        Copies(
            tuple(train.ids[row] for row in rows),
            tuple(test.ids[row] for row in others),
            _differ(np.concatenate([train.y[rows], test.y[others]])),
        )
        for rows, others in several
    )


def _differ(values: NDArray[Any]) -> bool:
    """Return whether known values, (k,) or (k, names), of one content differ in any name."""
    columns = values.reshape(len(values), -1).astype(np.float64)
    known = ~np.isnan(columns) if values.dtype.kind == "f" else columns >= 0
    low, high = np.where(known, columns, np.inf).min(0), np.where(known, columns, -np.inf).max(0)
    return bool((low < high).any())


def find_near_duplicates(train: Features, test: Features, threshold: float | None = None) -> NearDuplicates:
    """Return pairs of different content whose cosine distance is at most ``threshold`` typical ones, 0.13 by default.

    Relative to the typical distance, because every backbone has its own scale; copies do not set it. 0.13 is the
    default of cleanlab's Datalab. In few dimensions rows are that close by chance; there the default is what one pair
    in twenty datasets is below (see ``by_chance``). How much it finds is up to the backbone. On 10,000 images of
    CIFAR-10: through this package's ResNet-8 all of 200 images again with one pixel changed, all of 200 saved again as
    JPEG (quality 90), and 3 pairs besides, the same picture each; through MobileNetV2 at 224 pixels 58 %, 92 % and
    none. Of each content the first row is searched for; features are finite.
    About (n + m)² d operations of float32 for n training and m test rows, in blocks; of float64 for 32 features or
    fewer.
    """
    if train.X.shape[1] < 2:  # all directions are the same
        return NearDuplicates((), (), (), 0.0)
    rows, others = _first(train), _first(test)
    known = {content.tobytes() for content in train.digests}
    new = others[[content.tobytes() not in known for content in test.digests[others]]]
    U, V, W = _directions(train.X[rows]), _directions(test.X[others]), _directions(test.X[new])
    within, among, across = _nearest(U), _nearest(V), _nearest(W, U)
    rounding = _ROUNDING if U.dtype == np.float32 else _EXACT
    share = threshold or min(NEAR, by_chance(U, within[1], len(rows) + len(others)))
    typical = max(typical_distance(U, _strata(train)[rows], share), rounding)
    reach = max(share * typical, rounding)
    first, second, third = _names(train, rows), _names(test, others), _names(test, new)
    return NearDuplicates(
        _pairs(within, first, first, reach, typical),
        _pairs(among, second, second, reach, typical),
        _pairs(across, third, first, reach, typical),
        typical,
    )


def _names(features: Features, rows: NDArray[np.int64]) -> list[str]:
    return [features.ids[row] for row in rows.tolist()]


def _strata(train: Features) -> NDArray[np.int64]:
    """Return which rows are alike in what is predicted, int64 (n,): of one class, one label, about one value."""
    return TARGETS.load(train.targets.kind).strata(train.y)


Floats = NDArray[np.floating]
Neighbours = tuple[NDArray[np.int64], Floats]


def _first(features: Features) -> NDArray[np.int64]:
    """Return the first row of each content, ascending."""
    whole = features.digests.view(f"V{features.digests.shape[1]}").ravel()
    return np.sort(np.unique(whole, return_index=True)[1])


def _directions(X: NDArray[Any]) -> Floats:
    """Return rows divided by their lengths, float32, or float64 of few features; rows of zeros as they are."""
    precise: type[np.floating] = np.float64 if X.shape[1] <= _NARROW else np.float32
    rows: Floats = X.astype(precise)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64)).astype(rows.dtype)
    rows /= np.where(lengths > 0, lengths, 1)[:, None]
    return rows


def _nearest(U: Floats, V: Floats | None = None) -> Neighbours:
    """Return for each row of U its nearest row of V, or of U but itself, and their cosine (-2 if there is none).

    Within U every block of cosines serves both its rows and its columns.
    """
    place, cosine = np.zeros(len(U), np.int64), np.full(len(U), -2, U.dtype)
    for rows in _spans(len(U)):
        for columns in _spans(len(U if V is None else V), rows.start if V is None else 0):
            found = U[rows] @ (U if V is None else V)[columns].T
            if V is None and columns == rows:
                np.fill_diagonal(found, -2)
            elif V is None:
                _improve(place, cosine, columns, found.T, rows.start)
            _improve(place, cosine, rows, found, columns.start)
    return place, cosine


def _spans(n: int, start: int = 0) -> Iterator[slice]:
    for first in range(start, n, _BLOCK):
        yield slice(first, min(first + _BLOCK, n))


def _improve(place: NDArray[np.int64], cosine: Floats, rows: slice, found: Floats, offset: int) -> None:
    """Keep what of a block of cosines is nearer than what the rows have so far."""
    best = found.argmax(1)
    values = np.take_along_axis(found, best[:, None], 1)[:, 0]
    better = values > cosine[rows]
    place[rows][better] = best[better] + offset
    cosine[rows][better] = values[better]


def _pairs(
    found: Neighbours, names: list[str], others: list[str], reach: float, typical: float
) -> tuple[DuplicatePair, ...]:
    """Return the pairs within reach, each once, the nearest first."""
    place, cosine = found
    pairs: dict[tuple[str, ...], DuplicatePair] = {}
    near = np.flatnonzero(1 - cosine <= reach)
    for i in near[np.argsort(-cosine[near], kind="stable")].tolist():
        name, nearest = names[i], others[place[i]]
        distance = max(float(1 - cosine[i]), 0.0) / typical
        both = tuple(sorted((name, nearest))) if names is others else (name, nearest)
        pairs.setdefault(both, DuplicatePair(name, nearest, distance))
    return tuple(pairs.values())
