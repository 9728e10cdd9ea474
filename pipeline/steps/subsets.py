"""How much data? Heads fitted on seeded draws of the training rows, scored on all test rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from frostline.pipeline.records.curve import Curve, Point
from frostline.pipeline.settings.models import Draw
from frostline.pipeline.steps.features import LazyFeatures
from frostline.stages.datasets.sampling import shots, train_size
from frostline.stages.errors import DataError
from frostline.stages.evaluate import predictions
from frostline.stages.fit import Selection, fit
from frostline.stages.heads import Head, HeadSpec, head_kind
from frostline.stages.heads.parallel import in_parallel
from frostline.stages.metrics import spread
from frostline.stages.metrics.learning_curve import learning_curve
from frostline.stages.store import Features

_FOLDS = 5
_COPIES = 4  # of the rows in float32, at most, that a fit is taken to hold
_MIN_HELD = 5  # rows of every class that a hold-out must have to choose by


def drawn_curve(spec: HeadSpec, draw: Draw, loaded: LazyFeatures) -> Curve:
    """Return a head's accuracy at every size, of ``draw.times`` draws each; draw i has the seed of the head + i.

    Within a draw the smaller sets lie in the larger ones. Raises DataError where there are fewer
    training samples than a size asks for.
    """
    train = loaded.train[0]
    contents = _contents(train.y, train.digests, train.classes)
    sizes = _sizes(draw, contents, train.classes)
    times = [1 if draw.unit == "samples" and size == sum(contents) else draw.times for size in sizes]
    points = [_point(spec, draw.unit, size, n, loaded) for size, n in zip(sizes, times, strict=True)]
    law = learning_curve([point.rows for point in points], [point.accuracy for point in points], seed=spec.seed)
    return Curve(draw.unit, tuple(points), law.forecast, law.sentence)


def check_draw(draw: Draw, y: NDArray[np.int64], digests: NDArray[np.uint8], classes: tuple[str, ...]) -> None:
    """Raise DataError where a size asks for more training samples than there are. ``digests``: uint8 (n, 32)."""
    _sizes(draw, _contents(y, digests, classes), classes)


def _contents(y: NDArray[np.int64], digests: NDArray[np.uint8], classes: Sequence[str]) -> list[int]:
    """Return how many different samples each class has."""
    return [len(np.unique(digests[y == label], axis=0)) for label in range(len(classes))]


def _sizes(draw: Draw, contents: list[int], classes: tuple[str, ...]) -> list[int]:
    return list(dict.fromkeys(_size(draw.unit, size, contents, classes) for size in draw.sizes))


def _size(unit: str, size: int | Literal["all"], contents: list[int], classes: tuple[str, ...]) -> int:
    """Return a size as a number. Raises DataError if there are not as many different samples."""
    if size == "all" or (unit == "samples" and size <= sum(contents)):
        return sum(contents) if size == "all" else size
    if unit == "samples":
        raise DataError(f"train size {size:,}; there are {sum(contents):,} different training samples")
    n, name = min(zip(contents, classes, strict=True))
    if size > n:
        raise DataError(f"{size} shots; class {name!r} has {n} different training samples, wanted --shots {n} at most")
    return size


def _point(spec: HeadSpec, unit: str, size: int, times: int, loaded: LazyFeatures) -> Point:
    started = time.perf_counter()
    found = [_scored(spec, one, loaded) for one in _fitted(spec, unit, size, times, loaded.train)]
    accuracy, values, by, rows = zip(*found, strict=True)
    seconds = round(time.perf_counter() - started, 3)
    return Point(size, max(rows), tuple(accuracy), spread(accuracy), tuple(values), by[0], seconds)


def _fitted(
    spec: HeadSpec, unit: str, size: int, times: int, train: list[Features]
) -> Iterator[tuple[Head, Selection]]:
    """Yield the head of each draw: side by side where the kind takes one core, and the rows are in memory."""
    jobs = [(replace(spec, seed=spec.seed + i), unit, size, train) for i in range(times)]
    if head_kind(spec.kind).single_core and all(isinstance(view.X, np.ndarray) for view in train):
        yield from in_parallel(_drawn, jobs, _COPIES * 4 * sum(view.X.size for view in train))
    else:
        yield from (_drawn(*job) for job in jobs)


def _drawn(spec: HeadSpec, unit: str, size: int, train: list[Features]) -> tuple[Head, Selection]:
    """Return the head of one draw, and how its value was chosen."""
    views = [view.masked(_mask(view, unit, size, spec.seed)) for view in train]
    return fit(views, _choosable(spec, views))


def _scored(spec: HeadSpec, fitted: tuple[Head, Selection], loaded: LazyFeatures) -> tuple[float, Any, str, int]:
    """Return the accuracy of one draw's head, the value chosen for it, what by, and its training rows."""
    head, selection = fitted
    right: NDArray[np.bool_] = predictions(head, loaded.test).right
    by = selection.by or ("default" if len(spec.grid) > 1 else "")
    return float(right.mean()), selection.value, by, selection.final_rows


def _mask(view: Features, unit: str, size: int, seed: int) -> NDArray[np.bool_]:
    drawn = shots if unit == "shots" else train_size
    return drawn(view.y, view.digests, len(view.classes), size, seed)


def _choosable(spec: HeadSpec, views: Sequence[Features]) -> HeadSpec:
    """Return the spec with a way to choose that so few rows allow: folds where a hold-out would be a handful of rows.

    With one sample of a class nothing can be held out: ``spec.default`` is taken.
    """
    first = views[0]
    smallest = min(len(np.unique(first.digests[first.y == label], axis=0)) for label in np.unique(first.y))
    if len(spec.grid) == 1 or spec.folds == "loo" or (not spec.folds and spec.hold_out * smallest >= _MIN_HELD):
        return spec
    if smallest < 2:
        return replace(spec, grid=(spec.default,), folds=0, hold_out=0.0)
    return replace(spec, folds=min(int(spec.folds) or _FOLDS, smallest), hold_out=0.0)
