"""``python -m frostline.pipeline.engines.worker JOB``: shards of a set that another process has begun.

Prints how many rows it computed.

Or why it failed, with exit status 1. It ends at once when standard input does: with the process that started it.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import redirect_stdout
from threading import Thread

from frostline.pipeline.engines.base import Job
from frostline.pipeline.engines.shards import run_job


def main() -> int:
    """Do the job and return the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both; the other one decides
    Thread(target=_end_with_input, daemon=True).start()
    try:
        with redirect_stdout(sys.stderr):  # a network's code may print
            message, status = str(run_job(Job.from_json(sys.argv[1]))), 0
    except Exception as error:
        message, status = f"{type(error).__name__}: {error}", 1
    print(message)
    return status


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
