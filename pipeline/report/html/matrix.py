"""A square table of counts, such as what each class is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.pipeline.report.html.svg import shortened

_STRONGEST = 75  # per cent; text stays legible on it


@dataclass(frozen=True)
class Cell:
    """One count; ``tint``: in per cent of the strongest colour."""

    count: int
    tint: int
    diagonal: bool


@dataclass(frozen=True)
class Row:
    """The counts of one name; ``short``: the name as figures show it."""

    name: str
    short: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Matrix:
    """``rows``: also the columns, in the same order."""

    rows: tuple[Row, ...]


def matrix(
    counts: NDArray[np.int64], names: Sequence[str], totals: NDArray[np.int64] | None = None, strength: int = 300
) -> Matrix:
    """Return counts (k, k) as a table; a cell's tint is ``strength`` per cent of its share of the row's total, (k,)."""
    own = counts.sum(1) if totals is None else totals
    rows = (
        Row(name, short, _cells(line, i, max(1, total), strength))
        for i, (name, short, line, total) in enumerate(
            zip(names, shortened(names), counts.tolist(), own.tolist(), strict=True)
        )
    )
    return Matrix(tuple(rows))


def _cells(counts: Sequence[int], own: int, total: int, strength: int) -> tuple[Cell, ...]:
    return tuple(Cell(n, min(_STRONGEST, round(strength * n / total)), own == j) for j, n in enumerate(counts))
