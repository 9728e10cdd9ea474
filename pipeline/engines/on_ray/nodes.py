"""The nodes of a cluster, and how many actors each has room for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from frostline.pipeline.engines.on_ray.connect import ray_module

CPUS = 8  # an actor's at most: more threads of one network help little


@dataclass(frozen=True)
class Node:
    """A node that is alive: how many ``actors`` have room on it, and how many ``cpus`` and ``gpus`` each gets."""

    id: str
    name: str
    actors: int
    cpus: int
    gpus: int


def alive_nodes() -> dict[str, dict[str, float]]:
    """Return the resources of each node that is alive, by its id."""
    return {one["NodeID"]: one["Resources"] for one in ray_module().nodes() if one["Alive"]}


def nodes(gpu: bool) -> Iterator[Node]:
    """Yield the nodes that have room for an actor: one for each GPU, or, without, one for up to eight CPUs."""
    for one in ray_module().nodes():
        if one["Alive"]:
            has = one["Resources"]
            cpus, gpus = int(has.get("CPU", 0)), int(has.get("GPU", 0))
            actors = gpus if gpu else ceil(cpus / CPUS)
            if actors:
                name = str(one["NodeManagerHostname"])
                yield Node(one["NodeID"], name, actors, min(CPUS, cpus // actors), int(gpu))


def any_gpu() -> bool:
    """Whether a node has a GPU."""
    return any(has.get("GPU", 0) >= 1 for has in alive_nodes().values())
