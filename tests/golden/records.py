"""Golden records: what may not change unless it is meant to, kept in ``tests/golden`` and compared to the letter.

``pytest --rewrite-golden tests/golden`` writes them anew; the change then stands in the diff.
"""

from __future__ import annotations

import json
import platform
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
_VARIABLE = (
    (r"\b[0-9a-f]{12,64}\b", "<digest>"),
    (r"\d{4}-\d\d-\d\d( \d\d:\d\d UTC)?(?!T)", "<time>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", "<time>"),
    (r"\babout [\d,]+ s\b", "about <seconds>"),
    (r"\b[\d,]+(\.\d+)? s\b", "<seconds>"),
    (r"\b[\d,]+(\.\d)? images/s\b", "<speed> images/s"),
    (r"\b\d[\d,]*(?= +(\| )?<seconds>)", "<speed>"),
    (r"\b\d+\.\d+\.\d+[\w+.]*", "<version>"),
    (r"\b\d[\d,.]* (B|kB|MB|GB)(?=\W|$)", "<size>"),
)


class _Words(HTMLParser):
    """What a page says, a line for each piece between two tags, and what stands for its pictures."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._styled = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._styled = tag == "style"
        self.lines += [f"[{value}]" for name, value in attrs if name in ("alt", "aria-label") and value]

    def handle_data(self, data: str) -> None:
        line = " ".join(data.split())
        if line and not self._styled:
            self.lines.append(line)


def said(page: str) -> str:
    """Return the words of a page."""
    return "\n".join(_Words(page).lines) + "\n"


def normal(text: str, root: Path) -> str:
    """Return what a command printed without times, sizes, digests, speeds and the folder it ran in."""
    text = text.replace(str(root), "<root>").replace(f" {platform.node()}, ", " <host>, ")
    for pattern, name in _VARIABLE:
        text = re.sub(pattern, name, text)
    return "\n".join(_unaligned(line) for line in text.split("\n"))


def _unaligned(line: str) -> str:
    """A column is as wide as its widest cell, and a time may be the widest."""
    return re.sub(r" {2,}", "  ", line) if "<" in line else line


def schema(value: Any, name: str = "") -> list[str]:
    """Return the names in a JSON document, one path with its type a line; those of a list's items once."""
    if isinstance(value, dict):
        return [line for key in sorted(value) for line in schema(value[key], f"{name}.{key}")] or [f"{name} {{}}"]
    if isinstance(value, list):
        return list(dict.fromkeys(line for item in value for line in schema(item, f"{name}[]"))) or [f"{name} []"]
    return [f"{name} {'null' if value is None else type(value).__name__}"]


def check(name: str, found: Any, *, rewrite: bool) -> None:
    """Compare text, or JSON values, with the record of that name."""
    text = found if isinstance(found, str) else json.dumps(found, indent=2, sort_keys=True) + "\n"
    path = FOLDER / name
    if rewrite:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert path.read_text() == text, f"{name} is not what it was; if that is meant, pytest --rewrite-golden"
