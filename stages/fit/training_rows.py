"""Training rows: scaled, weighed, and fitted again and again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import ConfigError
from frostline.stages.fit.begun import Begun, Part
from frostline.stages.heads import AffinePath, HeadPath, HeadSpec, head_kind, solver
from frostline.stages.heads.base import Continued, Solver, explained, streams
from frostline.stages.heads.kinds import Number
from frostline.stages.heads.scaling import ScaledPath, Scaler, standardizer
from frostline.stages.store import RowFile
from frostline.stages.targets.base import DEFAULT, TargetValues
from frostline.stages.targets.registry import TARGETS

Mask = NDArray[np.bool_]
_DOUBLE = 8  # bytes of a weight
_COPIES = 12  # bytes of a feature that a solver keeps: float32 scaled and rotated, and in reduced precision or float64


class TrainingRows:
    """Training rows, fitted again and again; the paths that come back act on the features as they were given.

    ``y`` holds values of a kind of ``target`` with so many ``classes`` (names). ``row_weights``: float64 (n,), above 0,
    what each row counts in fits, scores and balanced classes, not in the scale of features; None: 1 each. Raises
    ConfigError if the head's spec asks for something that makes no sense for it.
    """

    def __init__(
        self,
        X: NDArray[Any],
        y: TargetValues,
        classes: int,
        spec: HeadSpec,
        target: str = DEFAULT,
        row_weights: NDArray[np.float64] | None = None,
    ) -> None:
        self.X, self.y, self.classes, self.spec, self.target = X, y, classes, spec, TARGETS.load(target)
        self.row_weights = np.ones(len(y)) if row_weights is None else row_weights
        if spec.criterion:
            self.target = self.target.chosen_by(spec.criterion)
        if spec.class_weight != "none" and not self.target.exclusive:
            raise ConfigError(
                f"--class-weight {spec.class_weight} with {target} targets; it applies to single-label targets only"
            )

    def fit(self, grid: tuple[Number, ...], used: Mask) -> HeadPath:
        """Return a head for each value, fitted on the rows that are used."""
        made = self._made(used)
        with explained(self.spec):
            return self._unscaled(made.solver.fit(grid, made.weights), made.scaler)

    def fit_each(self, grid: tuple[Number, ...], several: Sequence[Mask]) -> list[HeadPath]:
        """Return what ``fit`` does for each of several masks, in one call where the solver can."""
        if self.spec.scaling == "standardize" or not hasattr(self._shared, "fit_each"):
            return [self.fit(grid, used) for used in several]
        weights = np.stack([self.weights(used) for used in several])
        with explained(self.spec):
            paths = self._shared.fit_each(grid, weights)
        return [self._unscaled(path, Scaler()) for path in paths]

    def begin(self, several: Sequence[Mask]) -> Begun:
        """Return the heads of several masks without a value yet, where ``continues``."""
        together = self.spec.scaling != "standardize"
        lots = [several] if together else [[used] for used in several]
        return Begun(self.spec, [self._begun(lot) for lot in lots])

    @property
    def bytes_begun(self) -> int:
        """Bytes that ``begin`` may keep for a mask: a head of each value, and rows with a scale of their own."""
        n, d = map(int, self.X.shape)
        copied = self.spec.scaling == "standardize" and not isinstance(self.X, RowFile)
        heads = len(self.spec.grid) * self.classes * (d + 1) * _DOUBLE
        return heads + (_COPIES * n * d if copied else 0)

    @property
    def continues(self) -> bool:
        """Whether values can be asked for one after another."""
        return self.target.kind == DEFAULT and head_kind(self.spec.kind).continues

    def _begun(self, several: Sequence[Mask]) -> Part:
        made = [self._made(used) for used in several]
        with explained(self.spec):
            heads = cast(_Continuing, made[0].solver).begin(np.stack([one.weights for one in made]))
        return Part(heads, partial(self._unscaled, scaler=made[0].scaler))

    def _made(self, used: Mask) -> _Made:
        weights = self.weights(used)
        if self.spec.scaling != "standardize":
            return _Made(self._shared, Scaler(), weights)
        scaler = standardizer(self.X, used, self.spec.epsilon)
        if isinstance(self.X, RowFile):
            X = scaled(self.X, scaler)
            return _Made(self._solver(X if streams(self.spec) else X[:], self.y), scaler, weights)
        return _Made(self._solver(scaler(self.X[used]), self.y[used]), scaler, weights[used])

    def _unscaled(self, path: HeadPath, scaler: Scaler) -> HeadPath:
        return path if self.spec.scaling == "none" else unscaled(path, scaler)

    def leave_one_out(self, grid: tuple[Number, ...]) -> NDArray[np.float64]:
        """Return each row's decision value by a head that has not seen it, float64 (k, n, classes)."""
        exact = cast(_Exact, self._shared)
        with explained(self.spec):
            return exact.leave_one_out(grid, self.weights(np.ones(len(self.y), bool)))

    @cached_property
    def _shared(self) -> Solver:
        X = scaled(self.X, Scaler()) if self.spec.scaling == "l2" else self.X
        if isinstance(X, RowFile | ScaledRows) and not streams(self.spec):
            X = X[:]
        return self._solver(X, self.y)

    def _solver(self, X: NDArray[Any], y: TargetValues) -> Solver:
        return solver(self.spec, X, y, self.classes, self.target.kind)

    def weights(self, used: Mask) -> NDArray[np.float64]:
        """Return what each row counts among those that are used."""
        if self.spec.class_weight == "none":
            return np.asarray(used * self.row_weights)
        own = self.row_weights[used]
        counts = np.bincount(self.y[used], own, minlength=self.classes)
        each = own.sum() / (np.count_nonzero(counts) * np.where(counts > 0, counts, 1))
        weights: NDArray[np.float64] = used * self.row_weights * each[self.y]
        return weights


class ScaledRows:
    """Rows of a file, scaled as they are read; indexed as the file is."""

    def __init__(self, rows: RowFile, scaler: Scaler) -> None:
        self.rows, self.scaler = rows, scaler
        self.shape, self.dtype = rows.shape, np.dtype(np.float32)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        return self.scaler(self.rows[rows])


def scaled(X: NDArray[Any], scaler: Scaler) -> NDArray[np.float32]:
    """Return scaled rows, those of a file when they are read."""
    return cast(NDArray[np.float32], ScaledRows(X, scaler)) if isinstance(X, RowFile) else scaler(X)


@dataclass(frozen=True)
class _Made:
    """A solver of rows, how they were scaled for it, and what each of them counts."""

    solver: Solver
    scaler: Scaler
    weights: NDArray[np.float64]


class _Continuing(Protocol):
    def begin(self, row_weights: NDArray[np.float64]) -> Continued: ...


class _Exact(Protocol):
    def leave_one_out(self, grid: Sequence[Number], row_weights: NDArray[np.float64]) -> NDArray[np.float64]: ...


def unscaled(path: HeadPath, scaler: Scaler) -> HeadPath:
    """Return a path that acts on features as they were before scaling; folded into W and b where there are any."""
    if not isinstance(path, AffinePath) or (path.normalized and scaler.mean is not None):
        return ScaledPath(path, scaler)
    if scaler.mean is None or scaler.deviation is None:
        return replace(path, normalized=True)
    return path.rescaled(scaler.mean.astype(np.float64), scaler.deviation.astype(np.float64))
