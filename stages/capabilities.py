"""What a device computes in hardware, as far as torch says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BF16 = ("avx512_bf16", "amx_tile")


def has_bf16(device: str) -> bool:
    """Return whether a device, such as ``cpu`` or ``cuda:0``, has instructions for bf16, so that it beats fp32."""
    import torch

    if device.startswith("cuda"):
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    known = cpu_capabilities()
    return any(known.get(name, False) for name in _BF16)


def cpu_capabilities() -> Mapping[str, Any]:
    """Return what torch knows of the CPU, by name; before torch 2.11 only whether it has instructions for bf16."""
    import torch

    public = getattr(torch.cpu, "get_capabilities", None)
    if public is not None:
        return dict(public())
    return {name: getattr(torch.cpu, f"_is_{name}_supported", bool)() for name in _BF16}
