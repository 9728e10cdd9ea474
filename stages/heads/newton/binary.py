"""Penalised linear heads of many labels, each against the rest: all labels, values of C and row weightings together.

Each label minimises  C sum_i w_i loss_i + 1/2 |w|^2  with a free intercept over the rows of which it is known, as
scikit-learn does for that label alone. A head with one output for each label and C is a task of the same Newton
machinery: it has steps, a working set and an end of its own, and its products are taken with those of all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from frostline.stages.heads.multi_label import MultiLabelPath, base_rates, checked_labels
from frostline.stages.heads.newton.c_path import CPath, Effort, distinct
from frostline.stages.heads.newton.losses import Loss
from frostline.stages.heads.newton.minimise import Solution
from frostline.stages.heads.newton.penalised import (
    MatmulType,
    checked_limits,
    checked_values,
    prepare_features,
    tensor_of,
)
from frostline.stages.heads.newton.problem import Problem
from frostline.stages.heads.newton.rotated_rows import RotatedRows, StreamedRows

_WORKING_SET = 2**30  # bytes of the heads solved at once and their preconditioner


class BinaryLoss(Loss, Protocol):
    """A loss of one output."""

    def constant(self, share: float, /) -> float:
        """The output where a share of 0 or 1 of the rows have the label, or where there are none (NaN)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class PenalisedLabelsPath(MultiLabelPath):
    """Heads for k values of C.

    Attributes:
        C: (k,) float64, as asked.
        objective: (k, labels) float64,  C sum_i w_i loss_i + 1/2 |w|^2.
        gaps: (k, labels) float64, (objective - optimum) / objective as it is known; at most the tolerance is
            convergence. 0 for a label that the rows have all, or none of.
        gradient_norms: (k, labels) float64, of the objective; see ``PenalisedPath``.
    """

    C: NDArray[np.float64]
    objective: NDArray[np.float64]
    gaps: NDArray[np.float64]
    gradient_norms: NDArray[np.float64]

    @property
    def gap(self) -> NDArray[np.float64]:
        """(k,): the largest of any label."""
        return np.asarray(self.gaps.max(1))

    @property
    def gradient_norm(self) -> NDArray[np.float64]:
        """(k,): the largest of any label."""
        return np.asarray(self.gradient_norms.max(1))


@dataclass(frozen=True)
class _Task:
    """One label under one weighting of the rows (n,), and what share of the known ones has the label."""

    label: int
    weights: Tensor
    share: float


class PenalisedLabelsSolver:
    """Prepared rows and their labels, int8 (n, labels); see ``PenalisedSolver``."""

    parameter: ClassVar[str] = "C"
    loss: ClassVar[BinaryLoss]

    def __init__(
        self,
        X: ArrayLike,
        y: NDArray[np.int8],
        classes: int,
        *,
        dtype: MatmulType = "float32",
        device: str = "cpu",
        tolerance: float = 1e-5,
        max_iterations: int = 200,
    ) -> None:
        """Prepare the rows. Raises ValueError for rows, labels or limits that can't be."""
        self.limits = checked_limits(tolerance, max_iterations)
        self.features, n = prepare_features(X, dtype, device)
        self.y = tensor_of(checked_labels(y, n, classes)).to(device)

    def fit(self, grid: Sequence[float], row_weights: NDArray[np.float64]) -> PenalisedLabelsPath:
        """Return a head for each C; ``row_weights`` (n,)."""
        return self.fit_each(grid, row_weights[None])[0]

    def fit_each(self, grid: Sequence[float], row_weights: NDArray[np.float64]) -> list[PenalisedLabelsPath]:
        """Return the path of every weighting of the rows (m, n), all solved together."""
        C = checked_values(grid)
        ascending, back = distinct(C)
        tasks = [task for weights in row_weights for task in self._tasks(weights)]
        found = _empty(len(ascending), len(tasks), self.features.given_width)
        for place, task in enumerate(tasks):
            found.theta[:, place, 0, -1] = self.loss.constant(task.share)
        real = [place for place, task in enumerate(tasks) if 0 < task.share < 1]
        together = self._together()
        for start in range(0, len(real), together):
            places = real[start : start + together]
            _put(found, places, self._solved(ascending, [tasks[place] for place in places]))
        labels = self.y.shape[1]
        parts = (slice(start, start + labels) for start in range(0, len(tasks), labels))
        return [self._path(C, _at(found, part), back) for part in parts]

    def _tasks(self, row_weights: NDArray[np.float64]) -> list[_Task]:
        if not (np.isfinite(row_weights).all() and (row_weights >= 0).all()):
            raise ValueError("row_weights holds a negative or non-finite value; expected weights of 0 or more")
        weights = torch.as_tensor(row_weights).to(self.y.device)
        shares = base_rates(self.y.cpu().numpy(), row_weights).tolist()
        return [_Task(label, weights, share) for label, share in enumerate(shares)]

    def _together(self) -> int:
        """How many tasks are solved at once."""
        head = len(self.y) * (self.features.dtype.itemsize + 8) + 12 * 8 * self.features.width
        return max(1, _WORKING_SET // (2 * head))

    def _solved(self, ascending: NDArray[np.float64], tasks: list[_Task]) -> Solution:
        """The heads (k, t, …) of tasks; objective and gradient as in C sum + penalty."""
        features, weights, sides = self._rows(tasks)
        total, grid = weights.sum(1), torch.as_tensor(ascending, device=weights.device)
        problem = Problem(
            loss=self.loss,
            features=features,
            labels=sides,
            row_weights=weights / total[:, None],
            present=torch.ones((len(tasks), 1), dtype=torch.bool, device=weights.device),
            penalty=self.loss.penalty(1) / total,
            task=torch.arange(len(tasks), device=weights.device),
        )
        path, scale = CPath(problem, _WORKING_SET), total * grid[:, None]
        path.solve(grid, Effort(**self.limits))
        found = path.known(grid)
        return replace(found, objective=found.objective * scale, gradient=found.gradient * scale)

    def _rows(self, tasks: list[_Task]) -> tuple[RotatedRows | StreamedRows, Tensor, Tensor]:
        """Features, weights (t, n) and sides (t, n) of the rows, those of weight alone where these are few."""
        weights = torch.stack([task.weights * (self.y[:, task.label] >= 0) for task in tasks])
        sides = torch.stack([torch.where(self.y[:, task.label] == 1, 1, -1).to(torch.int8) for task in tasks])
        used = (weights > 0).any(0)
        if 2 * int(used.sum()) > len(used) or isinstance(self.features, StreamedRows):
            return self.features, weights, sides
        return self.features.take(used), weights[:, used], sides[:, used]

    def _path(self, C: NDArray[np.float64], found: Solution, back: NDArray[np.int64]) -> PenalisedLabelsPath:
        theta, objective, gaps, norms, iterations = (
            part.cpu().numpy()[back]
            for part in (found.theta[:, :, 0], found.objective, found.gap, found.gradient, found.iterations)
        )
        converged = (gaps <= self.limits["tolerance"]).all(1)
        how: dict[str, Any] = {"C": C, "objective": objective, "gaps": gaps, "gradient_norms": norms}
        heads = theta[..., :-1], theta[..., -1], converged, iterations.max(1), self.loss.probabilistic
        return PenalisedLabelsPath(*heads, **how)


def _empty(k: int, tasks: int, width: int) -> Solution:
    objective, gap, gradient = torch.zeros((3, k, tasks), dtype=torch.float64)
    theta, iterations = objective.new_zeros((k, tasks, 1, width + 1)), torch.zeros((k, tasks), dtype=torch.int64)
    return Solution(theta, objective, gap, gradient, iterations)


def _put(into: Solution, places: list[int], found: Solution) -> None:
    for name in vars(found):
        getattr(into, name)[:, places] = getattr(found, name).to(getattr(into, name).device)


def _at(found: Solution, part: slice) -> Solution:
    return Solution(*(getattr(found, name)[:, part] for name in vars(found)))
