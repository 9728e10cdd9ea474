"""The plan of a matrix: which cells share a backbone pass, what of it is cached, and what is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

from frostline.pipeline.bench.matrix import Cell, Matrix
from frostline.pipeline.engines.registry import check_engine
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.preview import Preview, preview
from frostline.pipeline.plan.resolve import resolve, resolve_remembered
from frostline.pipeline.report.table import Table, aligned
from frostline.pipeline.report.wording import size
from frostline.pipeline.settings import DatasetSettings
from frostline.pipeline.steps.heads import is_fitted
from frostline.stages.backbones import fingerprint
from frostline.stages.datasets import Dataset
from frostline.stages.errors import ConfigError, DataError, counted, listing, printable
from frostline.stages.heads import check_estimator

Made = TypeVar("Made")
Quantity = TypeVar("Quantity", int, float)
_Opened = dict[str, Dataset | DataError]


@dataclass(frozen=True)
class Work:
    """What one pass takes: ``rows`` of all splits and views, what of them to compute, bytes and seconds.

    ``heads``: to be fitted on all training rows; ``fitted``: of these. None is what can't be known before the network
    is loaded, or, of ``seconds``, was never measured.
    """

    rows: int
    to_compute: int | None
    bytes: int | None
    seconds: float | None
    heads: int
    fitted: int | None


@dataclass(frozen=True, eq=False)
class ExtractionGroup:
    """Cells that need the same features. ``failure``: why these can't be had; then there is no ``dataset``."""

    cells: tuple[Cell, ...]
    dataset: Dataset | None = None
    work: Work | None = None
    failure: Exception | None = None


def schedule(matrix: Matrix, *, may_load: bool = True) -> tuple[ExtractionGroup, ...]:
    """Return the passes of a matrix, every dataset opened once and every backbone resolved; nothing is computed.

    ``may_load``: whether a network is loaded where nothing remembers what its name means. Raises ConfigError that
    lists all that can't be used as asked: files that are not there, unknown datasets, backbones and weights; once a
    network is loaded, layers and sizes that it can't take. Data that can't be used fail their passes alone.
    """
    groups: dict[str, list[Cell]] = {}
    for cell in matrix.cells:
        groups.setdefault(cell.backbone_pass, []).append(cell)
    shared = [tuple(cells) for cells in groups.values()]
    _each(shared, lambda cells: _check_names(cells[0]))  # before any dataset is opened
    opened: _Opened = {}
    return tuple(_each(shared, lambda cells: _planned(cells, opened, may_load)))


def _each(groups: Sequence[tuple[Cell, ...]], make: Callable[[tuple[Cell, ...]], Made]) -> list[Made]:
    """Return what is made of each group. Raises ConfigError with all that went wrong."""
    made, wrong = [], []
    for cells in groups:
        try:
            made.append(make(cells))
        except ConfigError as error:
            wrong.append(f"{pass_name(cells[0])}: {error}")
    if wrong:
        raise ConfigError(f"nothing was run: these cells of the matrix are not possible:\n{listing(wrong)}")
    return made


def pass_name(cell: Cell) -> str:
    """Return what a cell's pass is called."""
    return printable(f"{cell.name.dataset} × {cell.name.backbone} × layer {cell.name.layer}")


def _check_names(cell: Cell) -> None:
    """Raise ConfigError for files that are not there and unknown names."""
    check_engine(cell.settings.engine)
    fingerprint(cell.settings.request())


def _planned(cells: tuple[Cell, ...], opened: _Opened, may_load: bool) -> ExtractionGroup:
    try:
        dataset = _dataset(cells[0], opened)
        cells = _suited(cells, dataset)
        inputs = open_inputs(cells[0].settings, dataset)
        resolved = resolve(inputs) if may_load else resolve_remembered(inputs)
        return ExtractionGroup(cells, dataset, _work(cells, preview(inputs, resolved)))
    except ConfigError:
        raise
    except Exception as error:  # it fails its own cells, whatever it is
        return ExtractionGroup(cells, failure=error)


def _suited(cells: tuple[Cell, ...], dataset: Dataset) -> tuple[Cell, ...]:
    """Return the cells with settings for the dataset's kind of target. Raises ConfigError for heads that can't be.

    A user's own code is not run for that: what it can't do fails its cells alone.
    """
    kind = dataset.train.targets.kind
    made: list[Cell] = []
    wrong: dict[str, None] = {}
    for cell in cells:
        try:
            own = cell.settings.suited(kind)
            if own.head[0].startswith("sklearn."):
                check_estimator(own.spec(own.head[0]), kind)
            made.append(replace(cell, settings=own))
        except ConfigError as error:
            wrong[str(error)] = None
    if wrong:
        raise ConfigError("; ".join(wrong))
    return tuple(made)


def _dataset(cell: Cell, opened: _Opened) -> Dataset:
    s = cell.settings
    name = s.model_dump_json(include={*DatasetSettings.model_fields, "max_bad"})
    if name not in opened:
        try:
            opened[name] = open_inputs(s).dataset
        except DataError as error:
            opened[name] = error
    found = opened[name]
    if isinstance(found, DataError):
        raise found
    return found


def _work(cells: tuple[Cell, ...], found: Preview) -> Work:
    whole = [cell.settings for cell in cells if not cell.drawn]
    fitted: list[int | None] = [is_fitted(found, s.spec(s.head[0])) for s in whole]
    return Work(
        sum(one.rows for one in found.sets),
        _sum([one.to_compute for one in found.sets]),
        _sum([one.bytes for one in found.sets]),
        _sum([0.0 if one.to_compute == 0 else one.seconds for one in found.sets]),
        len(whole),
        _sum(fitted),
    )


def _sum(values: Sequence[Quantity | None]) -> Quantity | None:
    """Return the sum, None where a value is not known."""
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def schedule_json(groups: Sequence[ExtractionGroup]) -> list[dict[str, Any]]:
    """Return the plan as JSON values."""
    return [
        {
            **{name: getattr(one.cells[0].name, name) for name in ("dataset", "backbone", "layer")},
            "cells": [cell.name.head for cell in one.cells],
            "work": asdict(one.work) if one.work else None,
            "failure": str(one.failure) if one.failure else None,
        }
        for one in groups
    ]


def schedule_table(groups: Sequence[ExtractionGroup]) -> str:
    """Return the plan for a terminal."""
    columns = ("dataset", "backbone", "layer", "rows", "to compute", "disk", "time", "heads", "fitted", "curves")
    rows = tuple(_row(one) for one in groups)
    cells = sum(len(one.cells) for one in groups)
    head = f"{counted(cells, 'cell')} in {counted(len({one.cells[0].network for one in groups}), 'backbone pass')}"
    failures = [f"- fails: {pass_name(one.cells[0])}: {one.failure}" for one in groups]
    failing = [line for line, one in zip(failures, groups, strict=True) if one.failure]
    return "\n".join([head, "", *aligned(Table("", columns, "<<<>>>>>>>", rows)), *failing])


def _row(one: ExtractionGroup) -> tuple[str, ...]:
    first, work = one.cells[0].name, one.work
    names = (first.dataset, first.backbone, first.layer)
    curves = str(sum(cell.drawn for cell in one.cells))
    if work is None:
        return (*names, *[""] * 6, curves)
    disk = "unknown" if work.bytes is None else size(work.bytes)
    return (
        *names,
        f"{work.rows:,}",
        _count(work.to_compute),
        disk,
        _time(work),
        str(work.heads),
        _count(work.fitted),
        curves,
    )


def _time(work: Work) -> str:
    if work.to_compute == 0:
        return "none"
    return "unknown" if work.seconds is None else f"about {work.seconds:,.0f} s"


def _count(n: int | None) -> str:
    return "unknown" if n is None else f"{n:,}"
