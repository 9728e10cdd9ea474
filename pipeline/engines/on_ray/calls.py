"""A function called on the nodes of a cluster, a task for each text, such as the heads of a bench."""

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


def call_each(function: str, texts: Sequence[str]) -> list[str]:
    """Have a function, ``module:name``, called with each text; return what went wrong with each, or nothing."""
    ray = ray_module()
    ray.cloudpickle.register_pickle_by_value(sent)
    most = max((int(has.get("CPU", 0)) for has in alive_nodes().values()), default=0)
    if not most:
        return ["no node of the Ray cluster has a CPU"] * len(texts)
    task = ray.remote(sent.call).options(num_cpus=min(CPUS, most), max_retries=-1)
    told = [task.remote(function, text, version("frostline"), str(Path.cwd())) for text in texts]
    _wait(told)
    return [_problem(one) for one in told]


def _wait(told: Sequence[Any]) -> None:
    left = list(told)
    with tqdm(total=len(left), desc="tasks", unit=" tasks", disable=None) as bar:
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
