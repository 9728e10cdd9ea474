"""No test cuts the power: what a disk keeps then is for the fault campaigns' model, so nothing waits for a disk."""

from __future__ import annotations

import os

REAL = os.fsync


def leave_out() -> None:
    """Have this process wait for no disk."""
    os.fsync = lambda handle: None
