"""What commands share: their settings, how they print, exit codes."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

EXIT_QUARANTINED = 5


def settings_of(args: argparse.Namespace) -> Any:
    """Return the settings of a command from its flags, the environment and the file."""
    from frostline.pipeline.cli.flags import given
    from frostline.pipeline.settings import load_settings

    return load_settings(args.model, given(args), os.environ, args.config)


def print_result(args: argparse.Namespace, document: Any, text: str) -> None:
    """Print a document as JSON where that is asked for, else the text."""
    print(json.dumps(document, indent=2, default=str) if args.json else text)


def takes_all_pairs(command: argparse.ArgumentParser) -> None:
    """Add the flag that compares every two heads."""
    command.add_argument(
        "--all-pairs", action="store_true", help="compare every two heads, not only the first with each other one"
    )
