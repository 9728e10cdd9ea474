"""The repository, and the types of what fixtures give."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from frostline.pipeline.bench.matrix import Matrix

REPOSITORY = Path(__file__).parents[2]
Command = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[[str], Matrix]
