"""The area under the ROC curve, each class against the rest, and of any resample of the rows.

The area is the share of pairs, a row of the class and another row, in which the first scores
higher; equals count half. Written by misordered pairs, with rows in descending score and w counts,

    1 - AUROC = sum_i w_i (N_i + E_i / 2) / (P N),   i over the class's rows,

where N_i is the count of other rows that score higher than i, E_i of those that score the same, P
and N are all of each. Rows below the lowest row of the class do not occur in it, and consecutive
rows of one kind can be summed first: of each class few sums are left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics.area_interval import area_interval, too_few
from frostline.stages.metrics.score import RESAMPLES
from frostline.stages.metrics.statistic import Array, Statistic, ratio

if TYPE_CHECKING:
    from scipy.sparse import csr_array

COST = 10**9
FEWEST = 100


def one_versus_rest(decision_values: Array, y: NDArray[np.int64]) -> Statistic | None:
    """Return the mean area over the classes with both rows of their own and others; None where there is none.

    As scikit-learn's ``roc_auc_score(multi_class="ovr", average="macro")`` on probabilities;
    any scores serve. Its interval is that of ``frostline.stages.metrics.area_interval``. Where groups are drawn, it is
    resampled as often as 10^9 additions allow (some seconds), but 100 times at least, and where every pair is in order
    Wilson's for as many trials as the smallest class has rows: so many pairs share no row.
    """
    present = np.unique(y)
    if len(present) < 2:
        return None
    runs = [_runs(decision_values[:, label], y == label) for label in present.tolist()]
    cost, own = sum(run.nnz for run in runs), np.bincount(y)[present]
    return Statistic(
        lambda counts: _mean_area(runs, counts),
        (int(own.min()),),
        resamples=min(RESAMPLES, max(FEWEST, COST // cost)),
        closed=lambda: (area_interval(decision_values, y),),
        too_few=(too_few(own, len(y)),),
    )


def _mean_area(runs: list[csr_array], counts: Array) -> Array:
    """Return the mean over classes, (1, b), in each resample over those that can be ranked in it."""
    total, ranked = np.zeros(counts.shape[1]), np.zeros(counts.shape[1])
    for run in runs:
        area = _area(run, counts)
        total += np.nan_to_num(area)
        ranked += ~np.isnan(area)
    return ratio(total, ranked)[None]


def _area(runs: csr_array, counts: Array) -> Array:
    """Return one class's area in each resample, (b,); NaN where it has no rows, or all."""
    sums = runs @ counts
    own, others = sums[::2], sums[1::2]
    higher = np.cumsum(others, axis=0)
    higher -= others / 2
    rows = own.sum(0)
    return 1 - ratio(np.einsum("rb,rb->b", own, higher), rows * (counts.sum(0) - rows))


def _runs(score: Array, own: NDArray[np.bool_]) -> csr_array:
    """Return the (2 runs, n) matrix that sums counts by run, in descending score: its own rows, then others.

    A run is a group of equal scores that holds both kinds, or as many rows of one kind as follow each other.
    """
    from scipy.sparse import csr_array

    rows = np.flatnonzero(score >= score[own].min())
    rows = rows[np.argsort(-score[rows], kind="stable")].astype(np.int32)
    kind = own[rows]
    equal = np.cumsum(np.diff(score[rows], prepend=np.inf) != 0) - 1
    place = 2 * _joined(equal, kind)[equal] + ~kind
    rows = rows[np.argsort(place, kind="stable")]
    ends = np.cumsum(np.bincount(place, minlength=place[-1] // 2 * 2 + 2))
    return csr_array((np.ones(len(rows)), rows, np.append(0, ends).astype(np.int32)), shape=(len(ends), len(score)))


def _joined(equal: NDArray[np.int64], own: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the run of each group of equal scores."""
    has_own, has_others = np.bincount(equal, own) > 0, np.bincount(equal, ~own) > 0
    mixed = has_own & has_others
    opens = np.append(True, mixed[1:] | mixed[:-1] | (has_own[1:] != has_own[:-1]))
    return np.cumsum(opens) - 1
