"""What is done once: a first settings file, a look at what is installed, shell completion."""

from __future__ import annotations

import argparse
from pathlib import Path

from frostline.pipeline.cli.commands.common import print_result, settings_of
from frostline.pipeline.cli.completion import SHELLS, completion
from frostline.stages.buckets.address import check_local
from frostline.stages.errors import ConfigError, printable


def init_command(args: argparse.Namespace) -> int:
    """Write settings for the samples at a place, print the command that runs them, and return the exit code."""
    from frostline.pipeline.cli.flags import given
    from frostline.pipeline.progress import bar
    from frostline.pipeline.run.init import first_file

    check_local(args.out)
    if args.out.exists():
        raise ConfigError(f"expected a new file, but {args.out} is there; name another with --out, or remove it")
    with bar("reading", "files") as shown:
        found = first_file(args.place, given(args), shown.at)
    command = f"frostline run --config {args.out}"
    _write_new(args.out, found.text(command))
    text = f"{printable(found.about)}\nwritten: {args.out}\n\n{command}"
    print_result(args, {"file": str(args.out), "settings": dict(found.settings), "command": command}, text)
    return 0


def _write_new(file: Path, text: str) -> None:
    try:
        with file.open("x", encoding="utf-8", errors="surrogateescape") as stream:
            stream.write(text)
    except OSError as error:
        raise ConfigError(f"can't write {file} ({error.strerror}); name another file with --out") from error


def takes_place(command: argparse.ArgumentParser) -> None:
    """Add the place of the samples and the file to write."""
    command.usage = "frostline init PLACE [--out FILE] [--SETTING VALUE …]"
    command.add_argument("place", metavar="PLACE", help="a folder, a table, an archive, or a dataset's name")
    command.add_argument(
        "--out", type=Path, metavar="FILE", default=Path("frostline.toml"), help="the file (default: frostline.toml)"
    )


def doctor_command(args: argparse.Namespace) -> int:
    """Print what is installed and what is missing, and return the exit code."""
    from frostline.pipeline.maintain.doctor import broken, doctor, doctor_json, doctor_text

    found = doctor(settings_of(args).data_dir)
    print_result(args, doctor_json(found), doctor_text(found))
    return ConfigError.exit_code if broken(found) else 0


def completion_command(args: argparse.Namespace) -> int:
    """Print the completion script of a shell, and return the exit code."""
    script = completion(args.whole(), args.shell)
    print_result(args, {"shell": args.shell, "script": script}, script)
    return 0


def takes_shell(command: argparse.ArgumentParser) -> None:
    """Add the shell."""
    command.usage = f"frostline completion {'|'.join(SHELLS)}"
    command.add_argument("shell", metavar=f"{{{','.join(SHELLS)}}}", help="the shell that reads the script")
