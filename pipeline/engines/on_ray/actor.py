"""What runs on the nodes: an actor that fills shards by number, and a task that fits heads.

It is sent by value, so that a node without Frostline can say so; nothing else is imported here.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any


class ShardActor:
    """Fills shards on one node; the network is loaded once for jobs of the same settings."""

    def __init__(self) -> None:
        self._runner: Any = None
        self._job: Any = None

    def prepare(self, job: str, version: str, folder: str) -> str:
        """Make a job ready, by its JSON; return why that can't be, or nothing.

        ``version``: that of Frostline where the command runs. ``folder``: where it runs, which relative paths are of.
        """
        wrong = unfit(version) or _enter(folder, job)
        if wrong:
            return wrong
        from frostline.pipeline.engines.base import Job
        from frostline.pipeline.engines.shards import JobRunner

        self._runner = self._runner or JobRunner()
        try:
            self._job = self._runner.ready(Job.from_json(job))
        except Exception as error:  # a user's network may raise anything
            return told(error)
        return ""

    def fill(self, shards: list[int], wait: bool) -> tuple[int, str]:
        """Compute those of the shards that are missing; return how many rows that were, and what went wrong."""
        try:
            return self._job.compute_shards(shards, wait=wait), ""
        except Exception as error:
            return 0, told(error)


def fit_cell(work: str, settings: str, version: str, folder: str) -> str:
    """Have a function, ``module:name``, do a cell by its settings; return what went wrong."""
    wrong = unfit(version) or _enter(folder, settings)
    if wrong:
        return wrong
    module, _, name = work.partition(":")
    try:
        getattr(import_module(module), name)(settings)
    except Exception as error:
        return told(error)
    return ""


def unfit(version: str) -> str:
    """Return what is wrong with Frostline on this node, or nothing."""
    import sys
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as version_of

    wanted = f"install frostline {version}, as where the command runs, for {sys.executable}"
    try:
        import frostline  # noqa: F401

        found = version_of("frostline")
    except (ImportError, PackageNotFoundError) as error:
        return f"no frostline here ({error}); {wanted}"
    return "" if found == version else f"frostline {found} here; {wanted}"


def told(error: Exception) -> str:
    """Return an error in one line."""
    from frostline.stages.errors import FrostlineError

    return str(error) if isinstance(error, FrostlineError) else f"{type(error).__name__}: {error}"


def _enter(folder: str, job: str) -> str:
    """Go to the command's folder; return why that can't be, where the job's paths need it."""
    import json

    try:
        os.chdir(folder)
    except OSError as error:
        settings = json.loads(job)
        data_dir = str(settings.get("settings", settings)["data_dir"])
        if "://" not in data_dir and not Path(data_dir).is_absolute():
            what = f"no folder {folder} here ({error.strerror}), in which the command runs"
            return f"{what}; run it in a folder that all nodes share, or give --data-dir a shared folder or a bucket"
    return ""
