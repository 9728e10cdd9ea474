"""Heads of a bench on the nodes of a cluster: a task for each, whose head goes to the workspace."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from frostline.pipeline.engines.on_ray import actor as sent
from frostline.pipeline.engines.on_ray.connect import ray_module, wait
from frostline.pipeline.engines.on_ray.nodes import CPUS, alive_nodes

_LOOK = 2.0  # seconds


def fit_cells(work: str, cells: Sequence[str]) -> list[str]:
    """Have a function, ``module:name``, do each cell, by its settings as JSON; return what went wrong, or nothing."""
    ray = ray_module()
    ray.cloudpickle.register_pickle_by_value(sent)
    most = max((int(has.get("CPU", 0)) for has in alive_nodes().values()), default=0)
    if not most:
        return ["no node of the Ray cluster has a CPU"] * len(cells)
    fit = ray.remote(sent.fit_cell).options(num_cpus=min(CPUS, most), max_retries=-1)
    told = [fit.remote(work, cell, version("frostline"), str(Path.cwd())) for cell in cells]
    _wait(told)
    return [_problem(one) for one in told]


def _wait(told: Sequence[Any]) -> None:
    left = list(told)
    with tqdm(total=len(left), desc="heads", unit=" heads", disable=None) as bar:
        while left:
            done = set(wait(left, _LOOK))
            left = [one for one in left if one not in done]
            bar.update(len(done))


def _problem(one: Any) -> str:
    ray = ray_module()
    try:
        return str(ray.get(one))
    except ray.exceptions.RayError as error:
        return " ".join(str(error).split())
