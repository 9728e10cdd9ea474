"""No test cuts the power: what a disk keeps then is for the fault campaigns' model, so nothing waits for a disk."""

from __future__ import annotations

import os
from pathlib import Path

REAL = os.fsync
_MEMORY, _ROOM = Path("/dev/shm"), 4 << 30


def leave_out() -> None:
    """Have this process wait for no disk."""
    os.fsync = lambda handle: None


def in_memory() -> None:
    """Have pytest make the tests' folders in memory, where there is room and programs may be run from it."""
    if os.access(_MEMORY, os.W_OK):
        there = os.statvfs(_MEMORY)
        if there.f_bavail * there.f_frsize >= _ROOM and not there.f_flag & os.ST_NOEXEC:
            os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))
