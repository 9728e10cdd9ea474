"""The same job done by several libraries, in interleaved rounds, on one pinned thread and on several."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, NamedTuple

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Took(NamedTuple):
    """Medians over rounds, in seconds, and the answer of the last round."""

    cpu: float
    wall: float
    answer: Any


def interleaved(jobs: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, Took]:
    """Do each job once in every round."""
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    answers = dict[str, Any]()
    for _ in range(rounds):
        for name, job in jobs.items():
            cpu, wall = time.process_time(), time.perf_counter()
            answers[name] = job()
            spent[name].append((time.process_time() - cpu, time.perf_counter() - wall))
    medians = {name: [median(each) for each in zip(*times, strict=True)] for name, times in spent.items()}
    return {name: Took(cpu, wall, answers[name]) for name, (cpu, wall) in medians.items()}


def on_threads(count: int, module: str, arguments: list[str]) -> None:
    """Run a module in a process of its own, pinned to ``count`` cores with as many threads."""
    cores = sorted(os.sched_getaffinity(0))[:count]
    env = {**os.environ, **dict.fromkeys(_THREADS, str(count))}
    command = ["taskset", "-c", ",".join(map(str, cores)), sys.executable, "-m", module, *arguments]
    subprocess.run(command, check=True, env=env)


def is_pinned(counts: list[int]) -> bool:
    """Whether this process has the only count of threads that is asked for, as ``on_threads`` starts one."""
    return [os.environ.get(name) for name in _THREADS] == [str(count) for count in counts] * len(_THREADS)


def table(title: str, took: Mapping[str, Took], same: Callable[[Any, Any], float]) -> None:
    """Print each job's seconds next to the first one's, and the ``same`` share of their answers."""
    own = next(iter(took))
    ours = took[own]
    for name, one in took.items():
        line = f"{title:<24} {name:<30} {one.cpu:8.3f} s CPU {one.wall:8.3f} s"
        if name != own:
            line += f"  {one.cpu / ours.cpu:6.2f} x CPU {one.wall / ours.wall:6.2f} x"
            line += f"  same answers {same(ours.answer, one.answer):.4f}"
        print(line, flush=True)
