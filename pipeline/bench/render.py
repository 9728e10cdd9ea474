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

from frostline.pipeline.bench.leaderboard import NAMES, Leaderboard
from frostline.pipeline.bench.tables import answers, notes, tables
from frostline.pipeline.report import html
from frostline.pipeline.report.html.formatting import flags
from frostline.pipeline.report.table import Table, aligned
from frostline.pipeline.report.wording import unit_of
from frostline.stages.buckets.cache import named
from frostline.stages.errors import printable
from frostline.stages.metrics import harmless
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS

_LONG = 15  # rows, from which on a table scrolls below its heading
_STYLE = Path(html.__file__).with_name("style.css")  # the one that a run's page has


def as_text(board: Leaderboard) -> str:
    """Return the leaderboard for a terminal."""
    blocks = [printable(line) for line in answers(board)]
    for table in tables(board):
        note = [f"- {printable(table.note)}"] if table.note else []
        blocks.append("\n".join([printable(table.title), "", *aligned(table), *note]))
    files = "\n".join(
        f"leaderboard  {named(board.folder) / f'leaderboard.{end}'}" for end in ("md", "csv", "json", "html")
    )
    return "\n\n".join([*blocks, "\n".join(f"- {printable(note)}" for note in notes(board)), files])


def as_markdown(board: Leaderboard) -> str:
    """Return the leaderboard as Markdown, whose tables' cells are plain text."""
    blocks = [f"# {_plain(_title(board))}", *map(_plain, answers(board))]
    for table in tables(board):
        rule = ["--:" if side == ">" else ":--" for side in table.align]
        rows = [table.columns, rule, *([_plain(cell) for cell in row] for row in table.rows)]
        blocks.append(f"## {_plain(table.title)}\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows))
        blocks += [_plain(table.note)] if table.note else []
    return "\n\n".join([*blocks, "\n".join(f"- {_plain(note)}" for note in notes(board))]) + "\n"


def _title(board: Leaderboard) -> str:
    return f"{board.name} (incomplete)" if board.pending else board.name


def _plain(text: str) -> str:
    """Return text without a meaning in Markdown or HTML."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#&" else c for c in printable(text))


def as_csv(board: Leaderboard) -> str:
    """Return one line per scored cell, per point of a curve and per other cell; a formula's first letter is quoted.

    ``low`` and ``high`` are of the main score, which the first column after the names is of a single kind of target.
    """
    mains, others = _score_names(board)
    columns = (*mains, "low", "high", *others, "std", "draws", "training_data", "cut", "value", "width")
    costs = ("parameters", "images_per_second", "extract_seconds", "fit_seconds", "bytes", "failure")
    text = io.StringIO()
    writer = csv.DictWriter(text, ("rank", *NAMES, *columns, *costs), restval="", lineterminator="\n")
    writer.writeheader()
    for row in _records(board):
        writer.writerow({n: harmless(v) if isinstance(v, str) else v for n, v in row.items()})
    return text.getvalue()


def _score_names(board: Leaderboard) -> tuple[list[str], list[str]]:
    """Return the names of the main scores of the board's kinds of targets, and of the other scores."""
    kinds = dict.fromkeys([*(e.kind for e in board.entries), *(one.curve.kind for one in board.curves)])
    tables = [list(TARGETS.load(kind).table) for kind in kinds or (DEFAULT,)]
    mains = dict.fromkeys(table[0] for table in tables)
    return list(mains), [name for name in dict.fromkeys(n for t in tables for n in t[1:]) if name not in mains]


def _records(board: Leaderboard) -> Iterator[dict[str, Any]]:
    for entry in board.entries:
        own = {n: v for n, v in asdict(entry).items() if n in ("rank", "cut", "value", "width", "fit_seconds")}
        scores = {name: score.value for name, score in entry.scores.items()}
        interval = {"low": entry.main.low, "high": entry.main.high}
        yield {**asdict(entry.name), **own, **asdict(entry.costs), "training_data": "all", **scores, **interval}
    for one in board.curves:
        main = TARGETS.load(one.curve.kind).main
        for point in one.curve.points:
            found = {main: point.spread.mean, "std": point.spread.std, "draws": point.spread.draws}
            found |= {"low": point.spread.low, "high": point.spread.high}
            amount = f"{point.size} {unit_of(one.curve)}"
            yield {**asdict(one.name), **found, "training_data": amount}
    for failure in board.failures:
        yield {**asdict(failure.name), "failure": failure.reason}
    for name in board.pending:
        yield {**asdict(name), "failure": "not run yet"}


def as_json(board: Leaderboard) -> str:
    """Return the leaderboard as one JSON document; an entry's scores stand in it by their names."""
    whole = asdict(board)
    entries = [{**entry.pop("scores"), **entry} for entry in whole["entries"]]
    whole["folder"] = named(board.folder)
    return json.dumps({**whole, "entries": entries, "notes": notes(board)}, indent=2, sort_keys=True, default=str)


def as_html(board: Leaderboard) -> str:
    """Return one page on its own: every name escaped, its policy allows its own style and nothing else."""
    style = _STYLE.read_text()
    allowed = b64encode(sha256(style.encode()).digest()).decode()
    title = escape(printable(_title(board)))
    lede = "".join(f'<p class="lede">{flags(line)}</p>\n' for line in answers(board))
    listed = "".join(f"<li>{flags(note)}</li>" for note in notes(board))
    return (
        "<!doctype html>\n"
        '<html lang="en"><head><meta charset="utf-8">'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{allowed}'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{style}</style></head>\n"
        f'<body class="wide"><header><h1>{title}</h1>\n{lede}</header>\n<main>{"".join(map(_section, tables(board)))}'
        f'<ul class="small">{listed}</ul></main></body></html>\n'
    )


def _section(table: Table) -> str:
    head, title = _cells("th", table.columns, table), escape(printable(table.title))
    long = " long" if len(table.rows) > _LONG else ""
    rows = "\n".join(f"<tr>{_cells('td', row, table)}</tr>" for row in table.rows)
    parts = f"<caption>{title}</caption><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody>"
    body = f'<table class="stack">{parts}</table>'
    region = f'<div class="scroll{long}" role="group" aria-label="{title}" tabindex="0">{body}</div>'
    note = f'<p class="small">{flags(table.note)}</p>' if table.note else ""
    return f"<section><h2>{title}</h2>{region}{note}</section>\n"


def _cells(tag: str, cells: tuple[str, ...], table: Table) -> str:
    sides = [' class="number"' if side == ">" else "" for side in table.align]
    labels = [f' data-label="{column}"' if tag == "td" else ' scope="col"' for column in table.columns]
    parts = zip(cells, sides, labels, strict=True)
    return "".join(f"<{tag}{side}{label}>{flags(cell)}</{tag}>" for cell, side, label in parts)
