"""JSON Lines as a table: one object a line, whose names are the columns."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from frostline.stages.errors import DataError, listing

ENDINGS = (".jsonl", ".ndjson")
_JOINT = "|"


class _Written(str):
    """A number as it is written."""


def parsed_lines(file: Path, text: str) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[int, ...]]:
    """Return the header, in the order in which names first occur, the rows as texts, and their lines.

    ``true`` and ``false`` are 1 and 0; ``null``, and a name that a line lacks, an empty cell; a list of texts its
    texts with ``|`` between them. Raises DataError that lists the lines that hold anything else.
    """
    found: list[tuple[int, dict[str, Any]]] = []
    wrong: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                found.append((number, _object(line)))
            except ValueError as error:
                wrong.append(f"line {number}: {error}")
    if wrong:
        raise DataError(
            f"{file} can't be used; expected one JSON object a line, of texts and numbers:\n{listing(wrong)}"
        )
    header = tuple(dict.fromkeys(name for _, row in found for name in row))
    rows = tuple(tuple(row.get(name, "") for name in header) for _, row in found)
    return header, rows, tuple(number for number, _ in found)


def plain_fields(text: str) -> dict[str, str]:
    """Return the fields of one object that are texts, numbers, flags or lists of texts, as cells; others are left out.

    Raises ValueError for what is no object in JSON.
    """
    found = {}
    for name, value in _fields(text).items():
        with suppress(ValueError):
            found[name.strip()] = cell(name, value)
    return found


def _object(line: str) -> dict[str, str]:
    return {name.strip(): cell(name, value) for name, value in _fields(line).items()}


def _fields(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text, parse_int=_Written, parse_float=_Written)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(fields, dict):
        raise ValueError(f"a {type(fields).__name__}, not an object")
    return fields


def cell(name: str, value: Any) -> str:
    """Return a value as a cell: a text, a flag, a list of texts. Raises ValueError for anything else."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list) and all(type(one) is str and _JOINT not in one for one in value):
        return _JOINT.join(value)
    raise ValueError(f"{name} is {str(value)[:40]!r}, neither a text, a number nor a list of texts")
