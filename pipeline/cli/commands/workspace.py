"""What is in the workspace, and which encoders there are."""

from __future__ import annotations

import argparse

from frostline.pipeline.cli.commands.common import print_result, settings_of
from frostline.stages.errors import StoreError, printable


def ls_command(args: argparse.Namespace) -> int:
    """Print what is cached, and return the exit code."""
    from frostline.pipeline.maintain.inventory import inventory, inventory_json, inventory_table

    found = inventory(settings_of(args).data_dir)
    print_result(args, inventory_json(found), inventory_table(found))
    return 0


def verify_command(args: argparse.Namespace) -> int:
    """Read everything that is cached, print what is damaged, and return the exit code."""
    from frostline.pipeline.maintain.inventory import verify

    checked, damaged = verify(settings_of(args).data_dir)
    summary = f"{checked:,} files checked, {len(damaged):,} damaged"
    print_result(args, {"checked": checked, "damaged": damaged}, "\n".join([*map(printable, damaged), summary]))
    return StoreError.exit_code if damaged else 0


def migrate_command(args: argparse.Namespace) -> int:
    """Write older feature sets in the present format, and return the exit code."""
    from frostline.pipeline.maintain.migrate import migrate_all, migrated_json, migrated_text

    found = migrate_all(settings_of(args).data_dir)
    print_result(args, migrated_json(found), migrated_text(found))
    return StoreError.exit_code if any(one.damaged for one in found) else 0


def gc_command(args: argparse.Namespace) -> int:
    """Print what can be removed, remove it where that is asked for, and return the exit code."""
    from frostline.pipeline.maintain.inventory import garbage, garbage_json, garbage_table, remove

    found = garbage(settings_of(args).data_dir, unfinished=args.unfinished)
    if args.yes:
        remove(found)
    print_result(args, garbage_json(found), garbage_table(found, removed=args.yes))
    return 0


def encoders_command(args: argparse.Namespace) -> int:
    """Print the encoders that can be named, and return the exit code."""
    from frostline.pipeline.maintain.encoders import encoders_json, encoders_table, list_encoders

    found = list_encoders(args.pattern)
    print_result(args, encoders_json(found), encoders_table(found))
    return 0


def takes_leave(command: argparse.ArgumentParser) -> None:
    """Add the flags that allow to remove."""
    command.add_argument("--unfinished", action="store_true", help="also list unfinished feature sets")
    command.add_argument("--yes", action="store_true", help="remove what is listed")


def takes_pattern(command: argparse.ArgumentParser) -> None:
    """Add the pattern of encoders' names."""
    command.usage = "frostline encoders [PATTERN] [--json]"
    command.add_argument("pattern", nargs="?", default="", metavar="PATTERN", help="dinov2, timm:, timm:vit_*")
