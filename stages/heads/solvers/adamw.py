"""A linear layer trained by AdamW, for many weight decays in one pass over the rows.

The recipe of CLIP_benchmark 1.6.2, ``metrics/linear_probe.py``: cross-entropy, AdamW with betas 0.9 and 0.999, the
learning rate falling to 0 along a cosine, W and b from ``torch.nn.Linear``'s uniform distribution, every row once an
epoch. Steps are those of ``torch.optim.AdamW``; a value's head does not depend on which are trained with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frostline.stages.heads.linear import LinearPath
from frostline.stages.heads.solvers.descent import Problem, check_device
from frostline.stages.heads.solvers.sgd import CrossEntropy
from frostline.stages.heads.solvers.steps import Number, take_steps
from frostline.stages.heads.solvers.weighted_rows import Doubles, checked_grid, weighted_rows

_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


class AdamWSolver:
    """All weight decays side by side, on the same batches and from the same start.

    The last batch of an epoch is what is left; the loss of a row is multiplied by its weight over the mean of the
    weights. A head keeps four float32 arrays (classes, d + 1) while it is trained.

    Args:
        X: (n, d) float16, float32 or float64, finite; copied to ``device`` as they are, but rows of a file are read
            a batch at a time.
        y: (n,) int64 labels 0 .. classes - 1.
        classes: how many there are.
        lr: the learning rate at the start.
        epochs: passes over the rows.
        batch: rows of each step.
        seed: of W, b and the permutations.
        device: where torch works.
    """

    parameter: ClassVar[str] = "weight_decay"

    def __init__(
        self,
        X: NDArray[Any],
        y: NDArray[np.int64],
        classes: int,
        *,
        lr: float = 0.1,
        epochs: int = 20,
        batch: int = 512,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        if epochs < 1 or batch < 1 or not lr > 0:
            raise ValueError(
                f"{epochs} epochs of batches of {batch}, lr {lr}; expected 1 or more of each, and lr above 0"
            )
        check_device(device)
        self.X, self.y, self.classes, self.device = X, y, classes, device
        self.lr, self.epochs, self.batch, self.seed = lr, epochs, batch, seed

    def fit(self, grid: Sequence[float], row_weights: Doubles) -> LinearPath:
        """Return a head for each weight decay, above 0. Raises ValueError on weights or values of no use.

        A head that overflowed is not ``converged`` and has W = 0, b = 0: all classes are equally likely.
        The others count as converged, for AdamW knows no optimum.
        """
        decays = checked_grid(self.parameter, grid)
        rows = weighted_rows(self.X, self.y, self.classes, row_weights)
        theta, steps = self._descended(CrossEntropy(rows, self.device), decays)
        finite = theta.isfinite().flatten(1).all(1)
        theta[~finite] = 0
        heads = theta.double().cpu().numpy()
        heads[:, rows.totals == 0] = 0
        bias = np.where(rows.totals > 0, heads[..., -1], -np.inf)
        iterations = np.full(len(decays), steps)
        return LinearPath(heads[..., :-1], bias, finite.cpu().numpy(), iterations, probabilistic=True)

    def _descended(self, problem: Problem, decays: Doubles) -> tuple[Tensor, int]:
        """Return W and b, (k, classes, d + 1) with b last, and the number of steps."""
        generator, n = np.random.default_rng(self.seed), len(problem.index)
        theta = self._start(generator, len(decays))
        first, second, flat = torch.zeros_like(theta), torch.zeros_like(theta), theta.view(-1, theta.shape[-1])
        decay = torch.tensor(decays, dtype=torch.float32, device=self.device)[:, None, None]
        steps = self.epochs * math.ceil(n / self.batch)

        def step(picked: Tensor, rate: Number, root: Number, corrected: Number) -> None:
            gradient = problem.gradient(flat, picked).view(theta.shape)
            theta.mul_(1 - rate * decay)
            first.lerp_(gradient, 1 - _BETAS[0])
            second.mul_(_BETAS[1]).addcmul_(gradient, gradient, value=1 - _BETAS[1])
            scale = (second.sqrt() / root).add_(_EPSILON)
            if isinstance(corrected, Tensor):  # a graph's, which changes from replay to replay
                theta.addcdiv_(first * corrected, scale, value=-1)
            else:
                theta.addcdiv_(first, scale, value=-corrected)

        picked = _batches(generator, n, self.batch, self.epochs)
        batches = ((places, self._numbers(i, steps)) for i, places in enumerate(picked))
        take_steps(step, batches, (theta, first, second), self.device)
        return theta, steps

    def _numbers(self, step: int, steps: int) -> tuple[float, float, float]:
        """Return the rate, the root of what the second moment is corrected by, and the rate over that of the first."""
        rate = 0.5 * (1 + math.cos(math.pi * step / steps)) * self.lr
        so_far = [1 - beta ** (step + 1) for beta in _BETAS]
        return rate, math.sqrt(so_far[1]), rate / so_far[0]

    def _start(self, generator: np.random.Generator, k: int) -> Tensor:
        """(k, classes, d + 1): the same k times."""
        width = self.X.shape[1]
        start = generator.uniform(-1, 1, (self.classes, width + 1)) / math.sqrt(width)
        return torch.tensor(start, dtype=torch.float32, device=self.device).repeat(k, 1, 1)


def _batches(generator: np.random.Generator, n: int, batch: int, epochs: int) -> Iterator[Tensor]:
    """Yield places among n rows, of each epoch every one once."""
    for _ in range(epochs):
        yield from torch.split(torch.from_numpy(generator.permutation(n)), batch)
