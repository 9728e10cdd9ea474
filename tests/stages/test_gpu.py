"""What every computation on a GPU needs, as far as a CPU can show it."""

from __future__ import annotations

import pytest
import torch

from frostline.stages.gpu import out_of_memory
from support.warm import Warm


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("FIND was unable to find an engine to execute this computation"),
    ],
)
def test_every_way_to_say_that_memory_ran_out_is_known(error: MemoryError | RuntimeError) -> None:
    assert out_of_memory(error)


def test_another_error_is_not_taken_for_it() -> None:
    assert not out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_fp32_is_exact_whatever_was_set_for_all_of_torch(warm: Warm) -> None:
    code = """
import warnings
warnings.simplefilter("error")
import torch
from frostline.stages.gpu import compute_exactly
torch.backends.fp32_precision = "tf32"
compute_exactly()
assert torch.backends.cudnn.conv.fp32_precision == "ieee", torch.backends.cudnn.conv.fp32_precision
assert torch.backends.cuda.matmul.fp32_precision == "ieee"
assert not torch.backends.cudnn.allow_tf32 and not torch.backends.cuda.matmul.allow_tf32
"""
    done = warm.run(["-c", code])
    assert done.returncode == 0, done.stderr
