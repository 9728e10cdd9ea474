"""The loss of many softmax heads on the same rows, and the rows rotated once for all of them.

In the eigenbasis of the features' covariance the Hessian of a softmax loss is close to diagonal,
which is what keeps the conjugate gradients of :mod:`stages.heads.newton` short. Gradients are
float64 on the features as given; Hessian products only choose directions and run in the dtype of
the rotated copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import threshold

_NEVER = -1e30  # the bias of a class without weight: its probability is 0, and nothing is NaN
_TINY = 1e-300  # the variance of features that are all equal
_LEAST = 1e-25  # smaller probabilities are 0: denormal numbers are several times slower to multiply


@dataclass(frozen=True)
class RotatedFeatures:
    """Rows as they were given, and their centred, rotated copy.

    Attributes:
        original: (n, d), the dtype it came in.
        rows: (n, r + 1), float32 or float64; ``(original - mean) @ basis`` and a column of ones,
            r = min(n, d).
        mean: (d,) float64.
        basis: (d, r) float64, orthonormal columns whose span holds every centred row.
        variance: the largest variance of a column of ``rows``.
    """

    original: Tensor
    rows: Tensor
    mean: Tensor
    basis: Tensor
    variance: float

    def take(self, used: Tensor) -> RotatedFeatures:
        """The rows where ``used`` (n,) is true; rotated anew where that makes them narrower."""
        if int(used.sum()) < self.basis.shape[1]:
            return rotate(self.original[used], self.rows.dtype)
        return replace(self, original=self.original[used], rows=self.rows[used])

    def to_original(self, direction: Tensor) -> Tensor:
        """Directions (..., d + 1), bias last, for ``original`` of directions (..., r + 1) for ``rows``."""
        weight = direction[..., :-1] @ self.basis.T
        return torch.cat((weight, direction[..., -1:] - weight @ self.mean[:, None]), -1)

    def to_rotated(self, weight: Tensor, bias: Tensor) -> Tensor:
        """Gradients (..., r + 1) for ``rows`` of gradients (..., d) and (...) for ``original``."""
        rotated = (weight - bias[..., None] * self.mean) @ self.basis
        return torch.cat((rotated, bias[..., None]), -1)


def rotate(X: Tensor, dtype: torch.dtype = torch.float32, block: int = 4096) -> RotatedFeatures:
    """Rotate X (n, d), ``block`` rows at a time in float64; the copy is kept in ``dtype``.

    Needs the copy, two (d, r) float64 matrices and one block; no other array grows with n.
    """
    mean = sum((part.sum(0) for part in _double(X, block)), X.new_zeros(X.shape[1], dtype=torch.float64))
    mean = mean / len(X)
    basis = _spanning_basis(X, mean) if len(X) < X.shape[1] else None
    covariance = X.new_zeros((min(X.shape), min(X.shape)), dtype=torch.float64)
    for part in _double(X, block):
        centred = (part - mean) if basis is None else (part - mean) @ basis
        covariance.addmm_(centred.T, centred)
    variances, vectors = torch.linalg.eigh(covariance / len(X))
    vectors = vectors.flip(1)
    basis = vectors if basis is None else basis @ vectors
    rows = X.new_ones((len(X), basis.shape[1] + 1), dtype=dtype)
    for start, part in enumerate(_double(X, block)):
        rows[start * block : (start + 1) * block, :-1] = (part - mean) @ basis
    return RotatedFeatures(X, rows, mean, basis, max(float(variances[-1]), _TINY))


def _double(X: Tensor, block: int) -> Iterator[Tensor]:
    return (X[start : start + block].double() for start in range(0, len(X), block))


def _spanning_basis(X: Tensor, mean: Tensor) -> Tensor:
    """Orthonormal (d, n) columns spanning the centred rows: with n < d the problem is n wide."""
    basis: Tensor = torch.linalg.qr((X.double() - mean).T)[0]
    return basis


@dataclass(frozen=True)
class Evaluation:
    """Value and derivatives of h heads at one point.

    Attributes:
        objective: (h,) float64.
        gradient: (h, classes, r + 1) float64.
        diagonal: (h, classes, r + 1) float64, of the Hessian; positive.
        probability: (h, classes, n) times the row weights, in the dtype of the rotated copy.
    """

    objective: Tensor
    gradient: Tensor
    diagonal: Tensor
    probability: Tensor

    def only(self, heads: Tensor) -> Evaluation:
        """The evaluation of some heads (indices)."""
        return Evaluation(*(getattr(self, field.name)[heads] for field in fields(Evaluation)))


@dataclass(frozen=True)
class SoftmaxProblem:
    """h heads, each minimising  sum_i w_i CE_i + penalty / 2 ||W||^2.

    Attributes:
        features: the n rows shared by all heads.
        labels: (n,) int64.
        row_weights: (n,) float64, summing to 1.
        present: (classes,) bool, the classes with weight.
        penalty: (h,) float64.
        block: bytes of rows, or of their logits, handled at once.
    """

    features: RotatedFeatures
    labels: Tensor
    row_weights: Tensor
    present: Tensor
    penalty: Tensor
    block: int = 2**25

    @property
    def bytes_per_head(self) -> int:
        """What minimising one head keeps: its probabilities and a dozen arrays like theta."""
        n, width = self.features.rows.shape
        return len(self.present) * (n * self.features.rows.element_size() + 12 * width * 8)

    def only(self, heads: Tensor) -> SoftmaxProblem:
        """The problem of some heads (indices)."""
        return self.with_penalty(self.penalty[heads])

    def with_penalty(self, penalty: Tensor) -> SoftmaxProblem:
        """The same loss with other penalties (h,)."""
        return replace(self, penalty=penalty)

    def ridge(self) -> Tensor:
        """(h, 1, r + 1): the penalty of each coordinate, 0 on the bias."""
        ridge = self.penalty[:, None, None].repeat(1, 1, self.features.rows.shape[1])
        ridge[..., -1] = 0
        return ridge

    def evaluate(self, theta: Tensor) -> Evaluation:
        """Value, gradient and curvature at theta (h, classes, d + 1) float64, bias last.

        theta acts on the features as given: were it rotated, rounding would mix the weights of
        large and small features.
        """
        weight = theta[..., :-1].contiguous()
        bias = theta[..., -1].masked_fill(~self.present, _NEVER)
        sums = _Sums(weight, self.features.rows)
        for rows in self._blocks(8 * max(weight.shape[2], bias.numel())):
            given, w = self.features.original[rows].double(), self.row_weights[rows]
            logits = (weight.flatten(0, 1) @ given.T).view(*bias.shape, -1).add_(bias[..., None])
            sums.add(rows, _softmax(logits, self.labels[rows], w), given, self.features.rows[rows])
        penalty = self.penalty[:, None, None]
        gradient = self.features.to_rotated(sums.weight.addcmul_(penalty, weight), sums.bias)
        objective = sums.loss + 0.5 * self.penalty * weight.square().sum((1, 2))
        diagonal = (sums.diagonal.double() + self.ridge()).clamp_(min=_LEAST)
        return Evaluation(objective, gradient, diagonal, sums.probability)

    def curve(self, point: Evaluation, direction: Tensor, live: Tensor) -> Tensor:
        """Hessian at ``point`` times direction (l, classes, r + 1), for l ``live`` heads (indices)."""
        flat = direction.flatten(0, 1).to(self.features.rows.dtype)
        product = torch.zeros_like(flat)
        for rows in self._blocks(len(flat) * flat.element_size()):
            part, w = self.features.rows[rows], self.row_weights[rows]
            p = point.probability[..., rows]
            p = p[live] if len(live) < len(p) else p
            v = (flat @ part.T).view(p.shape)
            v -= v.gather(1, _index(self.labels[rows], p))
            v -= (p * v).sum(1, keepdim=True).div_(torch.where(w > 0, w, 1).to(p.dtype))
            product.addmm_(v.mul_(p).flatten(0, 1), part)
        return product.view(direction.shape).double().addcmul_(self.only(live).ridge(), direction)

    def variance(self, point: Evaluation, head: int) -> Tensor:
        """w p (1 - p) of one head: (classes, n), the weight of each row in each class's Hessian."""
        p = point.probability[head]
        label = self.labels[None]
        others = p.scatter(0, label, 0).sum(0, keepdim=True)
        w = self.row_weights.to(p.dtype)
        share = p / torch.where(w > 0, w, 1)
        return (p * (1 - share)).scatter_(0, label, others * share.gather(0, label)).clamp_(min=0)

    def _blocks(self, row: int) -> Iterator[slice]:
        """Slices of rows that take ``row`` bytes each."""
        length = max(1, self.block // row)
        return (slice(start, start + length) for start in range(0, len(self.labels), length))


class _Sums:
    """What :meth:`SoftmaxProblem.evaluate` adds up over blocks of rows."""

    def __init__(self, weight: Tensor, rows: Tensor) -> None:
        self.weight = torch.zeros_like(weight)
        self.bias = weight.new_zeros(weight.shape[:2])
        self.loss = weight.new_zeros(len(weight))
        self.diagonal = rows.new_zeros((*weight.shape[:2], rows.shape[1]))
        self.probability = rows.new_empty((*weight.shape[:2], len(rows)))

    def add(self, rows: slice, block: _Block, given: Tensor, rotated: Tensor) -> None:
        self.loss += block.loss
        self.bias += block.residual.sum(2)
        self.weight.flatten(0, 1).addmm_(block.residual.flatten(0, 1), given)
        variance = threshold(block.variance.to(rotated.dtype), _LEAST, 0.0).flatten(0, 1)
        self.diagonal.flatten(0, 1).addmm_(variance, rotated.square())
        self.probability[..., rows] = threshold(block.probability.to(rotated.dtype), _LEAST, 0.0)


class _Block(NamedTuple):
    """Loss (h,), probability, residual and variance (h, classes, b), all times the row weights."""

    loss: Tensor
    probability: Tensor
    residual: Tensor
    variance: Tensor


def _softmax(logits: Tensor, labels: Tensor, w: Tensor) -> _Block:
    """From logits (h, classes, b), overwritten, and row weights (b,); exact where rows saturate.

    1 - p of the label is summed from the other classes, so it keeps its digits when p is near 1.
    """
    index = _index(labels, logits)
    logits -= logits.gather(1, index)
    top = logits.amax(1, keepdim=True)
    p = logits.sub_(top).exp_().scatter_(1, index, 0)
    others, label = p.sum(1, keepdim=True), torch.exp(-top)
    total = others + label
    loss = (top + torch.log1p(others + torch.expm1(-top))).squeeze(1)
    p /= total
    others, label = others / total, label / total
    variance = torch.addcmul(p, p, p, value=-1).scatter_(1, index, label * others).mul_(w)
    p *= w
    residual = p.scatter(1, index, -others * w)
    return _Block(loss @ w, p.scatter_(1, index, label * w), residual, variance)


def _index(labels: Tensor, like: Tensor) -> Tensor:
    """Labels (b,) as an index of the classes of ``like`` (h, classes, b)."""
    return labels.expand(len(like), 1, -1)
