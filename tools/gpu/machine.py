"""What the machine is, and its ceilings: products in bf16, and the way from pinned memory to the GPU."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from tools.gpu.bench import Bench
from tools.gpu.report import Found

_PACKAGES = ("frostline", "torch", "torchvision", "triton", "numpy", "pillow", "h5py", "scikit-learn")


def machine(bench: Bench, found: Found) -> None:
    found["python"] = platform.python_version()
    found["versions"] = {name: _version(name) for name in _PACKAGES}
    found["cores"] = len(os.sched_getaffinity(0))
    if bench.on_gpu:
        properties = torch.cuda.get_device_properties(bench.device)
        cudnn: Any = torch.backends.cudnn  # whose stubs lack types
        found["gpu"] = f"{properties.name}, {properties.total_memory >> 30} GiB, cuDNN {cudnn.version()}"
    found["products in bf16, TFLOP/s"] = _products(bench, 8192 if bench.on_gpu else 64)
    found["pinned memory to the device, GB/s"] = _copies(bench, 1 << (28 if bench.on_gpu else 20))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _products(bench: Bench, side: int) -> float:
    matrix = torch.randn(side, side, device=bench.device, dtype=torch.bfloat16)
    each = bench.rate(lambda: matrix @ matrix, 1000, 0.5) / 1000
    return round(2 * side**3 * each / 1e12, 3)


def _copies(bench: Bench, size: int) -> float:
    here = torch.empty(size, dtype=torch.uint8, pin_memory=bench.on_gpu)
    there = here.to(bench.device)
    each = bench.rate(lambda: there.copy_(here, non_blocking=True), 1000, 0.5) / 1000
    return round(size * each / 1e9, 1)
