"""Whether there are rows enough to choose a head's parameter by: known from labels and contents, before any feature."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.sampling import hold_out
from frostline.stages.errors import counted
from frostline.stages.heads import HeadSpec

_FOLDS = 5


def too_few(strata: NDArray[np.int64], digests: NDArray[np.uint8], spec: HeadSpec) -> str | None:
    """Return why a spec can't choose by these rows, and what to do; None where it can, or has nothing to choose.

    ``strata``: int64 (n,), such as the positions of the classes. ``digests``: uint8 (n, 32), of the contents.
    """
    if len(spec.grid) < 2 or spec.folds == "loo":
        return None
    smallest = min(len(np.unique(digests[strata == label], axis=0)) for label in np.unique(strata))
    if spec.folds:
        return _folds_fault(int(spec.folds), smallest)
    held = hold_out(strata, digests, int(strata.max()) + 1, spec.hold_out, spec.seed)
    if held.any() and len(np.unique(strata[~held])) >= min(2, len(np.unique(strata))):
        return None
    usual = int(np.median(np.unique(strata, return_counts=True)[1]))
    return (
        f"{counted(len(strata), 'training sample')}, {usual:,} a class, are too few to choose {spec.parameter} on "
        f"{100 * spec.hold_out:g} % of them, held out; {_instead(smallest)}"
    )


def _instead(smallest: int) -> str:
    """Return what chooses from so few different samples of the smallest class."""
    folds = f"--folds {min(_FOLDS, smallest)}, " if smallest > 1 else ""
    return f"wanted {folds}--folds loo (ridge and knn), or one value with --grid"


def _folds_fault(count: int, smallest: int) -> str | None:
    if smallest >= count:
        return None
    instead = f"--folds {smallest} at most" if smallest > 1 else "more samples of it, or one value by --grid"
    return f"a class of {smallest} different training samples can't be dealt to {count} folds; wanted {instead}"
