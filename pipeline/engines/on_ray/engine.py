"""The engine ``ray``: shards by number to the actors of a cluster, whose nodes may come and go.

Through Ray go the job, as JSON, numbers of shards, and how many rows that were. The features go from each actor to the
store, which alone says what is done.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil

from tqdm import tqdm

from frostline.pipeline.engines.base import Here, Job
from frostline.pipeline.engines.on_ray.cells import fit_cells
from frostline.pipeline.engines.on_ray.connect import check_address, connect, ray_module
from frostline.pipeline.engines.on_ray.crew import Crew, Ended, crew_for
from frostline.stages.errors import ConfigError, StoreError, counted

log = logging.getLogger("frostline")
_LOOK = 2.0  # seconds between two looks at the nodes
TURN = 15.0  # seconds that the shards given out at once should take
_PATIENCE = 10.0  # seconds without an actor after which it is said what is waited for
_AGAIN = 60.0  # seconds until that is said again
_DEATHS = 4  # of actors at the same shards while their node lives
_KEPT = 20.0  # seconds that actors are kept for the command's next set
_ROUNDS = 3


class RayEngine:
    """Fills sets by actors, and keeps these for a while: the next split needs the same network."""

    def __init__(self) -> None:
        self._crews: dict[tuple[str, bool], Crew] = {}
        self._leave: threading.Timer | None = None
        self._connected = False
        self._joined = ""
        self._lock = threading.Lock()

    def __call__(self, job: Job, here: Here, argument: str) -> int:
        """Have the missing shards filled, and return how many rows that were; see the module."""
        with self._crew(job, argument) as crew:
            return _Filling(crew, job, here).fill()

    def check(self, argument: str) -> None:
        """Raise ConfigError if nothing answers at the address."""
        check_address(argument)

    def fit_cells(self, work: str, cells: Sequence[str], argument: str) -> Sequence[str]:
        """Have the heads of a bench fitted, a task each; return what went wrong with each."""
        with self._connection(argument):
            for crew in self._crews.values():
                crew.end()  # its processors are free for heads
            return fit_cells(work, cells)

    @contextmanager
    def _crew(self, job: Job, argument: str) -> Iterator[Crew]:
        with self._connection(argument):
            crew = crew_for(job.settings["device"])
            yield self._crews.setdefault((argument, crew.gpu), crew)

    @contextmanager
    def _connection(self, argument: str) -> Iterator[None]:
        """Connect; the connection stays for a while, unless something goes wrong."""
        with self._lock:
            self._leave = None
            if self._connected and argument != self._joined:
                self._end()
            if connect(argument):
                self._connected, self._joined, self._crews = True, argument, {}
        try:
            yield
        except BaseException:
            self._end()
            raise
        self._leave = leave = threading.Timer(_KEPT, lambda: self._end_unless_used(leave))
        leave.daemon = True
        leave.start()

    def _end_unless_used(self, leave: threading.Timer) -> None:
        with self._lock:
            if self._leave is leave:
                self._end()

    def _end(self) -> None:
        """End the actors, and the connection, if it was made here."""
        crews, self._crews = self._crews, {}
        if ray_module().is_initialized():
            for crew in crews.values():
                crew.end()
            if self._connected:
                ray_module().shutdown()
        self._connected = False


ENGINE = RayEngine()


@dataclass(eq=False)
class _Filling:
    """The shards of one set on their way to the actors."""

    crew: Crew
    job: Job
    here: Here
    queue: deque[int] = field(default_factory=deque)
    ended: dict[int | None, int] = field(default_factory=dict)  # how often an actor died at a shard, or before any
    rows: int = 0
    pace: float = 0.0  # seconds a shard
    given: dict[int, float] = field(default_factory=dict)  # when a shard was given out

    def fill(self) -> int:
        """Return how many rows were computed, once every shard was filled, by whomever.

        What another process holds is waited for in the rounds after the first. Layers that share a pass have one round:
        a shard with a sample that can't be used is left to each layer alone.
        """
        with self._bar() as bar:
            for turn in range(1 if self.job.more_layers else _ROUNDS):
                self.queue.extend(self.here.missing())
                if not self.queue:
                    break
                self._round(bar, wait=turn > 0)
        return self.rows

    def _bar(self) -> tqdm[None]:
        total = sum(map(self.here.rows, self.here.missing()))
        return tqdm(total=total, desc=self.job.split, unit=" rows", disable=None, smoothing=0.05)

    def _round(self, bar: tqdm[None], *, wait: bool) -> None:
        looked, worked = 0.0, time.monotonic()
        while self.queue or self.crew.busy:
            now = time.monotonic()
            if now - looked > _LOOK:
                looked = now
                self.crew.grow(self.job)
                self._check()
            worked = self._impatient(worked, now)
            self._give(wait=wait)
            for one in self.crew.ended(_LOOK, self.job):
                self._take(one, bar)
            if not self.crew.members:
                time.sleep(_LOOK)

    def _give(self, *, wait: bool) -> None:
        for member in self.crew.idle():
            some = tuple(self.queue.popleft() for _ in range(min(len(self.queue), self._share())))
            if some:
                self.given |= dict.fromkeys(some, time.monotonic())
                self.crew.give(member, some, wait=wait)

    def _share(self) -> int:
        """Return how many shards one actor is given at once: some seconds' worth, fewer towards the end."""
        at_once = int(TURN / self.pace) if self.pace else 1
        return max(1, min(at_once, ceil(len(self.queue) / (2 * max(1, len(self.crew.members))))))

    def _take(self, one: Ended, bar: tqdm[None]) -> None:
        shards = one.task.shards
        if shards and not one.problem and not one.died:
            self.pace = (time.monotonic() - self.given[shards[0]]) / len(shards)
            self.rows += one.rows
            bar.update(sum(map(self.here.rows, shards)))
        else:
            self.queue.extendleft(reversed(shards))
        if one.died and one.problem:
            self._count_death(one)
        bar.set_postfix(actors=len(self.crew.members), failures=self.crew.deaths + self.crew.problems.total())

    def _count_death(self, one: Ended) -> None:
        for shard in one.task.shards or (None,):
            self.ended[shard] = self.ended.get(shard, 0) + 1
        if max(self.ended.values()) >= _DEATHS:
            what = f"at {_numbers(one.task.shards)}" if one.task.shards else "before any shard"
            raise StoreError(
                f"actors died {_DEATHS} times {what}, the last on node {one.task.member.node.name}: {one.problem}; "
                "where memory ran out, give a smaller --batch-size. Finished shards are kept"
            )

    def _check(self) -> None:
        """Raise ConfigError, or StoreError once there was one, if all nodes take no part."""
        if self.crew.members or not self.crew.refused:
            return
        reasons = "\n".join(f"  {text}" for text in dict.fromkeys(self.crew.refused.values()))
        message = f"no node of the Ray cluster can take part:\n{reasons}"
        raise StoreError(f"{message}\nFinished shards are kept") if self.rows else ConfigError(message)

    def _impatient(self, worked: float, now: float) -> float:
        """Say what is waited for where no actor works for a while; return the time from which that while counts."""
        if self.crew.busy:
            return now
        if now - worked < _PATIENCE:
            return worked
        wanted = "GPU" if self.crew.gpu else "CPU"
        actors = counted(self.crew.preparing, "actor")
        starting = (
            f"{actors} starting, or waiting for a free {wanted}" if self.crew.preparing else f"no node has a {wanted}"
        )
        log.warning("waiting for the Ray cluster: %s; Ctrl-C ends this", starting)
        return now + _AGAIN - _PATIENCE


def _numbers(shards: Sequence[int]) -> str:
    few = ", ".join(map(str, shards[:5]))
    return f"shard {few}" if len(shards) == 1 else f"shards {few}" + (", …" if len(shards) > 5 else "")
