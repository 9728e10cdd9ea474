"""The plan of a matrix: which cells share a backbone pass, what of it is cached, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from frostline.pipeline.bench.matrix import Cell, Matrix
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.report.table import Table, aligned
from frostline.pipeline.report.wording import size
from frostline.pipeline.steps.heads import cached_head
from frostline.stages.datasets import Dataset
from frostline.stages.errors import ConfigError, DataError, counted, listing, printable

Made = TypeVar("Made")
_Opened = dict[tuple[object, ...], Dataset | DataError]


@dataclass(frozen=True)
class Work:
    """What one pass takes: ``rows`` of all splits and views, what of them to compute, bytes and seconds.

    ``seconds``: None if it was never measured. ``heads``: to be fitted on all training rows; ``fitted``: of these.
    """

    rows: int
    to_compute: int
    bytes: int
    seconds: float | None
    heads: int
    fitted: int


@dataclass(frozen=True, eq=False)
class Pass:
    """Cells that need the same features. ``failure``: why these can't be had; then there is no ``dataset``."""

    cells: tuple[Cell, ...]
    dataset: Dataset | None = None
    work: Work | None = None
    failure: Exception | None = None


def planned(matrix: Matrix) -> tuple[Pass, ...]:
    """Return the passes of a matrix, every dataset opened once and every backbone resolved; nothing is computed.

    Raises ConfigError that lists all that can't be used as asked: files that are not there, unknown datasets,
    backbones, weights and layers, sizes that a network can't take. Data that can't be used fail their passes alone.
    """
    groups: dict[str, list[Cell]] = {}
    for cell in matrix.cells:
        groups.setdefault(cell.backbone_pass, []).append(cell)
    shared = [tuple(cells) for cells in groups.values()]
    _each(shared, lambda cells: Plan(cells[0].settings))  # missing files and unknown names are said first
    opened: _Opened = {}
    return tuple(_each(shared, lambda cells: _planned(cells, opened)))


def _each(groups: Sequence[tuple[Cell, ...]], make: Callable[[tuple[Cell, ...]], Made]) -> list[Made]:
    """Return what is made of each group. Raises ConfigError with all that went wrong."""
    made, wrong = [], []
    for cells in groups:
        try:
            made.append(make(cells))
        except ConfigError as error:
            wrong.append(f"{pass_name(cells[0])}: {error}")
    if wrong:
        raise ConfigError(f"nothing was run; of the matrix these can't be:\n{listing(wrong)}")
    return made


def pass_name(cell: Cell) -> str:
    """Return what a cell's pass is called."""
    return printable(f"{cell.name.dataset} × {cell.name.backbone} × layer {cell.name.layer}")


def _planned(cells: tuple[Cell, ...], opened: _Opened) -> Pass:
    try:
        dataset = _dataset(cells[0], opened)
        return Pass(cells, dataset, _work(cells, Plan(cells[0].settings, dataset)))
    except ConfigError:
        raise
    except Exception as error:  # it fails its own cells, whatever it is
        return Pass(cells, failure=error)


def _dataset(cell: Cell, opened: _Opened) -> Dataset:
    s = cell.settings
    name = (s.dataset, s.root, s.test_fraction, s.seed, s.max_bad)
    if name not in opened:
        try:
            opened[name] = Plan(s).dataset
        except DataError as error:
            opened[name] = error
    found = opened[name]
    if isinstance(found, DataError):
        raise found
    return found


def _work(cells: tuple[Cell, ...], plan: Plan) -> Work:
    needs = plan.needs()
    seconds = [plan.seconds(need) if need.rows_to_compute else 0.0 for need in needs]
    known = [s for s in seconds if s is not None]
    whole = [cell.settings for cell in cells if not cell.drawn]
    return Work(
        sum(len(need.samples) for need in needs),
        sum(need.rows_to_compute for need in needs),
        sum(need.bytes_needed for need in needs),
        sum(known) if len(known) == len(seconds) else None,
        len(whole),
        sum(cached_head(plan, s.spec(s.head[0])) is not None for s in whole),
    )


def passes_json(passes: Sequence[Pass]) -> list[dict[str, Any]]:
    """Return the plan as JSON values."""
    return [
        {
            **{name: getattr(one.cells[0].name, name) for name in ("dataset", "backbone", "layer")},
            "cells": [cell.name.head for cell in one.cells],
            "work": asdict(one.work) if one.work else None,
            "failure": str(one.failure) if one.failure else None,
        }
        for one in passes
    ]


def passes_table(passes: Sequence[Pass]) -> str:
    """Return the plan for a terminal."""
    columns = ("dataset", "backbone", "layer", "rows", "to compute", "disk", "time", "heads", "fitted", "curves")
    rows = tuple(_row(one) for one in passes)
    cells = sum(len(one.cells) for one in passes)
    head = f"{counted(cells, 'cell')} in {counted(len({one.cells[0].network for one in passes}), 'backbone pass')}"
    failures = [f"- fails: {pass_name(one.cells[0])}: {one.failure}" for one in passes]
    failing = [line for line, one in zip(failures, passes, strict=True) if one.failure]
    return "\n".join([head, "", *aligned(Table("", columns, "<<<>>>>>>>", rows)), *failing])


def _row(one: Pass) -> tuple[str, ...]:
    first, work = one.cells[0].name, one.work
    names = (first.dataset, first.backbone, first.layer)
    curves = str(sum(cell.drawn for cell in one.cells))
    if work is None:
        return (*names, *[""] * 6, curves)
    seconds = "unknown" if work.seconds is None else f"about {work.seconds:,.0f} s"
    time = seconds if work.to_compute else "none"
    return (*names, f"{work.rows:,}", f"{work.to_compute:,}", size(work.bytes), time, *_heads(work), curves)


def _heads(work: Work) -> tuple[str, str]:
    return str(work.heads), str(work.fitted)
