"""How much data? Heads fitted on seeded draws of the training rows, scored on all test rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from frostline.pipeline.records.curve import Curve, Point
from frostline.pipeline.settings import FEW_HELD, Draw
from frostline.pipeline.steps.features import LazyFeatures
from frostline.stages.datasets.draws import shots, train_size
from frostline.stages.datasets.grouped import group_lots
from frostline.stages.errors import DataError
from frostline.stages.evaluate import predictions
from frostline.stages.fit import Selection, fit
from frostline.stages.heads import Head, HeadSpec, head_kind
from frostline.stages.heads.parallel import in_parallel
from frostline.stages.metrics import spread
from frostline.stages.metrics.compare import main_value
from frostline.stages.metrics.learning_curve import LearningCurve, learning_curve
from frostline.stages.store import Features
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.values import Targets

_FOLDS = 5
_COPIES = 4  # of the rows in float32, at most, that a fit is taken to hold
_MIN_HELD = 5  # rows of every class that a hold-out must have to choose by
_NO_LAW = "No forecast: the law that it would follow is one of the error rates of classes."


def drawn_curve(spec: HeadSpec, draw: Draw, loaded: LazyFeatures) -> Curve:
    """Return a head's main score at every size, of ``draw.times`` draws each; draw i has the seed of the head + i.

    Within a draw the smaller sets lie in the larger ones. Raises DataError where there are fewer
    training samples than a size asks for.
    """
    train = loaded.train[0]
    targets, whole = train.targets, _whole(train.targets, train.digests)
    sizes = _sizes(draw, targets, train.digests)
    times = [1 if draw.unit == "samples" and size == whole else draw.times for size in sizes]
    points = [_point(spec, draw.unit, size, n, loaded) for size, n in zip(sizes, times, strict=True)]
    law = _law(points, spec.seed) if targets.kind == DEFAULT else None
    forecast, sentence = (law.forecast, law.sentence) if law else (None, _NO_LAW)
    return Curve(draw.unit, tuple(points), forecast, sentence, targets.kind)


def _law(points: Sequence[Point], seed: int) -> LearningCurve:
    return learning_curve([point.rows for point in points], [point.accuracy for point in points], seed=seed)


def check_draw(draw: Draw, targets: Targets, digests: NDArray[np.uint8]) -> None:
    """Raise DataError where a size asks for more training samples than there are. ``digests``: uint8 (n, 32)."""
    _sizes(draw, targets, digests)


def _whole(targets: Targets, digests: NDArray[np.uint8]) -> int:
    """Return how many different samples there are; equal ones of different classes are different."""
    content = np.unique(digests, axis=0, return_inverse=True)[1].ravel()
    if targets.kind != DEFAULT:
        return len(np.unique(content))
    return len(np.unique(np.column_stack([content, targets.values]), axis=0))


def _units(targets: Targets, digests: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return what each row is drawn with, int64 (n,): its content, or its group."""
    if targets.groups is not None:
        return np.unique(group_lots(targets.groups, digests, 0), return_inverse=True)[1].ravel()
    return np.unique(digests, axis=0, return_inverse=True)[1].ravel()


def _units_of_each(targets: Targets, digests: NDArray[np.uint8]) -> list[int]:
    """Return how many different samples, or groups, each class or label has."""
    values, units = targets.values, _units(targets, digests)
    having = values == 1 if values.ndim > 1 else values[:, None] == np.arange(len(targets.names))
    return [len(np.unique(units[own])) for own in having.T]


def _sizes(draw: Draw, targets: Targets, digests: NDArray[np.uint8]) -> list[int]:
    return list(dict.fromkeys(_size(draw.unit, size, targets, digests) for size in draw.sizes))


def _size(unit: str, size: int | Literal["all"], targets: Targets, digests: NDArray[np.uint8]) -> int:
    """Return a size as a number. Raises DataError if there are not as many different samples."""
    if unit == "samples":
        whole = _whole(targets, digests)
        if size != "all" and size > whole:
            raise DataError(f"train size {size:,}; there are {whole:,} different training samples")
        return whole if size == "all" else size
    assert size != "all"
    n, name = min(zip(_units_of_each(targets, digests), targets.names, strict=True))
    if size > n:
        noun = "class" if targets.kind == DEFAULT else "label"
        what = "different training samples" if targets.groups is None else "groups of training samples"
        raise DataError(f"{size} shots; {noun} {name!r} has {n} {what}, wanted --shots {n} at most")
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
    """Return the main score of one draw's head, the value chosen for it, what by, and its training rows."""
    head, selection = fitted
    by = selection.by or ("default" if len(spec.grid) > 1 else "")
    return main_value(predictions(head, loaded.test)), selection.value, by, selection.final_rows


def _mask(view: Features, unit: str, size: int, seed: int) -> NDArray[np.bool_]:
    drawn = shots if unit == "shots" else train_size
    return drawn(view.targets, view.digests, size, seed)


def _choosable(spec: HeadSpec, views: Sequence[Features]) -> HeadSpec:
    """Return the spec with a way to choose that so few rows allow: folds where a hold-out would be a handful of rows.

    With one sample of a class nothing can be held out: ``spec.default`` is taken.
    """
    targets, digests = views[0].targets, views[0].digests
    single = targets.kind == DEFAULT
    smallest = _smallest_class(targets, digests) if single else len(np.unique(_units(targets, digests)))
    enough = _MIN_HELD if single else FEW_HELD
    if len(spec.grid) == 1 or spec.folds == "loo" or (not spec.folds and spec.hold_out * smallest >= enough):
        return spec
    if smallest < 2:
        return replace(spec, grid=(spec.default,), folds=0, hold_out=0.0)
    return replace(spec, folds=min(int(spec.folds) or _FOLDS, smallest), hold_out=0.0)


def _smallest_class(targets: Targets, digests: NDArray[np.uint8]) -> int:
    """Return how many different samples, or groups, the smallest class that occurs has."""
    return min(n for n in _units_of_each(targets, digests) if n)
