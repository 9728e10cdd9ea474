"""What the benchmarks of whole commands share: a process measured, and the machine it ran on.

Nothing heavy is imported: the peak memory of a process starts from that of the one that began it.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version


@dataclass(frozen=True)
class Done:
    """A process that ended well. ``peak``: its resident memory at most, in bytes."""

    seconds: float
    peak: int
    stdout: str


def frostline(*arguments: str) -> Done:
    """Run the command in a process of its own. Ends this one with what it said if it fails."""
    return measured([sys.executable, "-m", "frostline", *arguments])


def measured(command: Sequence[str]) -> Done:
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=said)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        for file in (out, said):
            file.seek(0)
        if process.returncode:
            sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{said.read()}")
        return Done(seconds, usage.ru_maxrss * 1024, out.read())


def machine() -> dict[str, str]:
    names = ("frostline", "torch", "torchvision", "pillow", "numpy", "h5py")
    versions = ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)])
    return {"machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores", "versions": versions}
