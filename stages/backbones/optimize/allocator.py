"""The C library keeps large blocks instead of returning them after every layer."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_KEEP_BYTES = 1 << 30


@cache
def keep_freed_memory() -> bool:
    """Raise glibc's mmap and trim thresholds for this process; return whether that was possible.

    Half of a convolutional network's time on a CPU is page faults otherwise.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(
        mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES) and mallopt(_M_TRIM_THRESHOLD, 2 * _KEEP_BYTES - 1)
    )
