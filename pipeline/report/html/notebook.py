"""A run in a notebook: its tables, and the figures of its page, without a style that reaches beyond them."""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import Markup, escape

from frostline.pipeline.records.headline import candidates, headline
from frostline.pipeline.records.run import PAGE, Report
from frostline.pipeline.report.table import Table
from frostline.pipeline.report.text import advices, curve_table, opening, score_table, warned
from frostline.stages.buckets.cache import named
from frostline.stages.errors import printable
from frostline.stages.records.safe_read import read_file

# The figures take their colours from these; they read on white and on black, as a notebook's theme may be either.
_COLOURS = {
    "ink": "currentColor",
    "muted": "color-mix(in srgb, currentColor 65%, transparent)",
    "line": "color-mix(in srgb, currentColor 25%, transparent)",
    "paper": "transparent",
    "accent": "#1f83c0",
    "warm": "#d0690f",
    **{f"hue-{i}": hue for i, hue in enumerate(["#1f83c0", "#d0690f", "#38a04d", "#d9483f", "#8a5fd0"])},
    **{f"hue-{i}": hue for i, hue in enumerate(["#a08430", "#cf4f9b", "#76818f", "#179a8e", "#6f6af0"], 5)},
}
_STYLE = ";".join(f"--{name}:{colour}" for name, colour in _COLOURS.items())
_FIGURE = re.compile(r"<figure>(<svg .*?</svg>)(?:\s*<figcaption>(.*?)</figcaption>)?\s*</figure>", re.DOTALL)
_ID = re.compile(r'((?:\bid|xlink:href|href)="#?|url\(#)([\w.-]+)')
_CELL = "padding:.2em .8em .2em 0;text-align:{}"
_SMALL = "max-width:42em;font-size:.85em;opacity:.8"


def notebook_html(report: Report) -> str:
    """Return a run as a fragment of HTML for a notebook; of a run that was not written, its tables alone."""
    tables = [made for made in (score_table(report.probes), curve_table(report.probes)) if made.rows]
    figures = _figures(report.path)
    parts = [_paragraph(opening(report), "strong"), *map(_table, tables)]
    parts += [_paragraph(line) for line in (*advices(report), *warned(report))]
    parts += [_of_which(report), *figures] if figures else []
    return f'<div class="frostline-report" style="{_STYLE}">{Markup("").join(parts)}</div>'


def _of_which(report: Report) -> Markup:
    """Return where the figures are from, and which head they are of."""
    own = next(iter(candidates(report.probes).values()), [])
    page = report.path.with_name(PAGE)
    link = Markup('<p>From <a href="{}">{}</a>{}.</p>')
    of = Markup("; the figures of one head are of <strong>{}</strong>, the head to use")
    head = of.format(printable(headline(own).name)) if own else ""
    return link.format(page.absolute().as_uri(), printable(str(named(page))), head)


def _paragraph(text: str, tag: str = "span") -> Markup:
    return Markup("<p><{0}>{1}</{0}></p>").format(Markup(tag), printable(text))


def _table(made: Table) -> Markup:
    sides = ["left" if side == "<" else "right" for side in made.align]
    kept = [at for at, name in enumerate(made.columns) if name or any(row[at] for row in made.rows)]
    head = Markup("").join(_cell("th", made.columns[at], sides[at]) for at in kept)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(_cell("td", row[at], sides[at]) for at in kept))
        for row in made.rows
    )
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, body)


def _cell(tag: str, text: str, side: str) -> Markup:
    return Markup('<{0} style="{1}">{2}</{0}>').format(Markup(tag), _CELL.format(side), printable(text))


def _figures(record: Path) -> list[Markup]:
    """Return the figures of the page beside a run's record, which was written with it; none without a page."""
    try:
        page = read_file(record.with_name(PAGE)).decode()
    except (OSError, ValueError):
        return []
    own = str(escape(record.parent.name))
    return [_figure(own, *found) for found in _FIGURE.findall(page)]


def _figure(own: str, svg: str, caption: str) -> Markup:
    """Return a figure whose ids differ from those of another run's in the same notebook."""
    apart = _ID.sub(lambda found: f"{found[1]}{own}-{found[2]}", svg)
    text = f'<figcaption style="{_SMALL}">{caption}</figcaption>' if caption else ""
    return Markup(f'<figure style="margin:1em 0">{apart}{text}</figure>')
