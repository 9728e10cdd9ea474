"""The CPU as torch sees it: its name, and the precisions that it supports natively."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path
from typing import Any

import torch

from frostline.stages.capabilities import cpu_capabilities

_ONEDNN = {torch.bfloat16: "_is_mkldnn_bf16_supported", torch.float16: "_is_mkldnn_fp16_supported"}


def described_processor() -> dict[str, Any]:
    """Return what the results of a network on this CPU may depend on, as JSON values: two equal ones compute alike."""
    able = sorted(name for name, there in cpu_capabilities().items() if there is True)
    level = torch.backends.cpu.get_cpu_capability()
    return {"name": _name(), "level": level, "able": able, "threads": torch.get_num_threads()}


def _name() -> str:
    """Return the CPU's name; Linux has it in a file, other systems as Python gives it."""
    file = Path("/proc/cpuinfo")
    told = file.read_text(errors="replace") if file.exists() else ""
    found = re.search(r"^model name\s*: (.+)$", told, re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


@cache  # each layer asks at each batch
def computes_in(dtype: torch.dtype) -> bool:
    """Whether oneDNN's operations work in a precision on this CPU; in float32 they do everywhere."""
    return dtype not in _ONEDNN or bool(getattr(torch.ops.mkldnn, _ONEDNN[dtype])())
