"""Logistic regression for every C of a grid, and for several row weightings, on shared rows.

The objective is scikit-learn's,  C sum_i w_i CE_i + 1/2 ||W||^2  with a free intercept; in mean
form, with S = sum_i w_i,  1/S sum_i w_i CE_i + 1/(2 C S) ||W||^2. With two classes scikit-learn has
a single weight vector u: here W = (-u/2, u/2), and the penalty is 1/2 ||u||^2 = ||W||^2.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from stages.heads.linear import LinearPath
from stages.heads.path import solve_path
from stages.heads.rotated import RotatedFeatures, StoredRows, StreamedFeatures, rotate, stream
from stages.heads.softmax import SoftmaxProblem
from stages.specs import DINOV2_GRID

Precision = Literal["float32", "float64"]


@dataclass(frozen=True, eq=False, kw_only=True)
class LogisticPath(LinearPath):
    """Heads for k values of C; with tasks of row weights, t comes first in every shape but that of C.

    Weights sum to zero over the classes; a gap of at most the tolerance is convergence.

    Attributes:
        C: (k,) float64, as asked.
        objective: (k,) float64,  C sum_i w_i CE_i + 1/2 ||W||^2.
        gap: (k,) float64, (objective - optimum) / objective as it is known: bounded by the gradient, or estimated as
            twice the Newton decrement where that is less.
        gradient_norm: (k,) float64, of the objective, in W and the bias for features less their mean. Where the bias
            is at its optimum, gradient_norm^2 / 2 bounds objective - optimum.
    """

    C: NDArray[np.float64]
    objective: NDArray[np.float64]
    gap: NDArray[np.float64]
    gradient_norm: NDArray[np.float64]

    def of_task(self, index: int) -> LogisticPath:
        """The heads of one task."""
        own = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{n: v[index] for n, v in own.items() if isinstance(v, np.ndarray) and n != "C"})


@dataclass(frozen=True)
class PreparedRows:
    """Checked rows and labels, rotated once; every :meth:`fit` on them shares that work.

    Folds, hold-outs and few-shot draws are row weights: fit with 0 on the rows to keep out, score
    those rows, and fit again with the chosen C on all of them.
    """

    features: RotatedFeatures | StreamedFeatures
    labels: Tensor
    classes: int

    def fit(
        self,
        C: ArrayLike = DINOV2_GRID,
        row_weights: ArrayLike | None = None,
        *,
        tolerance: float = 1e-5,
        max_iterations: int = 200,
        working_set: int = 2**30,
    ) -> LogisticPath:
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
                probabilities and a dozen (classes, d) float64 arrays; if one alone needs more,
                it gets it.

        Raises:
            ValueError: C, row_weights or their shapes are not as above.
        """
        grid = _checked_grid(C)
        weights = self._checked_weights(row_weights)
        ascending, back = np.unique(grid, return_inverse=True)
        most = self._together(working_set)
        groups = [weights[start : start + most] for start in range(0, len(weights), most)]
        solved = [self._solved(ascending, group, tolerance, max_iterations, working_set) for group in groups]
        single = row_weights is None or np.ndim(row_weights) == 1

        def gathered(parts: Iterable[Tensor]) -> NDArray[Any]:
            values = torch.cat(list(parts), 1).transpose(0, 1).cpu().numpy()[:, back]
            return values[0] if single else values

        weight, bias, objective, gap, slope, iterations = (gathered(parts) for parts in zip(*solved, strict=True))
        how: dict[str, Any] = {"C": grid, "objective": objective, "gap": gap, "gradient_norm": slope}
        return LogisticPath(weight, bias, gap <= tolerance, iterations, **how)

    def _together(self, working_set: int) -> int:
        """How many tasks may be solved at once."""
        width = self.features.width
        head = self.classes * (len(self.labels) * self.features.dtype.itemsize + 12 * width * 8)
        return max(1, working_set // (2 * head))

    def _solved(
        self,
        grid: NDArray[np.float64],
        weights: Tensor,
        tolerance: float,
        max_iterations: int,
        working_set: int,
    ) -> tuple[Tensor, ...]:
        """Weight, bias, objective, gap, gradient's norm, iterations, (k, t, …) each, of the ascending grid."""
        rows, weights = self._used(weights)
        total, ascending = weights.sum(1), torch.as_tensor(grid, device=weights.device)
        present = torch.stack([rows._class_weights(w) for w in weights]) > 0
        penalty = (2 if self.classes == 2 else 1) / total
        task = torch.arange(len(weights), device=weights.device)
        problem = SoftmaxProblem(rows.features, rows.labels, weights / total[:, None], present, penalty, task)
        solution = solve_path(problem, ascending, tolerance, max_iterations, working_set)
        weight, bias = solution.theta[..., :-1], solution.theta[..., -1]
        scale = total * ascending[:, None]
        objective, slope = solution.objective * scale, solution.gradient * scale
        return weight, bias.masked_fill(~present, -torch.inf), objective, solution.gap, slope, solution.iterations

    def _used(self, weights: Tensor) -> tuple[PreparedRows, Tensor]:
        """The rows with weight in any task and their weights (t, m), on their own where most rows have none."""
        used = (weights > 0).any(0)
        if 2 * int(used.sum()) > len(used) or isinstance(self.features, StreamedFeatures):
            return self, weights
        return PreparedRows(self.features.take(used), self.labels[used], self.classes), weights[:, used]

    def _class_weights(self, weights: Tensor) -> Tensor:
        return weights.new_zeros(self.classes).index_add_(0, self.labels, weights)

    def _checked_weights(self, row_weights: ArrayLike | None) -> Tensor:
        n = len(self.labels)
        given = np.ones((1, n)) if row_weights is None else np.atleast_2d(np.asarray(row_weights, np.float64))
        if given.ndim != 2 or given.shape[1] != n:
            raise ValueError(f"row_weights has shape {given.shape}; give (tasks, {n}) or ({n},)")
        if not (np.isfinite(given).all() and (given >= 0).all()):
            raise ValueError("row_weights holds a negative or non-finite value; give weights of 0 or more")
        weights = torch.as_tensor(given, device=self.labels.device)
        lone = [task for task, w in enumerate(weights) if int((self._class_weights(w) > 0).sum()) < 2]
        if lone:
            raise ValueError(f"tasks {lone} have weight on fewer than two classes; give each at least two")
        return weights


def _checked_grid(C: ArrayLike) -> NDArray[np.float64]:
    grid = np.atleast_1d(np.asarray(C, np.float64))
    if grid.ndim != 1 or len(grid) == 0 or not (np.isfinite(grid).all() and (grid > 0).all()):
        raise ValueError(f"C is {C!r}; give one or more positive, finite values")
    return grid


def prepare(
    X: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    *,
    classes: int | None = None,
    dtype: Precision = "float32",
    device: str = "cpu",
) -> PreparedRows:
    """Check X (n, d) and y (n,) of labels 0 .. classes - 1, and rotate the rows.

    Args:
        X: features, float16, float32 or float64; kept as they are. What is neither an array nor
            a tensor is read a slice at a time, again for every pass, and never kept.
        y: integer labels.
        classes: how many there are; by default the largest label + 1.
        dtype: of the rotated copy and its matrix products.
        device: where torch works.

    Raises:
        ValueError: X is not finite or not (n, d), y does not match it, or a label is out of range.
    """
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype is {dtype!r}; give float32 or float64")
    labels = _tensor(y).to(device)
    if hasattr(X, "__getitem__") and not isinstance(X, np.ndarray | Tensor | list | tuple):
        rows = StoredRows(X)
        classes = _checked_classes(labels, len(rows), classes)
        return PreparedRows(stream(rows, getattr(torch, dtype), device), labels.long(), classes)
    features = _tensor(X).to(device)
    if features.ndim != 2 or 0 in features.shape or not features.dtype.is_floating_point:
        found = f"{features.dtype} of shape {tuple(features.shape)}"
        raise ValueError(f"X is {found}; give floats of shape (n, d), n and d at least 1")
    _check_finite(features)
    classes = _checked_classes(labels, len(features), classes)
    return PreparedRows(rotate(features, getattr(torch, dtype)), labels.long(), classes)


class LogisticSolver:
    """Prepared rows, with how closely and how long each fit of them works; see :func:`prepare`."""

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: int,
        *,
        dtype: Precision = "float32",
        device: str = "cpu",
        tolerance: float = 1e-5,
        max_iterations: int = 200,
    ) -> None:
        """Prepare the rows. Raises ValueError as :func:`prepare` does, or for limits that can't be."""
        if not 0 < tolerance < 1 or max_iterations < 1:
            raise ValueError(f"tolerance {tolerance}, {max_iterations} iterations; give one in 0 to 1, and one or more")
        self.rows = prepare(X, y, classes=classes, dtype=dtype, device=device)
        self.limits: dict[str, Any] = {"tolerance": tolerance, "max_iterations": max_iterations}

    def fit(self, grid: Sequence[float], row_weights: NDArray[np.float64]) -> LogisticPath:
        """Return a head for each C; ``row_weights`` (n,)."""
        return self.rows.fit(grid, row_weights, **self.limits)

    def fit_each(self, grid: Sequence[float], row_weights: NDArray[np.float64]) -> list[LogisticPath]:
        """Return the path of every task of row weights (t, n), all solved together."""
        path = self.rows.fit(grid, row_weights, **self.limits)
        return [path.of_task(task) for task in range(len(row_weights))]


def _tensor(values: ArrayLike | Tensor) -> Tensor:
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
        raise ValueError(f"y is {labels.dtype} of shape {tuple(labels.shape)}; give integers of shape ({n},)")
    low, high = int(labels.min()), int(labels.max())
    wanted = high + 1 if classes is None else classes
    if low < 0 or high >= wanted:
        raise ValueError(f"y holds labels {low} to {high}; with {wanted} classes give 0 to {wanted - 1}")
    if wanted < 2:
        raise ValueError("y holds one class only; give rows of at least two")
    return wanted


def logistic_path(
    X: ArrayLike | Tensor,
    y: ArrayLike | Tensor,
    C: ArrayLike = DINOV2_GRID,
    *,
    classes: int | None = None,
    row_weights: ArrayLike | None = None,
    tolerance: float = 1e-5,
    max_iterations: int = 200,
    dtype: Precision = "float32",
    device: str = "cpu",
) -> LogisticPath:
    """Fit multinomial logistic regression for every C and every task of row weights.

    Short for ``prepare(X, y, ...).fit(C, ...)``; see :func:`prepare` and :meth:`PreparedRows.fit`
    for the arguments, the memory and the errors.
    """
    rows = prepare(X, y, classes=classes, dtype=dtype, device=device)
    return rows.fit(C, row_weights=row_weights, tolerance=tolerance, max_iterations=max_iterations)


class LogisticHead(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """One C of :func:`logistic_path` as a scikit-learn classifier.

    Args:
        C: inverse penalty, as in ``sklearn.linear_model.LogisticRegression``.
        max_iter: Newton steps, at most.
        tol: largest relative distance of the objective from its optimum.
        class_weight: None, or "balanced" for weights n / (classes * rows of the class).
        dtype: of the matrix products, "float32" or "float64".

    Attributes:
        classes_: (classes,) labels, sorted.
        coef_: (classes, d) float64, or (1, d) for two classes.
        intercept_: (classes,) float64, or (1,) for two classes.
        n_iter_: Newton steps taken.
        converged_: whether that distance is at most ``tol``, see :class:`LogisticPath`.
    """

    def __init__(
        self,
        C: float = 1.0,
        *,
        max_iter: int = 200,
        tol: float = 1e-5,
        class_weight: Literal["balanced"] | None = None,
        dtype: Precision = "float32",
    ) -> None:
        self.C = C
        self.max_iter = max_iter
        self.tol = tol
        self.class_weight = class_weight
        self.dtype = dtype

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit X (n, d) to labels y (n,) of any kind that sorts; warns where it does not converge."""
        rows, labels = validate_data(self, X, y, dtype=[np.float32, np.float64])
        check_classification_targets(labels)
        self.classes_, index = np.unique(labels, return_inverse=True)
        weights = compute_class_weight(self.class_weight, classes=self.classes_, y=labels)[index]
        path = logistic_path(
            rows,
            index,
            self.C,
            row_weights=weights,
            tolerance=self.tol,
            max_iterations=self.max_iter,
            dtype=self.dtype,
        )
        self._keep(path)
        return self

    def _keep(self, path: LogisticPath) -> None:
        weight, bias = path.weight[0], path.bias[0]
        binary = len(self.classes_) == 2
        self.coef_ = weight[1:] - weight[:1] if binary else weight
        self.intercept_ = bias[1:] - bias[:1] if binary else bias
        self.n_iter_ = int(path.iterations[0])
        self.converged_ = bool(path.converged[0])
        if not self.converged_:
            message = f"after {self.n_iter_} steps the objective may be {path.gap[0]:.1e} above its optimum"
            warnings.warn(f"{message}; raise max_iter or tol", ConvergenceWarning, stacklevel=3)

    def decision_function(self, X: ArrayLike) -> NDArray[np.floating]:
        """Logits (n, classes), or (n,) of the second class against the first for two classes."""
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=[np.float32, np.float64], reset=False)
        logits: NDArray[np.floating] = rows @ self.coef_.T.astype(rows.dtype)
        logits += self.intercept_.astype(rows.dtype)
        return logits[:, 0] if logits.shape[1] == 1 else logits

    def predict_proba(self, X: ArrayLike) -> NDArray[np.floating]:
        """Probabilities (n, classes)."""
        logits = self.decision_function(X)
        if logits.ndim == 1:
            logits = np.stack((np.zeros_like(logits), logits), 1)
        proba: NDArray[np.floating] = softmax(logits, axis=1)
        return proba

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """The likeliest label (n,) of each row."""
        logits = self.decision_function(X)
        index = (logits > 0).astype(np.int64) if logits.ndim == 1 else logits.argmax(1)
        labels: NDArray[Any] = self.classes_[index]
        return labels
