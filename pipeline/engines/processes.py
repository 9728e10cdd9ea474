"""Which devices there are to work on, and a process for each beside this one."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from subprocess import PIPE, Popen

from frostline.pipeline.plan.plan import device_of

log = logging.getLogger("frostline")


def devices_of(name: str) -> list[str]:
    """Return every device that a setting stands for: each GPU for ``cuda``, and for ``auto`` where there are any."""
    import torch

    if name in ("auto", "cuda") and torch.cuda.device_count() > 1:
        return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
    return [device_of(name)]


@contextmanager
def beside(commands: Sequence[Sequence[str]]) -> Iterator[list[Popen[str]]]:
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


def counted_in(helper: Popen[str]) -> int:
    """Return what a process prints in the end; 0, and say why, where it fails: its shards are done by others."""
    assert helper.stdout is not None
    said, status = helper.stdout.read().strip(), helper.wait()
    if status == 0:
        return int(said)
    log.warning("a process beside this one ended early (%s); its part was done here", said or f"status {status}")
    return 0
