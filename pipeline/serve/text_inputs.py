"""Texts that a head is asked about: the rows of tables, and the lines of the standard input."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from frostline.pipeline.serve.asked import Asked, asked_bytes
from frostline.pipeline.settings import ServeSettings
from frostline.stages.datasets import texts_of

log = logging.getLogger("frostline")
STDIN = "-"
_TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


def is_table(given: Path) -> bool:
    """Whether a file is a table, by its ending."""
    return given.suffix.lower() in _TABLES


def asked_texts(given: Path, s: ServeSettings) -> list[Asked]:
    """Return the texts of a table, or for ``-`` the lines of the standard input that are not empty.

    Raises DataError for a table without a column of texts.
    """
    if str(given) == STDIN:
        lines = enumerate(sys.stdin.buffer.read().split(b"\n"), 1)
        return [_asked(f"line {number}", line) for number, line in lines if line.strip()]
    rows, notes = texts_of(given, s.input, s.columns)
    for note in notes:
        log.info("note: %s", note)
    return [_asked(f"{given}: {name}", data) for name, data in rows]


def _asked(name: str, data: bytes) -> Asked:
    return asked_bytes(Path(name), lambda: data)
