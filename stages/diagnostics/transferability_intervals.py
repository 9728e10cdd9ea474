"""How sure transferability scores are, the samples being what they happen to be: a jackknife over tenths of them.

A bootstrap would repeat samples, which raises the rank that features seem to have and with it LogME and the H-scores;
here each tenth is left out once. Shao and Wu, "A general theory for jackknife variance estimation" (Annals of
Statistics 17, 1989); Student's t, as there are ten values.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.draws import folds
from frostline.stages.diagnostics.transferability import Transferability, transferability_of
from frostline.stages.errors import DataError
from frostline.stages.heads.parallel import in_parallel
from frostline.stages.targets.values import Targets

PARTS = 10
_COPIES = 4  # of the rows in float64 that scores hold, at most
_T = 2.262  # Student's t, 9 degrees of freedom, 0.975
_LARGEST = {"gbc": 0.0, "leep": 0.0, "nce": 0.0}
_LEAST = {"h_score": 0.0, "h_score_shrunk": 0.0}
Intervals = dict[str, tuple[float, float]]


def transferability_intervals(
    X: NDArray[Any],
    targets: Targets,
    digests: NDArray[np.uint8],
    scores: Transferability,
    probabilities: NDArray[np.floating] | None = None,
    seed: int = 0,
) -> Intervals:
    """Return a 95 % interval around each of the scores of features X, float (n, d), that exist, by its name.

    ``digests``: uint8 (n, 32) of the samples' content; copies, and groups, are left out together. ``probabilities``:
    as for the scores. Takes nine times as much work as they do, on all cores. Of the shrunk H-score it is too narrow
    where features vary alike in all directions, so that its shrinkage is near 1; the H-score itself has none where it
    is ``saturated``. Empty where a tenth of the samples can't be spared.
    """
    try:
        part = folds(targets, digests, PARTS, seed)
        jobs = [(X[:], targets, probabilities, part != k) for k in range(PARTS)]
        found = in_parallel(_scores, jobs, _COPIES * 8 * X.shape[0] * X.shape[1])
    except DataError:
        return {}
    known = _known(scores)
    if saturated(*X.shape):
        known.pop("h_score", None)
    return {name: _interval(name, value, [one[name] for one in found]) for name, value in known.items()}


def saturated(rows: int, width: int) -> bool:
    """Return whether the H-score, or that of nine tenths of the rows, is as large as it can be whatever they are."""
    return rows * (PARTS - 1) // PARTS <= width


def _scores(
    X: NDArray[Any], targets: Targets, probabilities: NDArray[np.floating] | None, kept: NDArray[np.bool_]
) -> dict[str, float]:
    source = None if probabilities is None else probabilities[kept]
    return _known(transferability_of(X[kept], targets.take(kept), source))


def _known(scores: Transferability) -> dict[str, float]:
    both = ((each.name, getattr(scores, each.name)) for each in fields(scores))
    return {name: value for name, value in both if value is not None}


def _interval(name: str, value: float, without: list[float]) -> tuple[float, float]:
    deviations = np.asarray(without) - np.mean(without)
    half = _T * float(np.sqrt((PARTS - 1) / PARTS * (deviations**2).sum()))
    return max(value - half, _LEAST.get(name, -np.inf)), min(value + half, _LARGEST.get(name, np.inf))
