"""Jobs for tests of work on several cores: functions of a module that other processes can import."""

from __future__ import annotations

import os
import signal

import numpy as np
from threadpoolctl import threadpool_info

from frostline.stages.heads.parallel import in_parallel


def about(_job: int) -> tuple[int, int]:
    threads = [pool["num_threads"] for pool in threadpool_info()]
    return os.getpid(), max(threads, default=1)


def nested(job: int) -> list[tuple[int, int]]:
    return in_parallel(about, [(job,), (job,), (job,)], 1)


def doubled(rows: np.ndarray, by: int) -> tuple[str, float]:
    return type(rows).__name__, float(rows.sum() * by)


def killed(job: int) -> int:
    if job:
        os.kill(os.getpid(), signal.SIGKILL)
    return job
