"""Shell completion: a script that knows every command, flag and choice, so that no key press starts Python."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from frostline.pipeline.cli.parser import Parser
from frostline.stages.errors import unknown_name

SHELLS = ("bash", "zsh", "fish")
_FILES = ("FILE", "PATH", "HEAD", "SOURCE", "RUN", "SET", "PLACE", "MATRIX.toml")
_FOLDERS = ("--data-dir",)


def completion(parser: Parser, shell: str) -> str:
    """Return the script that completes what a parser with subcommands takes. Raises ConfigError for another shell."""
    import shtab

    if shell not in SHELLS:
        raise unknown_name("shell", shell, SHELLS)
    for action in _actions(parser):
        words = _choices(action)
        if words:
            action.choices = words
        elif set(action.option_strings) & {*_FOLDERS}:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
        elif str(action.metavar).split("|")[-1].split("[")[0] in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    return str(shtab.complete(parser, shell))


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield what can be given to a parser and to those of its subcommands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                yield from _actions(one)
        else:
            yield action


def _encoders() -> Iterator[str]:
    """Yield the names of encoders that need no extra, and the prefixes of all families."""
    from frostline.stages.backbones.families.registry import FAMILIES, full_name

    for prefix in ("shipped", "torchvision"):
        yield from (full_name(f"{prefix}:{name}") for name in FAMILIES.load(prefix).names())
    yield from (f"{prefix}:" for prefix in FAMILIES.names())


def _datasets() -> Iterator[str]:
    """Yield the names of datasets, and the prefixes of sources."""
    from frostline.stages.datasets.sources.registry import known_datasets

    yield from known_datasets()


def _choices(action: argparse.Action) -> list[str]:
    """Return the words that can be given, those of ``{a,b}``; names of heads, encoders and datasets for their flags."""
    metavar = str(action.metavar)
    if "--head" in action.option_strings:
        from frostline.stages.heads import HEADS
        from frostline.stages.heads.protocols import PROTOCOLS

        return [*HEADS.names(), *PROTOCOLS]
    if "--backbone" in action.option_strings:
        return list(_encoders())
    if "--dataset" in action.option_strings:
        return list(_datasets())
    if "--help" in action.option_strings:
        return ["all"]
    return metavar.strip("{}").split(",") if metavar.startswith("{") and "|" not in metavar else []
