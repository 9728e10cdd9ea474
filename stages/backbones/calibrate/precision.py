"""Which arithmetic a backbone runs in, and whether its features bear it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from frostline.stages.backbones.inference.batches import BatchLimit, in_turn
from frostline.stages.backbones.spec import Precision
from frostline.stages.capabilities import has_bf16
from frostline.stages.errors import ConfigError
from frostline.stages.gpu import out_of_memory
from frostline.stages.modalities.base import Item
from frostline.stages.modalities.items import by_shape, stacked

if TYPE_CHECKING:
    from frostline.stages.backbones.inference.frozen import AnyBackbone

log = logging.getLogger("frostline")
MIN_COSINE, MIN_MEAN_COSINE, MAX_ERROR = 0.999, 0.9995, 0.1
_AT_ONCE = 8


@dataclass(frozen=True)
class FeatureAgreement:
    """How features of the same samples, made in two ways, agree.

    ``least``, ``mean``: of the cosines between the rows. ``error``: the norm of all
    differences over that of the exact features less their mean, since what all samples
    share tells none of them apart.
    """

    rows: int
    least: float
    mean: float
    error: float

    @property
    def good(self) -> bool:
        """Whether the rougher of the two may stand for the exact one."""
        return self.least >= MIN_COSINE and self.mean >= MIN_MEAN_COSINE and self.error <= MAX_ERROR


def fastest_precision(device: str) -> Precision:
    """Return the fastest precision that a device computes in by itself: bf16 or fp32."""
    return "bf16" if has_bf16(device) else "fp32"


def agreement(exact: NDArray[np.float32], rough: NDArray[np.float32]) -> FeatureAgreement:
    """Return how well the rows of two feature matrices (n, d) agree; rows that are zero in both do."""
    a, b = exact.astype(np.float64), rough.astype(np.float64)
    both_zero = ~a.any(axis=1) & ~b.any(axis=1)
    with np.errstate(invalid="ignore"):
        cosines = (a * b).sum(axis=1) / np.maximum(np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1), 1e-300)
        wrong, spread = np.linalg.norm(a - b), np.linalg.norm(a - a.mean(axis=0))
        error = wrong / spread if spread else np.inf * wrong
    cosines = np.where(both_zero, 1.0, np.nan_to_num(cosines))
    return FeatureAgreement(len(a), float(cosines.min()), float(cosines.mean()), float(np.nan_to_num(error, nan=0.0)))


def faster(backbone: AnyBackbone, items: Sequence[Item]) -> tuple[AnyBackbone, FeatureAgreement | None]:
    """Return an fp32 backbone in its device's fastest precision, if its features of some items bear that.

    The agreement is None where nothing was compared: there is no faster precision, or the network has no weights or
    can't run in it, which is said. Raises ConfigError if memory has no room to find out.
    """
    precision = fastest_precision(str(backbone.device))
    if precision == backbone.precision or not backbone.has_weights:
        return backbone, None
    try:
        other = backbone.at(precision)
    except ConfigError as error:
        cause = error.__cause__
        if isinstance(cause, MemoryError | RuntimeError) and out_of_memory(cause):
            raise  # the precision, which is in the key, must not hang on how much memory is free
        log.info("features in %s: %s", backbone.precision, error)
        return backbone, None
    found = compared(backbone.reference, items, other, items)
    return (other if found.good else backbone), found


def compared(
    backbone: AnyBackbone, items: Sequence[Item], other: AnyBackbone, other_items: Sequence[Item]
) -> FeatureAgreement:
    """Return how the features of the same samples agree, first as exact as they can be, then otherwise made.

    It ends where a row is too far from the exact one: no further row can make that good.
    """
    limit, other_limit = BatchLimit(_AT_ONCE), BatchLimit(_AT_ONCE)
    exact, rough = np.empty((2, 0, backbone.width), np.float32)
    for rows in _parts(items):
        exact = np.concatenate([exact, _features(backbone, [items[row] for row in rows], limit)])
        rough = np.concatenate([rough, _features(other, [other_items[row] for row in rows], other_limit)])
        if (found := agreement(exact, rough)).least < MIN_COSINE:
            break
    return found


def _parts(items: Sequence[Item]) -> Iterator[list[int]]:
    """Yield the places of items of one shape, as many as go through a network at once."""
    for rows in by_shape(dict(enumerate(items))):
        yield from (rows[i : i + _AT_ONCE] for i in range(0, len(rows), _AT_ONCE))


def _features(backbone: AnyBackbone, items: Sequence[Item], limit: BatchLimit) -> NDArray[np.float32]:
    """Return the features, float32 (n, d), in the order of the items, which go through in batches of one shape."""
    found = np.empty((len(items), backbone.width), np.float32)
    groups = by_shape(dict(enumerate(items)))
    batches = (stacked([items[row] for row in rows]) for rows in groups)
    for rows, features in zip(groups, in_turn(backbone.embed, batches, limit), strict=True):
        found[rows] = features
    return found
