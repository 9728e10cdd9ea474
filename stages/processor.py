"""The precisions that this CPU supports natively."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

_BF16 = ("avx512_bf16", "amx_tile")
_ONEDNN = {torch.bfloat16: "_is_mkldnn_bf16_supported", torch.float16: "_is_mkldnn_fp16_supported"}


def has_bf16() -> bool:
    """Whether the CPU has instructions for bf16, so that it is faster than fp32."""
    capabilities = _capabilities()
    return any(capabilities.get(name, False) for name in _BF16)


def _capabilities() -> Mapping[str, Any]:
    public = getattr(torch.cpu, "get_capabilities", None)
    if public is not None:
        return dict(public())
    return {name: getattr(torch.cpu, f"_is_{name}_supported", bool)() for name in _BF16}  # torch 2.10


def computes_in(dtype: torch.dtype) -> bool:
    """Whether oneDNN's operations work in a precision on this CPU; in float32 they do everywhere."""
    return dtype not in _ONEDNN or bool(getattr(torch.ops.mkldnn, _ONEDNN[dtype])())
