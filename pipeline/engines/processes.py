"""The engine ``processes``: this process, and another for each further device."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from subprocess import PIPE, Popen

from frostline.pipeline.engines.base import Here, Job
from frostline.pipeline.plan.machine import devices_of

log = logging.getLogger("frostline")
MIN_ROWS = 16_384  # for each device: fewer are done before another process has begun


def fill(job: Job, here: Here) -> int:
    """Compute the missing shards on every device that the settings mean, as far as there are rows enough for each."""
    devices = devices_of(job.settings["device"])[: max(1, job.rows // MIN_ROWS)]
    batch = replace(job.batch, workers=max(1, job.batch.workers // len(devices)))
    jobs = [replace(job, batch=batch).on(device) for device in devices[1:]]
    with start_python([worker_arguments(one) for one in jobs]) as workers:
        return here(batch) + sum(map(rows_done, workers))


def worker_arguments(job: Job) -> list[str]:
    """Return with which arguments Python does shards of a job and prints how many rows it computed."""
    return ["-m", "frostline.pipeline.engines.worker", job.to_json()]


@contextmanager
def start_python(commands: Sequence[Sequence[str]]) -> Iterator[list[Popen[str]]]:
    """Start Python with each of these arguments while the caller works; whichever still runs in the end is killed.

    Modules are found as here. Standard input ends with this process, however that ends.
    """
    found = os.pathsep.join(map(os.path.abspath, sys.path))
    environment = {**os.environ, "PYTHONPATH": found}
    with ExitStack() as started:
        processes = []
        for command in commands:
            process = Popen([sys.executable, "-P", *command], stdin=PIPE, stdout=PIPE, text=True, env=environment)
            processes.append(started.enter_context(process))
            started.callback(process.kill)
        yield processes


def rows_done(worker: Popen[str]) -> int:
    """Return what a process prints in the end; 0, and say why, where it fails: its shards are done by others."""
    assert worker.stdout is not None
    message, status = worker.stdout.read().strip(), worker.wait()
    if status == 0:
        return int(message)
    log.warning("another process ended early (%s); its part was done here", message or f"status {status}")
    return 0
