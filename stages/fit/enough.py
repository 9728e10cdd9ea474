"""Whether there are rows enough to choose a head's parameter by: known from labels and contents, before any feature."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import counted
from frostline.stages.heads import HeadSpec


def too_few(strata: NDArray[np.int64], digests: NDArray[np.uint8], spec: HeadSpec) -> str | None:
    """Return why a spec can't choose by these rows, and what to do; None where it can, or has nothing to choose.

    ``strata``: int64 (n,), such as the positions of the classes. ``digests``: uint8 (n, 32), of the contents.
    """
    if len(spec.grid) < 2 or spec.folds == "loo":
        return None
    if same_content(digests):
        return identical(len(strata), spec.parameter)
    each = [len(np.unique(digests[strata == label], axis=0)) for label in np.unique(strata)]
    if max(each) < 2:
        return (
            f"{counted(len(strata), 'training sample')}, {_one_each(strata)}, are too few to choose {spec.parameter} "
            "on a held-out part of them; expected at least two of a class, --folds loo (ridge and knn), or one value "
            "with --grid"
        )
    return _folds_fault(spec.folds, min(each)) if isinstance(spec.folds, int) and spec.folds else None


def same_content(digests: NDArray[np.uint8]) -> bool:
    """Whether several samples are copies of one."""
    return len(digests) > 1 and bool((digests == digests[0]).all())


def identical(rows: int, parameter: str) -> str:
    """Return why a parameter can't be chosen by copies of one sample, and what to do."""
    return (
        f"all {rows:,} training samples are identical, so none can be held out to choose {parameter}; expected "
        "different samples, or one value with --grid"
    )


def _one_each(strata: NDArray[np.int64]) -> str:
    return "one per class" if len(strata) == len(np.unique(strata)) else "one per class and copies of it"


def _folds_fault(count: int, smallest: int) -> str | None:
    if smallest >= count:
        return None
    instead = f"--folds {smallest} at most, or --folds auto" if smallest > 1 else "more samples of it, or --folds auto"
    return f"a class of {smallest} different training samples can't be split into {count} folds; expected {instead}"
