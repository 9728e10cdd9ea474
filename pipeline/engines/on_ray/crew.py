"""The actors of a cluster, as nodes come and go, and what each of them does."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from frostline.pipeline.engines.base import Job
from frostline.pipeline.engines.on_ray import actor as sent
from frostline.pipeline.engines.on_ray.connect import ray_module, wait
from frostline.pipeline.engines.on_ray.nodes import Node, alive_nodes, any_gpu, nodes

log = logging.getLogger("frostline")


@dataclass(eq=False)
class Member:
    """An actor on a node. ``job``: the one that it is ready for."""

    actor: Any
    node: Node
    job: str = ""


@dataclass(frozen=True, eq=False)
class Task:
    """What an actor is doing: making a job ready, or, with ``shards``, filling these."""

    member: Member
    shards: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Ended:
    """How a task ended: ``rows`` were computed, or a ``problem`` was met, or the actor ``died``."""

    task: Task
    rows: int = 0
    problem: str = ""
    died: bool = False


@dataclass(eq=False)
class Crew:
    """All actors of one command.

    ``refused``: why a node takes no part, by its id. ``deaths``: how many processes of actors ended, ``problems``: how
    often actors failed without that, by node.
    """

    gpu: bool
    members: list[Member] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    deaths: int = 0
    problems: Counter[str] = field(default_factory=Counter)
    _doing: dict[Any, Task] = field(default_factory=dict)

    @property
    def busy(self) -> int:
        """How many actors fill shards."""
        return sum(bool(task.shards) for task in self._doing.values())

    @property
    def preparing(self) -> int:
        """How many actors make a job ready, or wait for their node."""
        return len(self._doing) - self.busy

    def grow(self, job: Job) -> None:
        """Make an actor wherever there is room for one more, and have all make the job ready."""
        there = {node.id: node for node in nodes(self.gpu) if node.id not in self.refused}
        for node in there.values():
            mine = sum(member.node.id == node.id for member in self.members)
            self.members += [Member(_actor(node), node) for _ in range(node.actors - mine)]
        doing = {task.member for task in self._doing.values()}
        for member in self.members:
            text = _on(job, member.node).to_json()
            if member.job != text and member not in doing:
                told = member.actor.prepare.remote(text, version("frostline"), str(Path.cwd()))
                member.job = ""
                self._doing[told] = Task(member)

    def idle(self) -> list[Member]:
        """Return the actors that are ready and do nothing."""
        doing = {task.member for task in self._doing.values()}
        return [member for member in self.members if member.job and member not in doing]

    def give(self, member: Member, shards: tuple[int, ...], *, wait: bool) -> None:
        """Have an actor fill shards."""
        self._doing[member.actor.fill.remote(list(shards), wait)] = Task(member, shards)

    def ended(self, seconds: float, job: Job) -> Iterator[Ended]:
        """Yield what has ended, after at most that many seconds; whoever can't go on is let go."""
        for one in wait(list(self._doing), seconds) if self._doing else []:
            yield self._taken(one, self._doing.pop(one), job)

    def _taken(self, told: Any, task: Task, job: Job) -> Ended:
        ray = ray_module()
        try:
            found = ray.get(told)
        except ray.exceptions.RayError as error:
            return self._died(task, error)
        rows, problem = found if task.shards else (0, found)
        if problem:
            self._failed(task, problem)
        elif not task.shards:
            task.member.job = _on(job, task.member.node).to_json()
        return Ended(task, rows, problem)

    def _failed(self, task: Task, problem: str) -> None:
        """Let an actor go that can't do what it was told; its node is left out if others there can't either."""
        node = task.member.node
        self.problems[node.id] += 1
        if not task.shards or self.problems[node.id] > node.actors:
            self.refuse(node, problem)
        else:
            log.warning("an actor on node %s failed and is replaced: %s", node.name, problem)
            self._let_go(task.member)

    def _died(self, task: Task, error: Exception) -> Ended:
        self.deaths += 1
        node = task.member.node
        reason = " ".join(line.strip() for line in str(error).splitlines() if line.strip())
        log.debug("an actor on %s died: %s", node.name, reason)
        self._let_go(task.member)
        lived = node.id in alive_nodes()
        return Ended(task, died=True, problem=reason if lived else "")

    def refuse(self, node: Node, problem: str) -> None:
        """Have a node take no part any more, and say why."""
        if node.id not in self.refused:
            log.warning("node %s takes no part: %s", node.name, problem)
            self.refused[node.id] = problem
        for member in [one for one in self.members if one.node.id == node.id]:
            self._let_go(member)

    def _let_go(self, member: Member) -> None:
        if member in self.members:
            self.members.remove(member)
        ray_module().kill(member.actor)

    def end(self) -> None:
        """End all actors."""
        self._doing.clear()
        for member in list(self.members):
            self._let_go(member)


def crew_for(device: str) -> Crew:
    """Return a crew on GPUs where the device means some: ``auto`` does where any node has one."""
    return Crew(any_gpu() if device == "auto" else device.startswith("cuda"))


def _actor(node: Node) -> Any:
    ray = ray_module()
    ray.cloudpickle.register_pickle_by_value(sent)
    there = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node.id, soft=False)
    how = {"num_cpus": node.cpus, "num_gpus": node.gpus, "max_restarts": 0, "scheduling_strategy": there}
    return ray.remote(sent.ShardActor).options(**how).remote()


def _on(job: Job, node: Node) -> Job:
    """Return the job for an actor of a node: its device, and as many threads as it has cores."""
    cores = max(1, node.cpus)
    batch = replace(job.batch, threads=cores, workers=job.settings["workers"] or cores)
    return replace(job, batch=batch).on("cuda" if node.gpus else "cpu")
