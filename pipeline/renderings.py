"""The leaderboard's files: text, Markdown, CSV, JSON, and a page of HTML that runs nothing and loads nothing."""

from __future__ import annotations

import csv
import io
import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import asdict
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any

from pipeline.leaderboard import NAMES, Leaderboard, Table, notes, tables, unit_of
from stages.errors import printable

_STYLE = Path(__file__).parent / "html" / "style.css"  # the one that a run's page has


def as_text(board: Leaderboard) -> str:
    """Return the leaderboard for a terminal."""
    blocks = [f"{printable(table.title)}\n\n" + "\n".join(lines(table)) for table in tables(board)]
    files = "\n".join(f"leaderboard  {board.folder / f'leaderboard.{end}'}" for end in ("md", "csv", "json", "html"))
    return "\n\n".join([*blocks, "\n".join(f"- {note}" for note in notes(board)), files])


def lines(table: Table) -> list[str]:
    """Return a table for a terminal: columns as wide as their widest cell, empty ones left out."""
    rows = [[printable(cell) for cell in row] for row in table.rows]
    kept = [i for i in range(len(table.columns)) if any(row[i] for row in rows)]
    whole = [table.columns, *rows]
    wide = {i: max(len(row[i]) for row in whole) for i in kept}
    return ["  ".join(f"{row[i]:{table.align[i]}{wide[i]}}" for i in kept).rstrip() for row in whole]


def as_markdown(board: Leaderboard) -> str:
    """Return the leaderboard as Markdown, whose tables' cells are plain text."""
    blocks = [f"# {_plain(_title(board))}"]
    for table in tables(board):
        rule = ["--:" if side == ">" else ":--" for side in table.align]
        rows = [table.columns, rule, *([_plain(cell) for cell in row] for row in table.rows)]
        blocks.append(f"## {_plain(table.title)}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows))
    return "\n\n".join([*blocks, "\n".join(f"- {note}" for note in notes(board))]) + "\n"


def _title(board: Leaderboard) -> str:
    return f"{board.name} (incomplete)" if board.pending else board.name


def _plain(text: str) -> str:
    """Return text without a meaning in Markdown or HTML."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#&" else c for c in printable(text))


def as_csv(board: Leaderboard) -> str:
    """Return one line per scored cell, per point of a curve and per other cell; a formula's first letter is quoted."""
    columns = ("accuracy", "low", "high", "macro_f1", "std", "draws", "training_data", "cut", "value", "width")
    costs = ("parameters", "images_per_second", "extract_seconds", "fit_seconds", "bytes", "failure")
    text = io.StringIO()
    writer = csv.DictWriter(text, ("rank", *NAMES, *columns, *costs), restval="", lineterminator="\n")
    writer.writeheader()
    for row in _records(board):
        writer.writerow({n: _harmless(v) if isinstance(v, str) else v for n, v in row.items()})
    return text.getvalue()


def _records(board: Leaderboard) -> Iterator[dict[str, Any]]:
    for entry in board.entries:
        own = {n: v for n, v in asdict(entry).items() if n not in ("name", "accuracy", "macro_f1", "tied", "costs")}
        scores = {"accuracy": entry.accuracy.value, "low": entry.accuracy.low, "high": entry.accuracy.high}
        costs = {**asdict(entry.costs), "macro_f1": entry.macro_f1.value, "training_data": "all"}
        yield {**asdict(entry.name), **own, **costs, **scores}
    for one in board.curves:
        for point in one.curve.points:
            found = {"accuracy": point.spread.mean, "std": point.spread.std, "draws": point.spread.draws}
            amount = f"{point.size} {unit_of(one.curve)}"
            yield {**asdict(one.name), **found, "training_data": amount}
    for failure in board.failures:
        yield {**asdict(failure.name), "failure": failure.reason}
    for name in board.pending:
        yield {**asdict(name), "failure": "not run yet"}


def _harmless(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def as_json(board: Leaderboard) -> str:
    """Return the leaderboard as one JSON document."""
    return json.dumps({**asdict(board), "notes": notes(board)}, indent=2, sort_keys=True, default=str)


def as_html(board: Leaderboard) -> str:
    """Return one page on its own: every name escaped, its policy allows its own style and nothing else."""
    style = _STYLE.read_text()
    allowed = b64encode(sha256(style.encode()).digest()).decode()
    title = escape(printable(_title(board)))
    listed = "".join(f"<li>{escape(note)}</li>" for note in notes(board))
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{allowed}'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{style}</style></head>\n"
        f"<body><h1>{title}</h1>\n{''.join(map(_section, tables(board)))}"
        f'<ul class="small">{listed}</ul></body></html>\n'
    )


def _section(table: Table) -> str:
    head = _cells("th", table.columns, table.align)
    rows = "\n".join(f"<tr>{_cells('td', row, table.align)}</tr>" for row in table.rows)
    body = f"<table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table>"
    return f'<section><h2>{escape(printable(table.title))}</h2><div class="scroll">{body}</div></section>\n'


def _cells(tag: str, cells: tuple[str, ...], align: str) -> str:
    sides = [' class="number"' if side == ">" else "" for side in align]
    return "".join(f"<{tag}{s}>{escape(printable(cell))}</{tag}>" for cell, s in zip(cells, sides, strict=True))
