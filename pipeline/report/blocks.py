"""What is printed of a run, in parts: each knows what it is, and a terminal may show that in colour and in lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap
from typing import Literal, NamedTuple

Role = Literal["text", "advice", "warnings", "how", "where", "next"]
_TITLED: tuple[Role, ...] = ("warnings", "how", "where", "next")
_BOLD, _YELLOW, _DIM, _OFF = "\x1b[1m", "\x1b[33m", "\x1b[2m", "\x1b[0m"
_LEAST_WIDTH = 40


class Terminal(NamedTuple):
    """Where text is printed: ``width`` in columns, None for a file or a pipe, whose lines are left whole."""

    width: int | None = None
    colour: bool = False


PLAIN = Terminal()


class Block(NamedTuple):
    """Lines that belong together. ``text`` is printed as it is; the others are sentences."""

    role: Role
    lines: Sequence[str]


def rendered(blocks: Iterable[Block], on: Terminal = PLAIN) -> str:
    """Return blocks as text, an empty line between them; blocks without lines are left out."""
    return "\n\n".join("\n".join(_lines(block, on)) for block in blocks if block.lines)


def _lines(block: Block, on: Terminal) -> list[str]:
    body = list(block.lines)
    if block.role in ("warnings", "how"):
        body = [line for one in body for line in _wrapped(f"- {one}", on, "  ")]
    if block.role == "advice":
        body = [line for one in body for line in _wrapped(one, on, "")]
    body = [_painted(line, block.role, on) for line in body]
    return [_painted(block.role, "advice", on), *body] if block.role in _TITLED else body


def _wrapped(text: str, on: Terminal, indent: str) -> list[str]:
    if on.width is None or on.width < _LEAST_WIDTH:
        return [text]
    return wrap(text, on.width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _painted(line: str, role: Role, on: Terminal) -> str:
    code = {"advice": _BOLD, "warnings": _YELLOW, "where": _DIM}.get(role, "") if on.colour else ""
    return f"{code}{line}{_OFF}" if code else line
