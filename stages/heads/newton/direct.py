"""Of classes that are classwise: Newton directions by factorisation, where few rows count, and the best step along one.

Keerthi & DeCoste 2005, "A modified finite Newton method for fast solution of large scale linear SVMs" (JMLR 6).
"""

from __future__ import annotations

import torch
from torch import Tensor

from frostline.stages.heads.newton.problem import Derivatives, Problem
from frostline.stages.heads.newton.rotated_rows import BLOCK, StreamedRows

_USUAL = 50  # products that conjugate gradients take
_CALLS = 1e7, 5e6  # multiplications that the calls for a product, and for a factorisation, are worth
_HALVINGS = 50  # of the interval in which the best step lies
_TINY = 1e-25  # curvature of a bias that no row has a say in; its gradient is 0


def direct_direction(problem: Problem, point: Derivatives, products: int) -> Tensor | None:
    """Solve  Hessian d = -gradient  for heads, (h, classes, r + 1), class by class in float64.

    None where conjugate gradients, which took so many ``products`` last time, take less, or where a Hessian is not
    definite.
    """
    if not problem.loss.classwise or isinstance(problem.features, StreamedRows):
        return None
    heads, classes, width = point.gradient.shape
    n, count = problem.n, heads * classes
    factored = int(point.loss_cache.count_nonzero()) * width**2 + count * (width**3 / 3 + _CALLS[1])
    if factored > max(products, _USUAL) * (2 * count * n * width + _CALLS[0]):
        return None
    ridge, direction = problem.ridge(), torch.empty_like(point.gradient)
    for head in range(heads):
        for label in range(classes):
            hessian = _hessian(problem.features.rows, point.loss_cache[head, label])
            hessian.diagonal().add_(ridge[head, 0]).clamp_(min=_TINY)
            lower, failed = torch.linalg.cholesky_ex(hessian)
            if failed:
                return None
            direction[head, label] = torch.cholesky_solve(-point.gradient[head, label, :, None], lower)[:, 0]
    return problem.project(direction)


def best_steps(problem: Problem, theta: Tensor, direction: Tensor, labels: Tensor) -> Tensor:
    """How far from 0 to 1 along directions (k, d + 1) some classes, ``labels`` (k,), of one head are lowest: (k,).

    The squared hinge loss is a parabola between the steps at which rows pass their margins: its slope grows with the
    step, and halving finds where it is 0.
    """
    together = max(1, BLOCK // (8 * problem.n))
    parts = (torch.split(part, together) for part in (theta, direction, labels))
    return torch.cat([_best_steps(problem, *some) for some in zip(*parts, strict=True)])


def _best_steps(problem: Problem, theta: Tensor, direction: Tensor, labels: Tensor) -> Tensor:
    sides = _sides(problem, labels)
    w = problem.weights(torch.zeros_like(labels[:1]), slice(None))
    short, change = 1 - sides * _logits(problem, theta), sides * _logits(problem, direction)
    first = problem.penalty * (theta * direction)[:, :-1].sum(1)
    second = problem.penalty * direction[:, :-1].square().sum(1)
    low, high = torch.zeros_like(first), torch.ones_like(first)
    for _ in range(_HALVINGS):
        step = 0.5 * (low + high)
        left = (short - step[:, None] * change).clamp_(min=0)
        falling = first + step * second < 2 * (w * change * left).sum(1)
        low, high = torch.where(falling, step, low), torch.where(falling, high, step)
    return low


def _sides(problem: Problem, labels: Tensor) -> Tensor:
    """(k, n) float64 of the classes ``labels`` (k,) of one head: 1 for their rows, -1 for others."""
    if problem.labels.ndim == 2:
        return problem.labels[problem.task].double()
    return torch.where(problem.labels == labels[:, None], 1.0, -1.0).double()


def _logits(problem: Problem, theta: Tensor) -> Tensor:
    """(k, n) float64 of heads (k, d + 1) acting on the features as given."""
    features, n = problem.features, problem.n
    length = max(1, BLOCK // (8 * theta.shape[1]))
    blocks = (features.given(slice(start, start + length)) for start in range(0, n, length))
    return torch.cat([theta[:, :-1] @ given.T + theta[:, -1:] for given in blocks], 1)


def _hessian(rows: Tensor, curvature: Tensor) -> Tensor:
    """sum_i curvature_i x_i x_i^T in float64, (r + 1, r + 1), a block of rows at a time."""
    width = rows.shape[1]
    hessian = rows.new_zeros((width, width), dtype=torch.float64)
    for counting in torch.split(curvature.nonzero().flatten(), max(1, BLOCK // (8 * width))):
        chosen = rows[counting].double()
        hessian.addmm_(chosen.T, chosen * curvature[counting, None])
    return hessian
