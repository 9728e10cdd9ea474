"""A table of text: columns that are aligned, empty ones left out, long names shortened where a line is short."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from frostline.stages.errors import printable


@dataclass(frozen=True)
class Table:
    """Rows of text under a heading.

    ``align``: < or > for each column; ``note``: how to read it; ``widths``: of the first columns at least, so that
    tables of other rows look alike.
    """

    title: str
    columns: tuple[str, ...]
    align: str
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    widths: tuple[int, ...] = ()


_NAME = 8  # characters that are left at least of a name


def aligned(table: Table, width: int | None = None) -> list[str]:
    """Return a table for a terminal, a line for the columns' names if they have any, and one for each row, if any.

    Columns are as wide as their widest cell; those without a cell that says something are left out. ``width``: of a
    line. Where it does not hold a row, what is the same in all rows is said once, above the table; then the middle of
    the longest names gives way. These are the columns aligned to the left that have a name; no other cell is cut.

    >>> print(*aligned(Table("", ("head", "", "accuracy"), "<<>", (("logreg", "", "95.0 %"),))), sep="\\n")
    head    accuracy
    logreg    95.0 %
    """
    if not table.rows:
        return []
    rows = [[printable(cell) for cell in row] for row in table.rows]
    kept = [i for i in range(len(table.columns)) if any(row[i] for row in rows)]
    wide = {i: max(*table.widths[i : i + 1], *(len(row[i]) for row in (table.columns, *rows))) for i in kept}
    above: list[str] = []
    if width is not None and _too_wide(wide, width):
        same = [i for i in kept if table.columns[i] and len(rows) > 1 and len({row[i] for row in rows}) == 1]
        kept = [i for i in kept if i not in same]
        above = ["; ".join(f"{table.columns[i]}: {rows[0][i]}" for i in same)] if same else []
        names = {i for i in kept if table.align[i] == "<" and table.columns[i]}
        wide = _narrowed({i: wide[i] for i in kept}, names, width)
    heading = [table.columns] if any(table.columns) else []
    return [*above, *(_line(row, kept, table.align, wide) for row in (*heading, *rows))]


def _too_wide(wide: dict[int, int], width: int) -> int:
    """Return by how much rows are longer than a line."""
    return max(0, sum(wide.values()) + 2 * (len(wide) - 1) - width)


def _narrowed(wide: dict[int, int], names: set[int], width: int) -> dict[int, int]:
    """Return widths of columns that fit a line, as far as names can be shortened; the widest gives way first."""
    own = dict(wide)
    for _ in range(_too_wide(wide, width)):
        widest = max(names, key=own.__getitem__, default=None)
        if widest is None or own[widest] <= _NAME:
            break
        own[widest] -= 1
    return own


def _short(text: str, width: int) -> str:
    left = width - 1 - (width - 1) // 2
    return text if len(text) <= width else f"{text[:left]}…{text[len(text) - (width - 1 - left) :]}"


def _line(row: Sequence[str], kept: Sequence[int], align: str, wide: dict[int, int]) -> str:
    return "  ".join(f"{_short(row[i], wide[i]):{align[i]}{wide[i]}}" for i in kept).rstrip()
