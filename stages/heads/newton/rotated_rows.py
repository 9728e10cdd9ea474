"""The rows of a fit in the eigenbasis of their covariance: a rotated copy in memory, or rows read again at every pass.

In that basis the Hessian of a classification loss is close to diagonal. Directions there have r coordinates and
the bias, (..., r + 1); the products of a pass are taken with :meth:`block`, in whose coordinates
:meth:`outward` puts directions and from which :meth:`inward` brings sums back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from frostline.stages.capabilities import has_bf16

BLOCK = 2**25  # bytes of rows, or of their logits, handled at once
_CACHE = 2**21  # bytes of rows that a core keeps at hand
_FAR = 1e3  # deviations: float32 has seven digits, and far from its optimum a head needs three
_TINY = 1e-300  # the variance of features that are all equal
_STRIPE = 160  # columns of a symmetric product taken at once, with those before them
_NARROW = 1e-6  # of the largest variance: a direction in which rows are rotated in float64
_NOTHING = 1e-13  # of the largest variance: none


class RowSource(Protocol):
    """Rows (n, d) that are read a slice at a time."""

    @property
    def shape(self) -> tuple[int, ...]: ...
    def __len__(self) -> int: ...
    def __getitem__(self, rows: slice) -> Tensor: ...


class StoredRows:
    """Rows that lie in a file: whatever gives an array for a slice; each is read when it is asked for."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.shape: tuple[int, ...] = tuple(source.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Tensor:
        block: NDArray[Any] = np.ascontiguousarray(self.source[rows])
        return torch.from_numpy(block)


@dataclass(frozen=True, eq=False)
class Span:
    """What made rows narrow that are fewer than their features: ``(rows - mean) @ basis`` is as wide as they are many.

    Attributes:
        mean: (d,) float64.
        basis: (d, n) float64.
    """

    mean: Tensor
    basis: Tensor

    def outward(self, theta: Tensor) -> Tensor:
        """Heads (..., d + 1), bias last, of heads (..., n + 1) for the narrow rows."""
        weight = theta[..., :-1] @ self.basis.T
        return torch.cat((weight, theta[..., -1:] - weight @ self.mean[:, None]), -1)


@dataclass(frozen=True, eq=False)
class EigenbasisRows:
    """Rows, and their eigenbasis.

    Attributes:
        original: (n, d), as given and in the dtype it came in; or narrow, see ``spans``.
        mean: (d,) float64.
        basis: (d, r) float64, orthonormal columns whose span holds every centred row; r = min(n, d).
        variances: (r + 1,) float64, of the rotated rows' columns, the largest first; 1 for the column of ones.
        dtype: of the products of :meth:`block`.
        exact: of the original rows, when they are multiplied.
        spans: of rows that were fewer than their features, what made them narrow, the last one first.
    """

    original: RowSource
    mean: Tensor
    basis: Tensor
    variances: Tensor
    dtype: torch.dtype
    exact: torch.dtype = field(default=torch.float64, kw_only=True)
    spans: tuple[Span, ...] = field(default=(), kw_only=True)

    @property
    def given_width(self) -> int:
        """How many features the rows were given with."""
        return len(self.spans[-1].mean) if self.spans else len(self.mean)

    def as_given(self, theta: Tensor) -> Tensor:
        """Heads (..., features + 1), bias last, of heads (..., d + 1) for ``original``."""
        for span in self.spans:
            theta = span.outward(theta)
        return theta

    @property
    def width(self) -> int:
        """r + 1."""
        return len(self.variances)

    @property
    def variance(self) -> float:
        """The largest variance of a column of the rotated rows."""
        return max(float(self.variances[0]), _TINY)

    def given(self, rows: slice) -> Tensor:
        """Original rows (b, d) in the dtype ``exact``."""
        return self.original[rows].to(self.mean.device, self.exact)

    @cached_property
    def quick(self) -> Self:
        """The same rows for products that only choose directions, in the lowest precision that does."""
        return self

    @property
    def products(self) -> torch.dtype:
        """What the products of :meth:`block` are multiplied in."""
        return self.dtype

    @property
    def rising(self) -> list[Self]:
        """These rows in rising precision: reduced, quick and as they are, where that differs."""
        return list({(one.exact, one.products): one for one in (self.reduced, self.quick, self)}.values())

    @cached_property
    def reduced(self) -> Self:
        """Quick rows, the original in float32, unless that would lose what they differ by."""
        return replace(self.quick, exact=self._exact_enough)

    @property
    def _exact_enough(self) -> torch.dtype:
        """The dtype that tells the rows apart: not float32 where, in any direction, they are far from zero."""
        variances = self.variances[:-1]
        spread = torch.where(variances > _NOTHING * self.variance, variances, self.variance)
        far = (self.mean @ self.basis).square() > _FAR**2 * spread
        return torch.float64 if far.any() else torch.float32

    def to_original(self, direction: Tensor) -> Tensor:
        """Directions (..., d + 1), bias last, for ``original`` of directions (..., r + 1)."""
        return Span(self.mean, self.basis).outward(direction)

    def to_rotated(self, weight: Tensor, bias: Tensor) -> Tensor:
        """Gradients (..., r + 1) of gradients (..., d) and (...) for ``original``."""
        rotated = (weight - bias[..., None] * self.mean) @ self.basis
        return torch.cat((rotated, bias[..., None]), -1)


@dataclass(frozen=True, eq=False)
class RotatedRows(EigenbasisRows):
    """The rotated copy in memory: ``rows`` (n, r + 1), ``(original - mean) @ basis`` and a column of ones."""

    rows: Tensor

    def block(self, rows: slice) -> Tensor:
        """Rows (b, r + 1)."""
        return self.rows[rows]

    def together(self, directions: int) -> int:
        """How many rows to multiply at once by so many directions.

        A CPU goes through them twice, for the product and for its sums: the second time they should
        come from its cache, not from memory. A GPU rather wants few calls.
        """
        if self.rows.device.type != "cpu":
            return BLOCK // (directions * self.rows.element_size())
        return torch.get_num_threads() * _CACHE // ((directions + self.width) * self.rows.element_size())

    def outward(self, direction: Tensor) -> Tensor:
        """Directions (m, r + 1) in the coordinates of :meth:`block`."""
        return direction.to(self.dtype)

    def inward(self, product: Tensor) -> Tensor:
        """Sums (m, r + 1) of sums in the coordinates of :meth:`block`, float64."""
        return product.double()

    def squares(self, weights: Tensor, rows: slice) -> Tensor:
        """Sums (m, r + 1) of squared rows with weights (m, b)."""
        part = self.rows[rows]
        return (weights.to(part.dtype) @ part.square()).to(self.dtype)

    @property
    def products(self) -> torch.dtype:
        """What rows are kept in."""
        return self.rows.dtype

    @cached_property
    def quick(self) -> Self:
        """The same with the copy in bf16, if the device has that; it is kept, half as large again."""
        fast = self.dtype == torch.float32 and has_bf16(str(self.rows.device))
        return replace(self, rows=self.rows.bfloat16()) if fast else self

    def take(self, used: Tensor) -> RotatedRows:
        """The rows where ``used`` (n,) is true; rotated again where that makes them narrower."""
        original = self._tensor()[used]
        if int(used.sum()) < self.basis.shape[1]:
            narrow = rotate(original, self.dtype)
            return replace(narrow, spans=(*narrow.spans, *self.spans))
        return replace(self, original=original, rows=self.rows[used])

    def _tensor(self) -> Tensor:
        assert isinstance(self.original, Tensor)
        return self.original


@dataclass(frozen=True, eq=False)
class StreamedRows(EigenbasisRows):
    """No copy: rows are read and centred at every pass, and directions rotated instead of them.

    Squares are those of rows whose class does not matter, which only the preconditioner sees.
    """

    def block(self, rows: slice) -> Tensor:
        """Centred rows and a column of ones (b, d + 1)."""
        centred = self.original[rows].to(self.mean.device, self.dtype) - self.mean.to(self.dtype)
        return torch.cat((centred, centred.new_ones((len(centred), 1))), 1)

    def together(self, directions: int) -> int:
        """How many rows to read and multiply at once by so many directions."""
        return BLOCK // (max(directions, self.original.shape[1] + 1) * self.dtype.itemsize)

    def outward(self, direction: Tensor) -> Tensor:
        """Directions (m, d + 1) in the coordinates of :meth:`block`."""
        return torch.cat((direction[:, :-1] @ self.basis.T, direction[:, -1:]), 1).to(self.dtype)

    def inward(self, product: Tensor) -> Tensor:
        """Sums (m, r + 1) of sums (m, d + 1) in the coordinates of :meth:`block`, float64."""
        product = product.double()
        return torch.cat((product[:, :-1] @ self.basis, product[:, -1:]), 1)

    def squares(self, weights: Tensor, _rows: slice) -> Tensor:
        """Sums (m, r + 1) of squared rows with weights (m, b), the squares at their means."""
        return weights.sum(1, keepdim=True) * self.variances.to(weights.dtype)


def rotate(X: Tensor, dtype: torch.dtype = torch.float32, block: int = 4096) -> RotatedRows:
    """Rotate X (n, d), ``block`` rows at a time in float64; the copy is kept in ``dtype``.

    A float32 copy is also multiplied in float32, but for directions in which rows hardly vary. Needs the copy, two (d,
    r) float64 matrices and one block; no other array grows with n. Fewer rows than features are made narrow before.
    """
    mean = _mean(X, X.device, block)
    if len(X) < X.shape[1]:
        span = Span(mean, torch.linalg.qr((X.double() - mean).T)[0])
        inner = rotate((X.double() - mean) @ span.basis, dtype, block)
        return replace(inner, spans=(*inner.spans, span))
    basis, variances = _eigenbasis(X, mean, block)
    rows = X.new_ones((len(X), basis.shape[1] + 1), dtype=dtype)
    quick, narrow = basis.to(dtype), variances[:-1] < _NARROW * variances[0].clamp(min=_TINY)
    for start, part in enumerate(_double(X, mean.device, block)):
        turned, centred = rows[start * block : (start + 1) * block, :-1], part - mean
        turned[:] = centred.to(dtype) @ quick
        turned[:, narrow] = (centred @ basis[:, narrow]).to(dtype)
    return RotatedRows(X, mean, basis, variances, dtype, rows)


def stream(X: RowSource, dtype: torch.dtype = torch.float32, device: str = "cpu", block: int = 4096) -> StreamedRows:
    """Read X (n, d) twice for its mean and eigenbasis, ``block`` rows at a time; no array grows with n.

    Raises ValueError where n < d: so few rows fit in memory.
    """
    if len(X) < X.shape[1]:
        raise ValueError(f"{len(X)} rows of {X.shape[1]} features; read them into memory")
    mean = _mean(X, torch.device(device), block)
    return StreamedRows(X, mean, *_eigenbasis(X, mean, block), dtype)


def _mean(X: RowSource, device: torch.device, block: int) -> Tensor:
    start = torch.zeros(X.shape[1], dtype=torch.float64, device=device)
    total: Tensor = sum((part.sum(0) for part in _double(X, device, block)), start)
    return total / len(X)


def _eigenbasis(X: RowSource, mean: Tensor, block: int) -> tuple[Tensor, Tensor]:
    """Basis (d, d) and variances (d + 1,), the last one 1 for the bias."""
    size = X.shape[1]
    covariance = mean.new_zeros((size, size))
    for part in _double(X, mean.device, block):
        centred = part - mean
        for end in range(_STRIPE, size + _STRIPE, _STRIPE):  # the lower half, which is all that eigh reads
            columns = slice(end - _STRIPE, end)
            covariance[columns, :end].addmm_(centred[:, columns].T, centred[:, :end])
    variances, vectors = torch.linalg.eigh(covariance / len(X))
    vectors = vectors.flip(1)
    variances = torch.cat((variances.flip(0).clamp(min=0), variances.new_ones(1)))
    return vectors, variances


def _double(X: RowSource, device: torch.device, block: int) -> Iterator[Tensor]:
    return (X[slice(start, start + block)].to(device).double() for start in range(0, len(X), block))
