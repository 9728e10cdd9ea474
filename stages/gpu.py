"""What every computation on a GPU needs: fp32 products in fp32, and knowing an error that means "out of memory"."""

from __future__ import annotations

from typing import Any

_SAID = (
    "out of memory",
    "can't allocate memory",
    "ALLOC_FAILED",
    "GET was unable to find an engine",  # cuDNN: no engine whose workspace fits
    "FIND was unable to find an engine",
)


def out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether an error means that memory ran out; torch raises a RuntimeError for that, on a CPU too."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _SAID)


def compute_exactly() -> None:
    """Have a GPU compute fp32 in fp32: by default its convolutions use TF32, which has a mantissa of ten bits."""
    import torch

    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False  # for code that asks these
    cudnn: Any = torch.backends.cudnn  # whose stubs know no operations
    cudnn.conv.fp32_precision = cudnn.rnn.fp32_precision = "ieee"
    torch.backends.cuda.matmul.fp32_precision = "ieee"
