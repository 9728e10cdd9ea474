"""The engine ``local``: everything in this process, on one device."""

from __future__ import annotations

from frostline.pipeline.engines.base import Here, Job


def fill(job: Job, here: Here) -> int:
    """Compute every missing shard in this process."""
    return here(job.batch)
