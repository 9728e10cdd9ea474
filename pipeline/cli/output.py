"""What is printed where: answers on stdout, all else on stderr, and what to do where they can't be written."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from frostline.pipeline.report.blocks import Terminal

EXIT_OUTPUT = 1


def set_up_output() -> None:
    """Send the log to stderr, and let both streams take any file name."""
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 (for as long as the process lives)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file name may be no text
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr, force=True)
    logging.getLogger("frostline").setLevel(logging.INFO)


def terminal() -> Terminal:
    """Return what stdout can show: colour and short lines on a terminal, plain whole lines elsewhere.

    ``NO_COLOR`` and ``TERM=dumb`` switch colour off, ``FORCE_COLOR`` switches it on in a pipe, too.
    """
    from frostline.pipeline.report.blocks import Terminal

    tty = sys.stdout.isatty()
    dumb = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    forced = os.environ.get("FORCE_COLOR", "") not in ("", "0")
    width = shutil.get_terminal_size().columns if tty else None
    return Terminal(width, colour=not os.environ.get("NO_COLOR") and (forced or (tty and not dumb)))


def output_failed(error: OSError) -> int:
    """Report what the stages don't: stdout that can't be written. A reader that left is no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 0
    print(f"error: {error.strerror or error}: {error.filename or 'the output'}", file=sys.stderr)
    return EXIT_OUTPUT
