"""A head whose hyperparameter is chosen on held-out rows by the rules of the command, for estimators of any target."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import check_cv
from sklearn.utils.validation import check_consistent_length, column_or_1d

from frostline.pipeline.estimators.words import as_value_error
from frostline.stages.fit import Selection, fit_rows
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import Head, head_kind, head_spec
from frostline.stages.heads.estimators import used_rows
from frostline.stages.heads.estimators.parameters import checked_seed, checked_values, shown
from frostline.stages.heads.spec import Scaling
from frostline.stages.modalities.vector.rows import digests_of
from frostline.stages.targets.registry import TARGETS

Split = tuple[NDArray[np.int64], NDArray[np.int64]]


class Splitter(Protocol):
    """A splitter of scikit-learn, such as ``StratifiedKFold``."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Split]:
        """Yield the rows of training and those that are held out."""


Cv: TypeAlias = int | float | Literal["auto", "loo"] | Splitter | Iterable[Split]


@dataclass(frozen=True, eq=False)
class Beside:
    """What stands beside features and labels.

    ``used``: bool (n,), the rows of a weight above 0; the rest is of these rows alone. ``weights``: float64 (m,).
    ``groups``: int64 (m,) or None. ``digests``: uint8 (m, 32), of the rows' contents. ``held``: bool (m,) each, the
    rows that the splits of a splitter hold out.
    """

    used: NDArray[np.bool_]
    weights: NDArray[np.float64]
    groups: NDArray[np.int64] | None
    digests: NDArray[np.uint8]
    held: list[NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class Rows:
    """Training rows as an estimator was given them: those of weight 0 are left out.

    ``X``: (n, d); ``y``: as the kind of target has it; ``names``: of the classes, labels or outputs. ``weights``:
    float64 (n,).
    """

    X: NDArray[Any]
    y: NDArray[Any]
    names: tuple[str, ...]
    weights: NDArray[np.float64]
    beside: Beside


def beside(
    X: NDArray[Any],
    y: NDArray[Any],
    cv: Cv,
    sample_weight: ArrayLike | None,
    groups: ArrayLike | None,
    digests: ArrayLike | None,
) -> Beside:
    """Return what stands beside rows X (n, d) and y. Raises ValueError for other lengths, and what ``_held`` does."""
    weights, used = used_rows(sample_weight, X)
    given = digests_of(X) if digests is None else np.asarray(digests)
    if given.dtype != np.uint8 or given.shape != (len(X), 32):
        raise ValueError(f"digests {given.dtype} of shape {given.shape}; expected uint8 of shape ({len(X)}, 32)")
    numbered = None if groups is None else np.unique(column_or_1d(groups), return_inverse=True)[1].astype(np.int64)
    check_consistent_length(X, numbered)
    held = [mask[used] for mask in _held(cv, X, y, numbered)]
    return Beside(used, weights[used], None if numbered is None else numbered[used], given[used], held)


class Choosing:
    """An estimator of a head that the command knows by name."""

    _head: ClassVar[str]
    _grid: ClassVar[str]
    _usual: ClassVar[Mapping[str, str]]

    def _chosen(self, rows: Rows, target: str, cv: Cv, **how: Any) -> tuple[Head, Selection]:
        """Return the head and how it was chosen; ``how``: further fields of a spec. Raises ValueError."""
        kind, grid, seed = head_kind(self._head), how.pop(self._grid), checked_seed(how.pop("random_state"))
        if isinstance(cv, str) and cv == "loo" and not kind.exact:
            able = "RidgeClassifierProbeCV and RidgeProbeCV"
            raise ValueError(f"cv='loo' with {type(self).__name__}; leave-one-out is for {able}. Expected cv=5")
        how |= {"criterion": self._criterion(target, how["criterion"]), "scaling": checked_scaling(how["scaling"])}
        grid = checked_values(kind, self._grid, grid)
        with as_value_error(self._words()):
            spec = head_spec(self._head, grid, target=target, seed=seed, **(_scheme(cv) or {}), **how)
            training = TrainingRows(rows.X, rows.y, len(rows.names), spec, target, rows.weights)
            extra = rows.beside
            return fit_rows(training, extra.digests, rows.names, groups=extra.groups, held=extra.held)

    def _criterion(self, target: str, asked: str | None) -> str:
        """Return a criterion as a spec has it: empty for the usual rule, by None or its name. Raises ValueError."""
        usual = self._usual.get(target)
        if asked is None or asked == usual:
            return ""
        others = [name for name in TARGETS.load(target).criteria if name not in ("accuracy", usual)]
        if asked not in others:
            known = ["None", *map(repr, [usual] if usual else []), *map(repr, others)]
            wanted = f"{', '.join(known[:-1])} or {known[-1]}" if len(known) > 1 else f"None with {target} y"
            raise ValueError(f"criterion={shown(asked)}; expected {wanted}")
        return asked

    def _words(self) -> dict[str, str]:
        """Return what an error calls the settings of the command."""
        exact = "cv='loo'" if head_kind(self._head).exact else "RidgeClassifierProbeCV(cv='loo')"
        return {
            "folds": "cv",
            "grid": self._grid,
            "seed": "random_state",
            "one value with --grid": f"one value in {self._grid}",
            "fewer values with --grid": f"fewer values in {self._grid}",
            "--folds loo (ridge and knn)": exact,
            "rows of the validation split, all of": "rows held out by cv, all of",
        }


def _scheme(cv: Cv) -> dict[str, Any] | None:
    """Return ``cv`` as a spec has it, None for splits of the caller's. Raises ValueError for values that can't be."""
    if isinstance(cv, str) and cv in ("auto", "loo"):
        return {"folds": cv}
    if isinstance(cv, float) and 0 < cv < 1:
        return {"folds": 0, "hold_out": cv}
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool) and 2 <= cv <= 100:
        return {"folds": int(cv)}
    if hasattr(cv, "split") or (isinstance(cv, Iterable) and not isinstance(cv, str)):
        return None
    ways = "'auto', 'loo', a number of folds from 2 to 100, a fraction such as 0.1, or a splitter of scikit-learn"
    raise ValueError(f"cv={shown(cv)}; expected {ways}")


def _held(cv: Cv, X: NDArray[Any], y: NDArray[Any], groups: NDArray[np.int64] | None) -> list[NDArray[np.bool_]]:
    """Return the rows that each split of a splitter holds out, bool (n,); nothing for other ways to choose.

    Raises ValueError for splits that leave rows out of both sides, and for those that ignore groups.
    """
    found = []
    for train, test in [] if _scheme(cv) is not None else check_cv(cv).split(X, y, groups):
        mask, fitted = np.zeros((2, len(X)), bool)
        mask[test], fitted[train] = True, True
        if not np.array_equal(fitted, ~mask):
            raise ValueError("a split with rows on neither side, or on both; expected each row on one side")
        if groups is not None and not set(groups[mask]) - set(groups[~mask]):
            raise ValueError(
                f"all {len(test):,} rows that a split of cv holds out are of groups with rows on the other side; "
                "expected whole groups on one side, as StratifiedGroupKFold and GroupKFold split them"
            )
        found.append(mask)
    return found


def checked_scaling(scaling: Scaling) -> Scaling:
    """Return it. Raises ValueError unless it is one that there is."""
    if scaling not in ("none", "standardize", "l2"):
        raise ValueError(f"scaling={shown(scaling)}; expected 'none', 'standardize' or 'l2'")
    return scaling
