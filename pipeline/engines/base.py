"""The contract of an engine: a function that has the missing shards of a feature set filled.

A distribution adds one by an entry point, in its ``pyproject.toml``::

    [project.entry-points."frostline.engines"]
    mine = "my_package.engine:fill"

and ``--engine mine`` names it. The function gets the job as data and ``here``, which does what is left of it in this
process. The simplest one leaves all to it::

    def fill(job, here):
        return here(job.batch)

An engine that is told more by its name, such as ``--engine mine:HOST``, has a third parameter, ``argument``: the text
after the first colon, or nothing. If it has a method ``check(argument)``, that is called before the command reads
anything, and raises ConfigError for what can't be.

Any number of others may work on the same set at the same time, on any machine that sees its folder: each shard is
claimed by one of them, and the bytes are the same whoever it is. They run ``python -m
frostline.pipeline.engines.worker JOB`` with ``job.to_json()``, or call ``frostline.pipeline.engines.shards.run_job``
in a process of their own::

    def fill(job, here):
        with start_python([worker_arguments(job.on("cpu"))]) as workers:  # of frostline.pipeline.engines.processes
            return here(job.batch) + sum(map(rows_done, workers))

An engine that gives out shards by number takes them from ``here.missing()``; elsewhere,
``frostline.pipeline.engines.shards.JobRunner`` computes those that it is given.

What an engine leaves undone is done by Frostline when it returns. What it raises ends the command, with finished
shards kept; so does Ctrl-C.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol, runtime_checkable

from frostline.pipeline.engines.batch_settings import BatchSettings
from frostline.pipeline.plan.numeric_mode import NumericMode
from frostline.stages.modalities.image.spec import View


@dataclass(frozen=True)
class Job:
    """Which feature set, and how: all that another process needs to do shards of it. Every value is JSON's.

    Attributes:
        settings: those of ``frostline extract``; paths are as given, relative ones to the folder of the command.
        mode: the numeric mode that was picked.
        batch: how many samples at once, and in how many threads.
        split: ``train`` or ``test``.
        view: ``plain`` or ``hflip``.
        digest: of the set's key; a worker that finds another, as of a dataset that has changed, does nothing.
        rows: how many are to be computed.
        head: the folder of the fitted head whose backbone computes features of samples without labels; else nothing.
        parts: the folder where the head's predictions are put in place of features; else nothing.
        more_layers: further layers to be filled from the same pass, each its ``layer``, ``pool`` and ``digest``.
    """

    settings: Mapping[str, Any]
    mode: NumericMode
    batch: BatchSettings
    split: str
    view: View
    digest: str
    rows: int
    head: str = ""
    parts: str = ""
    more_layers: tuple[Mapping[str, Any], ...] = ()

    def on(self, device: str) -> Job:
        """Return the same job for another device: ``cpu``, ``cuda:1``."""
        return replace(self, settings={**self.settings, "device": device})

    def each(self) -> Iterator[Job]:
        """Yield a job for each of its sets alone."""
        yield replace(self, more_layers=())
        for one in self.more_layers:
            of_network = {**self.settings, "layer": one["layer"], "pool": one["pool"]}
            yield replace(self, settings=of_network, digest=one["digest"], more_layers=())

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Job:
        """Return a job from ``to_json``. Raises ValueError, TypeError or KeyError if it is none."""
        fields = json.loads(text)
        mode, batch = NumericMode(**fields["mode"]), BatchSettings(**fields["batch"])
        return Job(**{**fields, "mode": mode, "batch": batch, "more_layers": tuple(fields["more_layers"])})


class Here(Protocol):
    """Does, in this process, what nobody else does of the job; to be called by one thread at a time."""

    def __call__(self, batch: BatchSettings, start_at: float = 0.0) -> int:
        """Return how many rows were computed, once every shard is committed, by whomever.

        ``start_at``: where among the missing shards to begin, 0 to 1.
        """

    def missing(self) -> list[int]:
        """Return the numbers of the shards that nobody has committed yet."""

    def rows(self, shard: int) -> int:
        """Return how many rows a shard has."""


class Engine(Protocol):
    """Fills the missing shards of a feature set."""

    def __call__(self, job: Job, here: Here) -> int:
        """Return how many rows were computed, here and elsewhere."""


class ToldEngine(Protocol):
    """The same, told more by its name: what stands after the first colon."""

    def __call__(self, job: Job, here: Here, argument: str) -> int:
        """Return how many rows were computed. Raises ConfigError for an argument that it does not know."""


@runtime_checkable
class CheckedEngine(Protocol):
    """An engine that looks at its argument before a command reads anything."""

    def check(self, argument: str) -> None:
        """Raise ConfigError for an argument that is wrong, and for what the engine needs and can't have. Quick."""


@runtime_checkable
class CellEngine(Protocol):
    """An engine that has the heads of a bench fitted on other machines, too."""

    def fit_cells(self, work: str, cells: Sequence[str], argument: str) -> Sequence[str]:
        """Have a function, ``module:name``, called with each cell, a JSON text; return what went wrong with each."""
