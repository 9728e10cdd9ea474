"""Torch's allocator lets go of the memory of a failed capture."""

from __future__ import annotations

from contextlib import suppress


def end_capture(device: int, pool: tuple[int, int]) -> None:
    """Have torch's allocator leave the pool of a CUDA graph whose capture failed; torch 2.12 does so itself.

    A torch without this operation, which it does not promise to keep, is left as it is.
    """
    import torch

    with suppress(RuntimeError, AttributeError):
        torch._C._cuda_endAllocateToPool(device, pool)
