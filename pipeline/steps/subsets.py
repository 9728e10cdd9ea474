"""How much data? Heads fitted on seeded draws of the training rows, scored on all test rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from frostline.pipeline.records.curve import Curve, Point
from frostline.pipeline.settings import Draw
from frostline.pipeline.steps.features import LazyFeatures
from frostline.stages.datasets.draws import shots, train_size
from frostline.stages.datasets.grouped import group_lots
from frostline.stages.datasets.published_draws import PUBLISHED_DRAWS
from frostline.stages.errors import DataError
from frostline.stages.evaluate import predictions
from frostline.stages.fit import Selection, fit
from frostline.stages.heads import Head, HeadSpec, head_kind
from frostline.stages.heads.parallel import in_parallel
from frostline.stages.metrics import Predictions
from frostline.stages.metrics.learning_curve import LearningCurve, learning_curve
from frostline.stages.metrics.mteb_scores import mteb_scores
from frostline.stages.metrics.over_draws import Judged, judged, over_draws
from frostline.stages.progress import tell
from frostline.stages.store import Features
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.values import Targets

Rows = list[NDArray[np.int64]]  # one per view
_FEW = 2**20  # features of a subset: of fewer, threads cost more than they save
_COPIES = 4  # of the rows in float32, at most, that a fit is taken to hold
_NO_LAW = "No forecast: the law that it uses holds for error rates of classification only."
_SCORES: dict[str, Callable[[Predictions], dict[str, float]]] = {"mteb": mteb_scores}


def drawn_curve(spec: HeadSpec, draw: Draw, loaded: LazyFeatures) -> Curve:
    """Return a head's main score at every size, of ``draw.times`` draws each; draw i has the seed of the head + i.

    Within a draw the smaller sets lie in the larger ones. Published draws take the rows that their source takes; of
    groups, of several labels and of numbers there are Frostline's own only. Raises DataError where there are fewer
    training samples than a size asks for, unless the draws are published ones.
    """
    train = loaded.train[0]
    targets, whole = train.targets, _whole(train.targets, train.digests)
    sizes = _sizes(draw, targets, train.digests)
    times = [1 if draw.unit == "samples" and size == whole else draw.times for size in sizes]
    rows = _drawn_rows(draw, dict(zip(sizes, times, strict=True)), loaded.train, spec.seed)
    points = [_point(spec, draw, size, rows[size], loaded) for size in sizes]
    law = _law(points, spec.seed, len(targets) * len(loaded.train)) if targets.kind == DEFAULT else None
    forecast, sentence = (law.forecast, law.sentence) if law else (None, _NO_LAW)
    return Curve(draw.unit, tuple(points), forecast, sentence, targets.kind, _groups(loaded.test[0].targets))


def _groups(test: Targets) -> int:
    """Return how many groups the test samples are in, over which intervals are; 0 where they stand for themselves."""
    found = 0 if test.groups is None else len(np.unique(test.groups))
    return found if found > 1 else 0


def _law(points: Sequence[Point], seed: int, pool: int) -> LearningCurve:
    rows, accuracies = [point.rows for point in points], [point.accuracy for point in points]
    return learning_curve(rows, accuracies, seed=seed, pool=pool)


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
    """Return the sizes as numbers. Raises DataError if there are not as many different samples."""
    if draw.published:
        return [int(size) for size in draw.sizes]
    wanted = [size for size in draw.sizes if size != "all"]
    if draw.unit == "shots":
        _check_shots(max(wanted), targets, digests)
        return list(dict.fromkeys(wanted))
    whole = _whole(targets, digests)
    if wanted and max(wanted) > whole:
        raise DataError(f"train size {max(wanted):,} is too large: there are {whole:,} different training samples")
    return list(dict.fromkeys(whole if size == "all" else size for size in draw.sizes))


def _check_shots(size: int, targets: Targets, digests: NDArray[np.uint8]) -> None:
    n, name = min(zip(_units_of_each(targets, digests), targets.names, strict=True))
    if size > n:
        noun = "class" if targets.kind == DEFAULT else "label"
        what = "different training samples" if targets.groups is None else "groups of training samples"
        raise DataError(f"{size} shots; {noun} {name!r} has {n} {what}, expected --shots {n} at most")


def _point(spec: HeadSpec, draw: Draw, size: int, rows: list[Rows], loaded: LazyFeatures) -> Point:
    started, found = time.perf_counter(), []
    tell(f"fitting at {size:,}", "heads", 0, len(rows))
    values = max(len(own) for one in rows for own in one) * loaded.train[0].X.shape[1]
    with threadpool_limits(1) if values <= _FEW else nullcontext():
        for i, one in enumerate(_fitted(spec, rows, loaded.train)):
            found.append(_scored(spec, draw, one, loaded))
            tell(f"fitting at {size:,}", "heads", i + 1, len(rows))
    draws, chosen, by, used, each = zip(*found, strict=True)
    spread = over_draws(draws, max(used) / sum(map(len, loaded.train)), spec.seed)
    accuracy, seconds = tuple(one.value for one in draws), round(time.perf_counter() - started, 3)
    scores = {name: tuple(one[name] for one in each) for name in each[0]}
    return Point(size, max(used), accuracy, spread, tuple(chosen), by[0], seconds, scores)


def _fitted(spec: HeadSpec, rows: list[Rows], train: list[Features]) -> Iterator[tuple[Head, Selection]]:
    """Yield the head of each draw: side by side where the kind takes one core, and the rows are in memory."""
    jobs = [(replace(spec, seed=spec.seed + i), one, train) for i, one in enumerate(rows)]
    if head_kind(spec.kind).single_core and all(isinstance(view.X, np.ndarray) for view in train):
        yield from in_parallel(_drawn, jobs, _COPIES * 4 * sum(view.X.size for view in train))
    else:
        yield from (_drawn(*job) for job in jobs)


def _drawn(spec: HeadSpec, rows: Rows, train: list[Features]) -> tuple[Head, Selection]:
    """Return the head of one draw, and how its value was chosen."""
    views = [view.take(own) for view, own in zip(train, rows, strict=True)]
    return fit(views, _choosable(spec, views))


def _scored(
    spec: HeadSpec, draw: Draw, fitted: tuple[Head, Selection], loaded: LazyFeatures
) -> tuple[Judged, Any, str, int, dict[str, float]]:
    """Return what one draw's head scores, the value chosen, what by, its training rows, and further scores."""
    head, selection = fitted
    by = selection.by or ("default" if len(spec.grid) > 1 else "")
    answers = predictions(head, loaded.test)
    more = _SCORES[draw.published](answers) if draw.published in _SCORES and answers.kind == DEFAULT else {}
    return judged(answers), selection.value, by, selection.final_rows, more


def _drawn_rows(draw: Draw, times: dict[int, int], train: list[Features], seed: int) -> dict[int, list[Rows]]:
    """Return the rows of every draw of each size, which is drawn so many ``times``."""
    found: dict[int, list[Rows]] = {size: [] for size in times}
    for i in range(max(times.values())):
        sizes = [size for size, n in times.items() if i < n]
        of_views = [_rows(view, draw, sizes, seed, i) for view in train]
        for size in sizes:
            found[size].append([rows[size] for rows in of_views])
    return found


def _rows(view: Features, draw: Draw, sizes: list[int], seed: int, i: int) -> dict[int, NDArray[np.int64]]:
    """Return the rows of draw i, of each size: int64 (b,)."""
    targets, digests = view.targets, view.digests
    if draw.published and targets.kind == DEFAULT and targets.groups is None:
        published = PUBLISHED_DRAWS[draw.published]
        return {size: published(targets.values, size, i, seed) for size in sizes}
    among = np.arange(len(view))
    if (
        draw.unit == "shots" and targets.kind == DEFAULT and targets.groups is None
    ):  # the fewer of a class are among the more
        among = np.flatnonzero(shots(targets, digests, max(sizes), seed + i))
        targets, digests = targets.take(among), digests[among]
    drawn = shots if draw.unit == "shots" else train_size
    return {size: among[drawn(targets, digests, size, seed + i)] for size in sizes}


def _choosable(spec: HeadSpec, views: Sequence[Features]) -> HeadSpec:
    """Return the spec with a way to choose that so few rows allow: no more folds than the smallest class has samples.

    With one sample of every class nothing can be held out: ``spec.default`` is taken.
    """
    each = _units_to_hold_out(views[0].targets, views[0].digests)
    if len(spec.grid) == 1 or spec.folds == "loo":
        return spec
    if max(each) < 2:
        return replace(spec, grid=(spec.default,), folds=0, hold_out=0.0, rule="")
    if isinstance(spec.folds, str) or spec.folds <= min(each):
        return spec
    return replace(spec, folds=min(each) if min(each) > 1 else "auto")


def _units_to_hold_out(targets: Targets, digests: NDArray[np.uint8]) -> list[int]:
    """Return how many different samples, or groups, each class that occurs has; of other targets, all together."""
    if targets.kind != DEFAULT:
        return [len(np.unique(_units(targets, digests)))]
    return [n for n in _units_of_each(targets, digests) if n]
