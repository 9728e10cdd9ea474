"""Which devices there are to work on, and work in a process for each beside this one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context

from pipeline.plan import device_of

log = logging.getLogger("frostline")


def devices_of(name: str) -> list[str]:
    """Return every device that a setting stands for: each GPU for ``cuda``, and for ``auto`` where there are any."""
    import torch

    if name in ("auto", "cuda") and torch.cuda.device_count() > 1:
        return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return [device_of(name)]


@contextmanager
def beside(work: Callable[..., int], jobs: Sequence[tuple[object, ...]]) -> Iterator[list[Future[int]]]:
    """Do each job in a new process while the caller works, and wait for all of them in the end."""
    spawn = get_context("spawn")  # a forked process can't use a GPU
    with ExitStack() as pools:
        yield [pools.enter_context(ProcessPoolExecutor(1, spawn)).submit(work, *job) for job in jobs]


def counted_in(helper: Future[int]) -> int:
    """Return what a job in another process gives; 0, and say why, where it failed: its shards are done by others."""
    try:
        return helper.result()
    except Exception as error:
        log.warning(
            "a process beside this one ended early (%s: %s); its part was done here", type(error).__name__, error
        )
        return 0
