"""Newton directions by factorisation: of classes that are apart, where few rows count or the rows are narrow."""

from __future__ import annotations

import torch
from torch import Tensor

from stages.heads.problem import Evaluation, Problem
from stages.heads.rotated import BLOCK, StreamedFeatures

_USUAL = 50  # products that conjugate gradients take
_CALLS = 1e7, 5e6  # multiplications that the calls for a product, and for a factorisation, are worth
_LEAST = 1e-25  # curvature of a bias that no row has a say in; its gradient is 0


def direct_direction(problem: Problem, point: Evaluation, products: int) -> Tensor | None:
    """Solve  Hessian d = -gradient  for heads, (h, classes, r + 1), class by class in float64.

    None where conjugate gradients, which took so many ``products`` last time, take less, or where a Hessian is not
    definite.
    """
    if not problem.loss.apart or isinstance(problem.features, StreamedFeatures):
        return None
    heads, classes, width = point.gradient.shape
    n, count = len(problem.labels), heads * classes
    factored = int(point.saved.count_nonzero()) * width**2 + count * (width**3 / 3 + _CALLS[1])
    if factored > max(products, _USUAL) * (2 * count * n * width + _CALLS[0]):
        return None
    ridge, direction = problem.ridge(), torch.empty_like(point.gradient)
    for head in range(heads):
        for label in range(classes):
            hessian = _hessian(problem.features.rows, point.saved[head, label])
            hessian.diagonal().add_(ridge[head, 0]).clamp_(min=_LEAST)
            lower, failed = torch.linalg.cholesky_ex(hessian)
            if failed:
                return None
            direction[head, label] = torch.cholesky_solve(-point.gradient[head, label, :, None], lower)[:, 0]
    return problem.project(direction)


def _hessian(rows: Tensor, curvature: Tensor) -> Tensor:
    """sum_i curvature_i x_i x_i^T in float64, (r + 1, r + 1), a block of rows at a time."""
    width = rows.shape[1]
    hessian = rows.new_zeros((width, width), dtype=torch.float64)
    for counting in curvature.nonzero().flatten().split(max(1, BLOCK // (8 * width))):
        chosen = rows[counting].double()
        hessian.addmm_(chosen.T, chosen * curvature[counting, None])
    return hessian
