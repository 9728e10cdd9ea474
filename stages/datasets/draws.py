"""Which rows are held out, dealt to folds or drawn: within a target's strata, and groups whole where there are any."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets import grouped, sampling
from frostline.stages.targets.registry import TARGETS
from frostline.stages.targets.values import Targets

Digests = NDArray[np.uint8]


def held_out(targets: Targets, digests: Digests, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Return the mask, bool (n,), of about that share of the rows; ``digests``: uint8 (n, 32) of their content."""
    target, values = TARGETS.load(targets.kind), targets.values
    if targets.groups is not None:
        return grouped.hold_out(target, values, digests, targets.groups, fraction, seed)
    part = target.dealt(values, sampling.content_hash_order(digests, seed), (1 - fraction, fraction))
    if part is not None:
        held: NDArray[np.bool_] = part == 1
        return held
    strata = target.strata(values)
    return sampling.hold_out(strata, digests, _count(strata), fraction, seed)


def folds(targets: Targets, digests: Digests, count: int, seed: int) -> NDArray[np.int64]:
    """Return each row's fold, int64 (n,), 0 to count - 1; ``digests``: uint8 (n, 32) of their content."""
    target, values = TARGETS.load(targets.kind), targets.values
    if targets.groups is not None:
        return grouped.folds(target, values, digests, targets.groups, count, seed)
    part = target.dealt(values, sampling.content_hash_order(digests, seed), [1 / count] * count)
    if part is not None:
        return part
    strata = target.strata(values)
    return sampling.folds(strata, digests, _count(strata), count, seed)


def shots(targets: Targets, digests: Digests, count: int, seed: int) -> NDArray[np.bool_]:
    """Return the mask, bool (n,), of ``count`` contents, or groups, of each stratum."""
    strata = TARGETS.load(targets.kind).strata(targets.values)
    if targets.groups is not None:
        return grouped.shots(strata, digests, targets.groups, count, seed)
    return sampling.shots(strata, digests, _count(strata), count, seed)


def train_size(targets: Targets, digests: Digests, count: int, seed: int) -> NDArray[np.bool_]:
    """Return the mask, bool (n,), of ``count`` contents, or of the groups that hold about as many, stratified."""
    strata = TARGETS.load(targets.kind).strata(targets.values)
    if targets.groups is not None:
        return grouped.train_size(strata, digests, targets.groups, count, seed)
    return sampling.train_size(strata, digests, _count(strata), count, seed)


def _count(strata: NDArray[np.int64]) -> int:
    return int(strata.max(initial=-1)) + 1
