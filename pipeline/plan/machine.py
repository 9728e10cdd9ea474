"""What this machine has: CPU cores, devices, a clock."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from frostline.stages.errors import ConfigError


def cores() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def device_of(name: str) -> str:
    """Return the torch device of a setting. Raises ConfigError if it isn't there."""
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {name!r} is not available; torch {_devices()}") from error
    return name


def _devices() -> str:
    """Return which devices torch can use, and why there is no GPU."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count:
        return f"can use cpu and {', '.join(f'cuda:{i}' for i in range(count))}"
    why = "sees no GPU" if torch.version.cuda else "was built without CUDA: install a CUDA build for GPUs"
    return f"{why}. Use --device cpu or auto"


def devices_of(name: str) -> list[str]:
    """Return every device that a setting stands for: each GPU for ``cuda``, and for ``auto`` where there are any."""
    import torch

    if name in ("auto", "cuda") and torch.cuda.device_count() > 1:
        return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return [device_of(name)]


def now() -> str:
    """Return the time, UTC, as ``2026-01-31T23:59:59.123Z``: two sets of one second are told apart."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
