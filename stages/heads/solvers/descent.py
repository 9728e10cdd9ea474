"""Stochastic gradient descent on linear heads of any kind of target, many learning rates in one pass over the rows.

The recipe of Oquab et al., "DINOv2" (arXiv:2304.07193), ``eval/linear.py``: SGD with momentum 0.9 and no decay,
learning rates falling to 0 along a cosine, 12,500 batches of 128, W from N(0, 0.01^2), b = 0.
Steps are those of ``torch.optim.SGD``; a rate's head does not depend on which rates are trained with it.
"""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frostline.stages.heads.linear import AffinePath
from frostline.stages.heads.solvers.steps import Number, take_steps
from frostline.stages.heads.solvers.weighted_rows import Doubles, WeightedRows

Schedule = Literal["cosine", "constant"]


class Descent(ABC):
    """All learning rates side by side, on the same batches and from the same start.

    Batches are drawn from one permutation of the rows with a weight after the other, and are always full; the
    loss of a row is multiplied by its weight over the mean of the weights. Only batches are turned to float32.

    Args:
        X: (n, d) float16, float32 or float64, finite; copied to ``device`` as they are, but rows of a file are read
            a batch at a time.
        y: what is to be predicted, one row each, as the kind of target has it.
        classes: how many names the target has.
        steps: batches in all.
        batch: rows of each.
        momentum: of the gradients.
        weight_decay: times W and b, added to their gradients.
        schedule: of the learning rate; "cosine" from the given one to 0, or "constant".
        seed: of W and of the permutations.
        device: where torch works.
    """

    parameter: ClassVar[str] = "lr"

    def __init__(
        self,
        X: NDArray[Any],
        y: NDArray[Any],
        classes: int,
        *,
        steps: int = 12_500,
        batch: int = 128,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        schedule: Schedule = "cosine",
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        if steps < 1 or batch < 1:
            raise ValueError(f"{steps} steps of {batch} rows; expected 1 or more of each")
        if schedule not in ("cosine", "constant"):
            raise ValueError(f"schedule is {schedule!r}; expected cosine or constant")
        check_device(device)
        self.X, self.y, self.classes = X, self.checked(y, len(X), classes), classes
        self.steps, self.batch, self.schedule, self.seed = steps, batch, schedule, seed
        self.momentum, self.weight_decay, self.device = momentum, weight_decay, device

    @abstractmethod
    def checked(self, y: NDArray[Any], n: int, classes: int) -> NDArray[Any]:
        """Return values (n, …) as the problem takes them. Raises ValueError if they are none of ``classes`` names."""

    @abstractmethod
    def fit(self, grid: Sequence[float], row_weights: Doubles) -> AffinePath:
        """Return a head for each learning rate, above 0. Raises ValueError on weights or rates of no use."""

    def trained(self, problem: Problem, rates: Doubles) -> tuple[Doubles, NDArray[np.bool_]]:
        """Return W and b, (k, classes, d + 1) with b last, and which heads are finite (k,); the others are 0."""
        theta = self._descended(problem, rates)
        finite = theta.isfinite().flatten(1).all(1)
        theta[~finite] = 0
        return theta.double().cpu().numpy(), finite.cpu().numpy()

    def _descended(self, problem: Problem, rates: Doubles) -> Tensor:
        generator = np.random.default_rng(self.seed)
        theta = self._start(generator, len(rates))
        velocity, flat = torch.zeros_like(theta), theta.view(-1, theta.shape[-1])
        speed = torch.tensor(rates, dtype=torch.float32, device=self.device)[:, None, None]

        def step(picked: Tensor, factor: Number) -> None:
            gradient = problem.gradient(flat, picked).view(theta.shape)
            velocity.mul_(self.momentum).add_(gradient).add_(theta, alpha=self.weight_decay)
            if isinstance(factor, Tensor):  # a graph's, which changes from replay to replay
                theta.addcmul_(velocity, speed * factor, value=-1)
            else:
                theta.addcmul_(velocity, speed, value=-factor)

        picked = _batches(generator, len(problem.index), self.batch, self.steps)
        batches = ((places, (self._factor(i),)) for i, places in enumerate(picked))
        take_steps(step, batches, (theta, velocity), self.device)
        return theta

    def _start(self, generator: np.random.Generator, k: int) -> Tensor:
        """(k, classes, d + 1): the same k times."""
        weight = generator.normal(0, 0.01, (self.classes, self.X.shape[1]))
        start = np.concatenate((weight, np.zeros((self.classes, 1))), 1)
        return torch.tensor(start, dtype=torch.float32, device=self.device).repeat(k, 1, 1)

    def _factor(self, step: int) -> float:
        return 1.0 if self.schedule == "constant" else 0.5 * (1 + math.cos(math.pi * step / self.steps))


def check_device(device: str) -> None:
    """Raise ValueError if torch has no such device."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"torch has no device {device!r} ({str(error).splitlines()[0]}); expected cpu") from error


class Problem(ABC):
    """The loss of all heads on a batch of the rows.

    Attributes:
        index: (m,) int64, the rows that count.
        names: how many scores a head gives.
    """

    def __init__(self, rows: WeightedRows, names: int, device: str) -> None:
        self.X = placed(rows.X, device) if isinstance(rows.X, np.ndarray) else _OnDisk(rows.X, device)
        self.index, self.names = placed(rows.index, device), names
        self.weights = placed((rows.weights / rows.weights.mean()).astype(np.float32), device)

    @abstractmethod
    def residual(self, scores: Tensor, picked: Tensor) -> Tensor:
        """Return the derivative of each row's loss by its scores (b, k, names)."""

    def features(self, picked: Tensor) -> Tensor:
        """Return the features of the rows picked, float32 (b, d)."""
        return self.X[self.index[picked]].float()

    def gradient(self, theta: Tensor, picked: Tensor) -> Tensor:
        """(k * names, d + 1): the gradient of the mean loss of the rows picked (b,)."""
        picked = picked.to(self.index.device)
        x = torch.nn.functional.pad(self.features(picked), (0, 1), value=1.0)
        residual = self.residual((x @ theta.T).view(len(x), -1, self.names), picked)
        residual *= (self.weights[picked] / len(x))[:, None, None]
        return residual.flatten(1).T @ x


def placed(values: NDArray[Any], device: str) -> Tensor:
    """Return an array as a tensor that nothing writes to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(values).to(device)


class _OnDisk:
    """Rows of a file, read as they are picked."""

    def __init__(self, rows: Any, device: str) -> None:
        self.rows, self.device = rows, device

    def __getitem__(self, picked: Tensor) -> Tensor:
        ascending, back = np.unique(picked.cpu().numpy(), return_inverse=True)
        return torch.from_numpy(self.rows[ascending][back]).to(self.device)


def _batches(generator: np.random.Generator, n: int, batch: int, steps: int) -> Iterator[Tensor]:
    """Yield places (batch,) among n rows, from one permutation after the other."""
    waiting = np.empty(0, np.int64)
    for _ in range(steps):
        while len(waiting) < batch:
            waiting = np.concatenate((waiting, generator.permutation(n)))
        yield torch.from_numpy(waiting[:batch])
        waiting = waiting[batch:]
