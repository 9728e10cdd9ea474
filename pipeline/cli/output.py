"""What is printed where: answers on stdout, all else on stderr, and what to do where they can't be written."""

from __future__ import annotations

import logging
import os
import sys
from io import TextIOWrapper
from pathlib import Path

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


def output_failed(error: OSError) -> int:
    """Report what the stages don't: stdout that can't be written. A reader that left is no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return 0
    print(f"error: {error.strerror or error}: {error.filename or 'the output'}", file=sys.stderr)
    return EXIT_OUTPUT
