"""Fits that know nothing of each other, on all cores: one thread each, and the same bits wherever they run.

Processes, since an estimator may be anyone's Python, and since warnings that a thread catches may be another's.
They share the rows by a memory map. ``LOKY_MAX_CPU_COUNT`` in the environment says how many cores to take, at most.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import resource_tracker
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from frostline.stages.errors import ConfigError

T = TypeVar("T")
_PAYS = 4.0  # seconds of work left: processes take one or two to start
_worker = False


def in_parallel(work: Callable[..., T], jobs: Sequence[tuple[Any, ...]], job_bytes: int) -> list[T]:
    """Return ``work(*job)`` of each job, in order; one job alone has every thread.

    The first ones run here, and the rest on all cores once that pays. ``work``: a function of a module, to be found by
    its name. ``job_bytes``: what one job holds; together they get half of the memory. What a job raises is raised here;
    ConfigError if the system ends one of the processes.
    """
    if len(jobs) == 1:
        return [work(*jobs[0])]
    done: list[T] = []
    with threadpool_limits(1):
        while len(done) < len(jobs):
            started = time.perf_counter()
            done.append(work(*jobs[len(done)]))
            left = jobs[len(done) :]
            processes = _processes(len(left), job_bytes)
            if processes > 1 and (time.perf_counter() - started) * len(left) > _PAYS:
                return done + _elsewhere(work, left, processes)
    return done


def _processes(jobs: int, job_bytes: int) -> int:
    import joblib

    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return 1 if _worker else max(1, min(joblib.cpu_count(), jobs, memory // max(1, job_bytes)))


def _elsewhere(work: Callable[..., T], jobs: Sequence[tuple[Any, ...]], processes: int) -> list[T]:
    import joblib
    from joblib.externals.loky import get_reusable_executor
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        with (
            joblib.parallel_config("loky", inner_max_num_threads=1),
            joblib.Parallel(processes, pre_dispatch="n_jobs", batch_size=1) as pool,
        ):
            with _unheard(signal.SIGINT, signal.SIGTERM):
                pool([joblib.delayed(_started)()])
            found: list[T] = pool(joblib.delayed(_as_worker)(work, job) for job in jobs)
    except TerminatedWorkerError as error:
        message = "a process that fitted a head was killed by the system, probably because memory ran out"
        raise ConfigError(f"{message}; LOKY_MAX_CPU_COUNT=1 fits one head at a time") from error
    except BaseException:
        get_reusable_executor(reuse=True).shutdown(kill_workers=True)
        raise
    return found


@contextmanager
def _unheard(*sent: signal.Signals) -> Iterator[None]:
    """Keep signals waiting; processes that are started meanwhile never hear them, and end when this one ends them."""
    from joblib.externals.loky.backend import resource_tracker as loky_tracker

    for tracker in (resource_tracker, loky_tracker):
        tracker.ensure_running()  # which lets signals through when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, sent)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _started() -> None:
    """Do nothing: with the first job all processes are started."""


def _as_worker(work: Callable[..., T], job: tuple[Any, ...]) -> T:
    """Do a job in a process that starts none itself."""
    global _worker  # noqa: PLW0603 (of this process, for as long as it lives)
    _worker = True
    return work(*job)
