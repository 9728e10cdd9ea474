"""The command line: what is given, what a command returns, exit codes."""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import sys
from collections.abc import Sequence

from frostline.pipeline.cli.commands.table import COMMANDS
from frostline.pipeline.cli.output import EXIT_OUTPUT, output_failed, set_up_output
from frostline.pipeline.cli.parsers import overview, parser_of
from frostline.pipeline.cli.signals import Terminated, listen
from frostline.pipeline.progress import showing
from frostline.stages.buckets.mirror import look_again
from frostline.stages.errors import FrostlineError, printable, unknown_name

EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143
_KEPT = "finished shards are kept; the same command continues from there"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    listen()
    _wait_passively()
    _collect_seldom()
    set_up_output()
    if sys.stdout is None:  # closed: the first file opened would be written over by whoever prints to handle 1
        print("error: stdout is closed; expected a file, a pipe or /dev/null", file=sys.stderr)
        return EXIT_OUTPUT
    try:
        args = _parsed(sys.argv[1:] if arguments is None else arguments)
        look_again()
        with showing():
            code = int(args.action(args))
        sys.stdout.flush()
        return code
    except FrostlineError as error:
        print("error: " + "\n".join(map(printable, str(error).split("\n"))), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"interrupted; {_KEPT}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except Terminated:
        print(f"terminated; {_KEPT}", file=sys.stderr)
        return EXIT_TERMINATED
    except OSError as error:
        return output_failed(error)


def _wait_passively() -> None:
    """Have idle threads of torch sleep: those that spin take the CPU cores that busy ones need.

    Two threads beside one busy core took 25 times as long otherwise. It counts only before torch is loaded.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def _collect_seldom() -> None:
    """Have Python look for garbage after fifty thousand new objects, not seven hundred.

    To import torch makes half a million objects that stay, and to look through them again and again is an eighth of
    its time. Batches do not wait for this: they are in no cycle. At the end of the process it would look through all of
    them several times, for half a second, though the memory is given back anyway: what is frozen it leaves alone.
    """
    gc.set_threshold(50_000, 20, 100)
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what a command is given; only the flags of that one are made."""
    if arguments and arguments[0] == "help":  # as git and pip have it
        arguments = [*arguments[1:2], "--help"]
    first = arguments[0] if arguments else ""
    if first in COMMANDS:
        return parser_of(first).parse_args(arguments[1:])
    parser = overview()
    if not first:
        parser.error(f"expected a command, one of {', '.join(COMMANDS)}")
    if not first.startswith("-"):
        parser.error(str(unknown_name("command", first, COMMANDS)))
    if first not in parser.flags():
        parser.unknown_flag(first)
    return parser.parse_args(arguments)
