"""Linear heads with a penalty for every C of a grid, and for several row weightings, on shared rows.

The objective is scikit-learn's,  C sum_i w_i loss_i + 1/2 ||W||^2  with a free intercept; in mean
form, with S = sum_i w_i,  1/S sum_i w_i loss_i + 1/(2 C S) ||W||^2.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Literal, cast

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from frostline.stages.heads.kinds import DINOV2_GRID
from frostline.stages.heads.linear import LinearPath
from frostline.stages.heads.newton.c_path import ROUGH, CPath, Effort, distinct
from frostline.stages.heads.newton.losses import Loss, Softmax
from frostline.stages.heads.newton.problem import Problem
from frostline.stages.heads.newton.rotated_rows import RotatedRows, StoredRows, StreamedRows, rotate, stream

MatmulType = Literal["float32", "float64"]
SOFTMAX = Softmax()


@dataclass(frozen=True, eq=False, kw_only=True)
class PenalisedPath(LinearPath):
    """Heads for k values of C; with tasks of row weights, t comes first in every shape but that of C.

    A gap of at most the tolerance is convergence.

    Attributes:
        C: (k,) float64, as asked.
        objective: (k,) float64,  C sum_i w_i loss_i + 1/2 ||W||^2.
        gap: (k,) float64, (objective - optimum) / objective as it is known: bounded by the gradient, or, of a smooth
            loss, estimated as twice the Newton decrement where that is less.
        gradient_norm: (k,) float64, of the objective, in W and the bias for features less their mean. Where the bias
            is at its optimum, gradient_norm^2 / 2 bounds objective - optimum.
    """

    C: NDArray[np.float64]
    objective: NDArray[np.float64]
    gap: NDArray[np.float64]
    gradient_norm: NDArray[np.float64]

    def of_task(self, index: int) -> PenalisedPath:
        """The heads of one task."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{n: v[index] for n, v in own.items() if isinstance(v, np.ndarray) and n != "C"})


@dataclass(frozen=True)
class _Tasks:
    """Tasks that are solved together, and the sum of each one's row weights (t,)."""

    path: CPath
    total: Tensor

    def numbers(self, ascending: NDArray[np.float64]) -> tuple[Tensor, ...]:
        """Weight, bias, objective, gap, gradient's norm and iterations, (k, t, …) each, of values that are known."""
        grid = torch.as_tensor(ascending, device=self.total.device)
        found, scale = self.path.known(grid), self.total * grid[:, None]
        bias = found.theta[..., -1].masked_fill(~self.path.problem.present, -torch.inf)
        return found.theta[..., :-1], bias, found.objective * scale, found.gap, found.gradient * scale, found.iterations

    def training_loss(self, C: float) -> float:
        """The largest mean loss of any task's head of a C that was solved."""
        found = self.path.known(self.total.new_tensor([C]))
        penalties = 0.5 / C * self.path.problem.penalty * found.theta[0, ..., :-1].square().sum((1, 2))
        return float((found.objective[0] - penalties).max())


class OpenPath:
    """Heads of t tasks on prepared rows, to which values of C are added; see :meth:`PreparedRows.begin`."""

    def __init__(self, parts: Sequence[_Tasks], probabilistic: bool) -> None:
        self._parts, self._probabilistic = parts, probabilistic

    def solve(self, C: ArrayLike, effort: Effort) -> None:
        """Solve a head for each C (k,) and task; those that are known are solved on from where they are."""
        ascending = distinct(checked_values(C))[0]
        for part in self._parts:
            part.path.solve(torch.as_tensor(ascending, device=part.total.device), effort)

    def training_loss(self, C: float) -> float:
        """Return the largest mean loss of any task's head of a C that was solved, on the rows of that task."""
        return max(part.training_loss(C) for part in self._parts)

    def known(self, C: ArrayLike, tolerance: float) -> PenalisedPath:
        """Return the heads of values (k,) that were solved, (t, k, …); ``converged`` are those within a tolerance."""
        grid = checked_values(C)
        ascending, back = distinct(grid)
        numbers = [part.numbers(ascending) for part in self._parts]

        def gathered(parts: tuple[Tensor, ...]) -> NDArray[Any]:
            values: NDArray[Any] = torch.cat(parts, 1).transpose(0, 1).cpu().numpy()[:, back]
            return values

        weight, bias, objective, gap, slope, iterations = map(gathered, zip(*numbers, strict=True))
        how: dict[str, Any] = {"C": grid, "objective": objective, "gap": gap, "gradient_norm": slope}
        return PenalisedPath(weight, bias, gap <= tolerance, iterations, self._probabilistic, **how)


@dataclass(frozen=True)
class PreparedRows:
    """Checked rows and labels, rotated once; every :meth:`fit` on them shares that work.

    Folds, hold-outs and few-shot draws are row weights: fit with 0 on the rows to keep out, score
    those rows, and fit again with the chosen C on all of them.
    """

    features: RotatedRows | StreamedRows
    labels: Tensor
    classes: int
    loss: Loss

    def fit(
        self,
        C: ArrayLike = DINOV2_GRID,
        row_weights: ArrayLike | None = None,
        *,
        tolerance: float = 1e-5,
        max_iterations: int = 200,
        working_set: int = 2**30,
    ) -> PenalisedPath:
        """Fit every task with every C.

        Args:
            C: (k,) inverse penalties, positive.
            row_weights: (t, n) or (n,), not negative; every task needs two classes. None weighs
                each row 1.
            tolerance: a head is converged when its ``gap`` is at most this; a tenth of it costs a
                Newton step more.
            max_iterations: Newton steps and shortened steps, at most.
            working_set: bytes for the heads solved at once and their preconditioner, on top of
                the rotated rows, the heads returned and a block of rows. A head keeps n x classes
                numbers of its loss and a dozen (classes, d) float64 arrays; if one alone needs more,
                it gets it.

        Raises:
            ValueError: C, row_weights or their shapes are not as above.
        """
        single = row_weights is None or np.ndim(row_weights) == 1
        path = self.begin(row_weights, working_set=working_set)
        path.solve(C, Effort(tolerance, max_iterations))
        found = path.known(C, tolerance)
        return found.of_task(0) if single else found

    def begin(self, row_weights: ArrayLike | None = None, *, working_set: int = 2**30) -> OpenPath:
        """Return the path of every task without a value yet, for values of C that are asked for one after another.

        Args and errors are those of :meth:`fit`.
        """
        weights, most = self._checked_weights(row_weights), self._together(working_set)
        return OpenPath(
            [self._opened(part, working_set) for part in torch.split(weights, most)], self.loss.probabilistic
        )

    def _together(self, working_set: int) -> int:
        """How many tasks may be solved at once."""
        width = self.features.width
        head = self.classes * (len(self.labels) * self.features.dtype.itemsize + 12 * width * 8)
        return max(1, working_set // (2 * head))

    def _opened(self, weights: Tensor, working_set: int) -> _Tasks:
        rows, weights = self._used(weights)
        total = weights.sum(1)
        present = torch.stack([rows._class_weights(w) for w in weights]) > 0
        penalty = self.loss.penalty(self.classes) / total
        task = torch.arange(len(weights), device=weights.device)
        problem = Problem(self.loss, rows.features, rows.labels, weights / total[:, None], present, penalty, task)
        return _Tasks(CPath(problem, working_set), total)

    def _used(self, weights: Tensor) -> tuple[PreparedRows, Tensor]:
        """The rows with weight in any task and their weights (t, m), on their own where most rows have none."""
        used = (weights > 0).any(0)
        if 2 * int(used.sum()) > len(used) or isinstance(self.features, StreamedRows):
            return self, weights
        taken = replace(self, features=self.features.take(used), labels=self.labels[used])
        return taken, weights[:, used]

    def _class_weights(self, weights: Tensor) -> Tensor:
        return weights.new_zeros(self.classes).index_add_(0, self.labels, weights)

    def _checked_weights(self, row_weights: ArrayLike | None) -> Tensor:
        n = len(self.labels)
        given = np.ones((1, n)) if row_weights is None else np.atleast_2d(np.asarray(row_weights, np.float64))
        if given.ndim != 2 or given.shape[1] != n:
            raise ValueError(f"row_weights has shape {given.shape}; expected (tasks, {n}) or ({n},)")
        if not (np.isfinite(given).all() and (given >= 0).all()):
            raise ValueError("row_weights holds a negative or non-finite value; expected weights of 0 or more")
        weights = torch.as_tensor(given, device=self.labels.device)
        lone = [task for task, w in enumerate(weights) if int((self._class_weights(w) > 0).sum()) < 2]
        if lone:
            raise ValueError(f"tasks {lone} have weight on fewer than two classes; expected at least two for each task")
        return weights


def checked_values(C: ArrayLike) -> NDArray[np.float64]:
    """Return values (k,) of C. Raises ValueError unless they are finite and above 0, one or more."""
    grid = np.atleast_1d(np.asarray(C, np.float64))
    if grid.ndim != 1 or len(grid) == 0 or not (np.isfinite(grid).all() and (grid > 0).all()):
        raise ValueError(f"C is {C!r}; expected at least one positive, finite value")
    return grid


def prepare(
    X: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    *,
    loss: Loss = SOFTMAX,
    classes: int | None = None,
    dtype: MatmulType = "float32",
    device: str = "cpu",
) -> PreparedRows:
    """Check X (n, d) and y (n,) of labels 0 .. classes - 1, and rotate the rows.

    Args:
        X: features, float16, float32 or float64; kept as they are. What is neither an array nor
            a tensor is read a slice at a time, again for every pass, and never kept.
        y: integer labels.
        loss: of the heads to be fitted.
        classes: how many there are; by default the largest label + 1.
        dtype: of the rotated copy and its matrix products; with float32 also bf16, where the device has that, in a
            second copy that is kept.
        device: where torch works.

    Raises:
        ValueError: X is not finite or not (n, d), y does not match it, or a label is out of range.
    """
    labels = tensor_of(y).to(device)
    features, n = prepare_features(X, dtype, device)
    return PreparedRows(features, labels.long(), _checked_classes(labels, n, classes), loss)


def prepare_features(X: ArrayLike | Tensor, dtype: MatmulType, device: str) -> tuple[RotatedRows | StreamedRows, int]:
    """Return rows (n, d), checked and rotated, and n; see :func:`prepare` for the arguments and errors."""
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype is {dtype!r}; expected float32 or float64")
    if hasattr(X, "__getitem__") and not isinstance(X, np.ndarray | Tensor | list | tuple):
        rows = StoredRows(X)
        return stream(rows, getattr(torch, dtype), device), len(rows)
    features = tensor_of(X).to(device)
    if features.ndim != 2 or 0 in features.shape or not features.dtype.is_floating_point:
        found = f"{features.dtype} of shape {tuple(features.shape)}"
        raise ValueError(f"X is {found}; expected floats of shape (n, d), n and d at least 1")
    _check_finite(features)
    return rotate(features, getattr(torch, dtype)), len(features)


class PenalisedSolver:
    """Prepared rows, with how closely and how long each fit of them works; see :func:`prepare`."""

    parameter: ClassVar[str] = "C"
    loss: ClassVar[Loss]

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: int,
        *,
        dtype: MatmulType = "float32",
        device: str = "cpu",
        tolerance: float = 1e-5,
        max_iterations: int = 200,
    ) -> None:
        """Prepare the rows. Raises ValueError as :func:`prepare` does, or for limits that can't be."""
        self.limits = checked_limits(tolerance, max_iterations)
        self.rows = prepare(X, y, loss=self.loss, classes=classes, dtype=dtype, device=device)

    def fit(self, grid: Sequence[float], row_weights: NDArray[np.float64]) -> PenalisedPath:
        """Return a head for each C; ``row_weights`` (n,)."""
        return self.rows.fit(grid, row_weights, **self.limits)

    def fit_each(self, grid: Sequence[float], row_weights: NDArray[np.float64]) -> list[PenalisedPath]:
        """Return the path of every task of row weights (t, n), all solved together."""
        path = self.rows.fit(grid, row_weights, **self.limits)
        return [path.of_task(task) for task in range(len(row_weights))]


class Continued:
    """Tasks for which values are solved one after another, roughly at first, and closely where that matters."""

    def __init__(self, path: OpenPath, close: Effort, tasks: int) -> None:
        self._path, self._close, self._tasks = path, close, tasks

    def solve(self, grid: Sequence[float], *, roughly: bool = False) -> None:
        """Solve values, or solve them on: to the tolerance of the solver, or ``roughly``."""
        self._path.solve(grid, ROUGH if roughly and self._close.tolerance < ROUGH.tolerance else self._close)

    def training_loss(self, value: float) -> float:
        """Return the largest mean loss of any task's head of a value that was solved, on the rows of that task."""
        return self._path.training_loss(value)

    def known(self, grid: Sequence[float]) -> list[PenalisedPath]:
        """Return each task's heads of values that were solved; ``converged`` to the tolerance of the solver."""
        found = self._path.known(grid, self._close.tolerance)
        return [found.of_task(task) for task in range(self._tasks)]


def checked_limits(tolerance: object, max_iterations: object) -> dict[str, Any]:
    """Return both by name. Raises ValueError for limits that can't be."""
    sound = isinstance(tolerance, float) and type(max_iterations) is int
    if not sound or not 0 < cast(float, tolerance) < 1 or cast(int, max_iterations) < 1:
        found = f"tolerance {tolerance!r}, max_iterations {max_iterations!r}"
        raise ValueError(f"{found}; expected a number between 0 and 1, and a whole number of 1 or more")
    return {"tolerance": tolerance, "max_iterations": max_iterations}


def tensor_of(values: ArrayLike | Tensor) -> Tensor:
    """A view of the values, also where they are read-only: nothing here writes to them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.as_tensor(values)


def _check_finite(features: Tensor) -> None:
    starts = range(0, len(features), 4096)
    good = torch.cat([features[start : start + 4096].isfinite().all(1) for start in starts])
    rows = (~good).nonzero().flatten()
    if len(rows):
        first = rows[0].item()
        raise ValueError(f"{len(rows)} rows of X hold NaN or infinity, the first is row {first}; remove them")


def _checked_classes(labels: Tensor, n: int, classes: int | None) -> int:
    if labels.shape != (n,) or labels.dtype.is_floating_point:
        raise ValueError(f"y is {labels.dtype} of shape {tuple(labels.shape)}; expected integers of shape ({n},)")
    low, high = int(labels.min()), int(labels.max())
    wanted = high + 1 if classes is None else classes
    if low < 0 or high >= wanted:
        raise ValueError(f"y holds labels {low} to {high}; with {wanted} classes, expected 0 to {wanted - 1}")
    if wanted < 2:
        raise ValueError("y holds only one class; expected rows of at least two classes")
    return wanted
