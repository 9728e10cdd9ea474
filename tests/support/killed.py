"""An extraction that is killed, and what a set then holds."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

from support.warm import Started


def contents(folder: Path) -> dict[str, bytes]:
    """Every file that matters, by name; the locks are empty and ``made.json`` holds the time."""
    names = [p for p in folder.rglob("*") if p.is_file() and p.suffix != ".lock" and p.name != "made.json"]
    return {str(p.relative_to(folder)): p.read_bytes() for p in names}


def killed(process: Started | subprocess.Popen[bytes], root: Path, after: int) -> dict[str, bytes]:
    """Kill a process when so many records are there; return them."""
    while process.poll() is None and len(list(root.glob("*/shards/*.json"))) < after:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return {p.name: p.read_bytes() for p in root.glob("*/shards/*.json")}
