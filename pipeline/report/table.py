"""A table of text: columns that are aligned, empty ones left out."""

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


def aligned(table: Table) -> list[str]:
    """Return a table for a terminal, a line for the columns' names if they have any, and one for each row, if any.

    Columns are as wide as their widest cell; those without a cell that says something are left out.

    >>> print(*aligned(Table("", ("head", "", "accuracy"), "<<>", (("logreg", "", "95.0 %"),))), sep="\\n")
    head    accuracy
    logreg    95.0 %
    """
    if not table.rows:
        return []
    rows = [[printable(cell) for cell in row] for row in table.rows]
    kept = [i for i in range(len(table.columns)) if any(row[i] for row in rows)]
    wide = {i: max(*table.widths[i : i + 1], *(len(row[i]) for row in (table.columns, *rows))) for i in kept}
    heading = [table.columns] if any(table.columns) else []
    return [_line(row, kept, table.align, wide) for row in (*heading, *rows)]


def _line(row: Sequence[str], kept: Sequence[int], align: str, wide: dict[int, int]) -> str:
    return "  ".join(f"{row[i]:{align[i]}{wide[i]}}" for i in kept).rstrip()
