"""The sums of ``resize`` as one Triton kernel: it writes every result once, where torch's operations write each tap."""

from __future__ import annotations

from contextlib import nullcontext
from math import prod

import torch
import triton
import triton.language as tl
from torch import Tensor

_AT_ONCE = 1024


@triton.jit  # type: ignore[untyped-decorator]
def _sums(images, tables, out, size, result, inner, inputs, outputs, TAPS: tl.constexpr, BLOCK: tl.constexpr):  # type: ignore[no-untyped-def]
    """Sum up a block of one image's values; ``inner``: how many lie between two that belong to one sum."""
    image = tl.program_id(1).to(tl.int64)
    place = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    known = place < result
    line = place // inner
    table = tables + (image * outputs + line % outputs) * (1 + TAPS)
    first = tl.load(table, mask=known, other=0)
    start = images + image * size + (line // outputs) * inputs * inner + place % inner
    total = tl.full((BLOCK,), 1 << 21, tl.int32)
    for tap in tl.static_range(TAPS):
        weight = tl.load(table + 1 + tap, mask=known, other=0)
        at = tl.minimum(first + tap, inputs - 1)
        total += tl.load(start + at * inner, mask=known, other=0).to(tl.int32) * weight
    tl.store(out + image * result + place, tl.minimum(tl.maximum(total >> 22, 0), 255).to(tl.uint8), mask=known)


def summed(images: Tensor, axis: int, tables: Tensor) -> Tensor:
    """Return images, contiguous uint8 (batch, h, w, 3), resized along an axis as ``resize`` does it."""
    shape = [size if at != axis else tables.shape[1] for at, size in enumerate(images.shape)]
    out = torch.empty(shape, dtype=torch.uint8, device=images.device)
    size, result, inner = prod(images.shape[1:]), prod(shape[1:]), prod(shape[axis + 1 :])
    grid, taps = (triton.cdiv(result, _AT_ONCE), len(images)), tables.shape[2] - 1
    with torch.cuda.device(images.device) if images.is_cuda else nullcontext():
        _sums[grid](
            images, tables, out, size, result, inner, images.shape[axis], shape[axis], TAPS=taps, BLOCK=_AT_ONCE
        )
    return out
