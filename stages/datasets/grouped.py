"""Seeded choices of whole groups of rows: photos of one patient, frames of one video, are never on both sides.

As in ``frostline.stages.datasets.sampling`` they depend on what the samples are, not on their order or names, nor on
the ids of the groups. Groups that hold equal content are one group here. Below, ``strata``: int64 (n,) from 0;
``groups``: int64 (n,), any ids; ``digests``: uint8 (n, 32).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.sampling import content_hash_order
from frostline.stages.errors import DataError, counted
from frostline.stages.records.packed_names import PackedNames
from frostline.stages.targets.base import Target, TargetValues

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Ints = NDArray[np.int64]
NUMBERED = re.compile(r"(.*[^/\d])\d+(?:\.[^./]*)?")


def group_lots(groups: Ints, digests: NDArray[np.uint8], seed: int) -> NDArray[np.bytes_]:
    """Return the lot of each row's group, bytes (n,): SHA-256(seed, the group's least digest). Equal lot, one group."""
    contents, content = np.unique(digests, axis=0, return_inverse=True)
    joined = _joined(np.unique(groups, return_inverse=True)[1].ravel(), content.ravel())
    least = np.full(int(joined.max(initial=-1)) + 1, len(contents))
    np.minimum.at(least, joined, content.ravel())
    return content_hash_order(contents[least], seed)[joined] if len(groups) else np.zeros(0, "S32")


def dealt(
    target: Target, values: TargetValues, digests: NDArray[np.uint8], groups: Ints, shares: Sequence[float], seed: int
) -> Ints:
    """Return each row's part, int64 (n,), groups being dealt to parts of these shares: as the target does, if it does.

    Else greedily within its strata: groups whose rows are many and of few strata first, by lot among those that are
    about as uneven, each to the part that lacks its strata most (as scikit-learn's ``StratifiedGroupKFold``, with the
    chi-squared distance of counts from shares for unequal ones). No part stays empty.

    Raises DataError if there are fewer groups than parts.
    """
    lots = group_lots(groups, digests, seed)
    found, group = np.unique(lots, return_inverse=True)
    if len(found) < len(shares):
        fewer = ", or fewer folds" if len(shares) > 2 else ""
        raise DataError(
            f"rows of {counted(len(found), 'group')} can't be split into {len(shares)} parts of whole groups; "
            f"expected {len(shares)} groups or more{fewer}"
        )
    part, group = target.dealt(values, lots, shares), group.ravel()
    if part is None:
        return _greedy(target.strata(values), group, np.asarray(shares))
    of_group = np.zeros(len(found), np.int64)
    of_group[group] = part
    return _without_empty(of_group, np.bincount(group), len(shares))[group]


def hold_out(
    target: Target, values: TargetValues, digests: NDArray[np.uint8], groups: Ints, fraction: float, seed: int
) -> NDArray[np.bool_]:
    """Return the mask, bool (n,), of the rows held out: whole groups, about that fraction of every stratum."""
    held: NDArray[np.bool_] = dealt(target, values, digests, groups, (1 - fraction, fraction), seed) == 1
    return held


def folds(
    target: Target, values: TargetValues, digests: NDArray[np.uint8], groups: Ints, count: int, seed: int
) -> Ints:
    """Return each row's fold, int64 (n,), 0 to count - 1: a group is in one, and strata are spread evenly."""
    return dealt(target, values, digests, groups, (1 / count,) * count, seed)


def shots(strata: Ints, digests: NDArray[np.uint8], groups: Ints, count: int, seed: int) -> NDArray[np.bool_]:
    """Return the mask, bool (n,), of ``count`` groups for each stratum: those of the lowest lots that have rows of it.

    All rows of a drawn group are taken, so that fewer are nested in more.
    """
    group = _by_lot(groups, digests, seed)
    drawn = np.zeros(int(group.max(initial=-1)) + 1, bool)
    for stratum in np.unique(strata).tolist():
        drawn[np.unique(group[strata == stratum])[:count]] = True
    taken: NDArray[np.bool_] = drawn[group]
    return taken


def train_size(strata: Ints, digests: NDArray[np.uint8], groups: Ints, count: int, seed: int) -> NDArray[np.bool_]:
    """Return the mask, bool (n,), of the whole groups that hold nearest to ``count`` contents, one group at least.

    Stratified by the stratum of which a group has most rows; smaller sizes are nested in larger ones.
    """
    group = _by_lot(groups, digests, seed)
    counts = _counts(strata, group)
    own = np.asarray(counts.argmax(axis=1)).ravel()
    place = np.zeros(len(own))
    for stratum in np.unique(own).tolist():
        of_stratum = np.flatnonzero(own == stratum)
        place[of_stratum] = (np.arange(len(of_stratum)) + 0.5) / len(of_stratum)
    order = np.lexsort((np.arange(len(place)), place))
    pairs = np.unique(np.column_stack([group, np.unique(digests, axis=0, return_inverse=True)[1].ravel()]), axis=0)
    sizes = np.cumsum(np.bincount(pairs[:, 0])[order])
    taken = np.zeros(len(order), bool)
    taken[order[: int(np.abs(sizes - count).argmin()) + 1]] = True
    mask: NDArray[np.bool_] = taken[group]
    return mask


@dataclass(frozen=True)
class NamedGroups:
    """Groups that names of samples suggest.

    Attributes:
        groups: how many of two rows or more.
        rows: how many rows these hold.
        example: two names of one group.
        pattern: the regular expression whose first group is a sample's group.
    """

    groups: int
    rows: int
    example: tuple[str, str]
    pattern: str = NUMBERED.pattern


def named_groups(ids: Sequence[str], strata: Ints) -> NamedGroups | None:
    """Return the groups that names such as ``patient12_3.png`` suggest: equal but for the number at their end.

    None unless 30 % of the rows or more are in five groups or more of two rows or more, there are fewer groups than
    half of the rows, and more than two for each stratum: ``cat_1.png`` names a class, not an animal.
    """
    matches = ((NUMBERED.fullmatch(name), name) for name in ids)
    prefixes = PackedNames.of(match[1] if match else name for match, name in matches)
    found, at, group, sizes = np.unique(prefixes.hashes(), True, True, True)
    several = sizes > 1
    rows, classes = int(sizes[several].sum()), len(np.unique(strata))
    many = several.sum() >= 5 and rows >= 0.3 * len(ids)
    if not many or len(found) >= len(ids) / 2 or several.sum() <= 2 * classes:
        return None
    shown = min(np.flatnonzero(several).tolist(), key=lambda one: prefixes.encoded(int(at[one])))
    first, second = np.flatnonzero(group.ravel() == shown)[:2].tolist()
    return NamedGroups(int(several.sum()), rows, (ids[first], ids[second]))


def _joined(group: Ints, content: Ints) -> Ints:
    """Return each row's group, those that share a content being one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first = int(group.max(initial=-1)) + 1
    nodes = first + int(content.max(initial=-1)) + 1
    edges = coo_array((np.ones(len(group), np.int8), (group, first + content)), shape=(nodes, nodes))
    labels: Ints = connected_components(edges, directed=False)[1].astype(np.int64)
    return labels[group]


def _by_lot(groups: Ints, digests: NDArray[np.uint8], seed: int) -> Ints:
    """Return the place of each row's group among all by lot."""
    return np.unique(group_lots(groups, digests, seed), return_inverse=True)[1].ravel()


def _counts(strata: Ints, group: Ints) -> csr_array:
    """Return how many rows of each stratum each group has, (groups, strata)."""
    from scipy.sparse import csr_array

    shape = int(group.max(initial=-1)) + 1, int(strata.max(initial=-1)) + 1
    return csr_array((np.ones(len(group)), (group, strata)), shape=shape)


def _greedy(strata: Ints, group: Ints, shares: NDArray[np.float64]) -> Ints:
    counts = _counts(strata, group)
    totals, sizes = np.bincount(strata), np.bincount(group)
    squares = np.asarray((counts * counts).sum(axis=1)).ravel()
    variance = squares / counts.shape[1] - (sizes / counts.shape[1]) ** 2
    octave = np.round(np.log2(np.maximum(variance, 1e-9)) / 2)  # of its deviation; within one, lots decide
    given, rows = np.zeros((len(shares), counts.shape[1])), np.zeros(len(shares))
    part = np.zeros(len(sizes), np.int64)
    for one in np.lexsort((np.arange(len(sizes)), -octave)).tolist():
        columns = counts.indices[counts.indptr[one] : counts.indptr[one + 1]]
        share = counts.data[counts.indptr[one] : counts.indptr[one + 1]] / totals[columns]
        distance = np.round((share * (share + 2 * given[:, columns])).sum(1) / shares, 9)
        part[one] = np.lexsort((np.round(rows / shares, 9), distance))[0]
        given[part[one], columns] += share
        rows[part[one]] += sizes[one]
    return _without_empty(part, sizes, len(shares))[group]


def _without_empty(part: Ints, sizes: Ints, parts: int) -> Ints:
    """Give each empty part the smallest group of the part that has most groups."""
    held = np.bincount(part, minlength=parts)
    for empty in np.flatnonzero(held == 0).tolist():
        theirs = np.flatnonzero(part == held.argmax())
        part[theirs[sizes[theirs].argmin()]] = empty
        held = np.bincount(part, minlength=parts)
    return part
