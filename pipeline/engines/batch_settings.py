"""How the rows of a feature set are computed: how many samples at once, in how many threads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from frostline.stages.extract.extraction import ExtractionStats


@dataclass(frozen=True)
class BatchSettings:
    """On which ``device``, next to how many CPU ``cores``; samples at once; threads that decode and that compute.

    ``max_threads``: how many torch had to choose those from that compute.
    ``measured``: whether that is what was fastest here, and not asked for, usual, or all that memory had room for.
    ``rows_per_second`` and ``waiting``, the share of the time spent waiting for samples: of the last extraction,
    once it has ended; None where that is not known.
    """

    device: str
    cores: int
    batch_size: int
    workers: int
    threads: int
    max_threads: int
    measured: bool = False
    rows_per_second: float | None = None
    waiting: float | None = None

    def after(self, stats: Sequence[ExtractionStats], rows: int, seconds: float) -> BatchSettings:
        """Return the same once ``rows`` were computed; ``stats``: what this process had of them, if anything."""
        speed = round(rows / seconds, 2)
        if not stats:
            return replace(self, rows_per_second=speed, waiting=None)
        last, waiting = stats[-1], round(sum(one.loader_wait for one in stats) / seconds, 3)
        measured = self.measured and last.batch_size == self.batch_size
        same = replace(self, batch_size=last.batch_size, workers=last.workers, measured=measured)
        return replace(same, rows_per_second=speed, waiting=waiting)
