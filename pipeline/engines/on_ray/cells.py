"""Heads of a bench on the nodes of a cluster: a task for each, whose head goes to the workspace."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from frostline.pipeline.engines.on_ray import actor as sent
from frostline.pipeline.engines.on_ray.connect import ray_module, wait
from frostline.pipeline.engines.on_ray.nodes import CPUS, alive_nodes
from frostline.stages.errors import counted

_LOOK = 2.0  # seconds
_DEATHS = 4  # of processes at one head; then it is tried where the command runs
_PATIENCE = 60.0  # seconds without a head that ended after which that is said
log = logging.getLogger("frostline")


def fit_cells(work: str, cells: Sequence[str]) -> list[str]:
    """Have a function, ``module:name``, do each cell, by its settings as JSON; return what went wrong, or nothing.

    A cell is tried again if its node is lost or its process dies, as where memory runs out, but not for ever.
    """
    ray = ray_module()
    ray.cloudpickle.register_pickle_by_value(sent)
    most = max((int(has.get("CPU", 0)) for has in alive_nodes().values()), default=0)
    if not most:
        return ["no node of the Ray cluster has a CPU"] * len(cells)
    fit = ray.remote(sent.fit_cell).options(num_cpus=min(CPUS, most), max_retries=_DEATHS - 1)
    told = [fit.remote(work, cell, version("frostline"), str(Path.cwd())) for cell in cells]
    _wait(told)
    return [_problem(one) for one in told]


def _wait(told: Sequence[Any]) -> None:
    left, worked = list(told), time.monotonic()
    with tqdm(total=len(left), desc="heads", unit=" heads", disable=None) as bar:
        while left:
            done = set(wait(left, _LOOK))
            left = [one for one in left if one not in done]
            bar.update(len(done))
            worked = time.monotonic() if done else _impatient(worked, len(left))


def _impatient(worked: float, left: int) -> float:
    if time.monotonic() - worked < _PATIENCE:
        return worked
    log.warning(
        "waiting for the Ray cluster: %s being fitted, or waiting for free CPUs; Ctrl-C ends this",
        counted(left, "head"),
    )
    return time.monotonic()


def _problem(one: Any) -> str:
    ray = ray_module()
    try:
        return str(ray.get(one))
    except ray.exceptions.RayError as error:
        return " ".join(str(error).split())
