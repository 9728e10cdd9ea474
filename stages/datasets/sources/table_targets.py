"""The targets and groups of a table's rows: of which kind they are, and what is wrong with them, line by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.names import Spellings, is_missing, spellings
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.table import Table
from frostline.stages.errors import DataError
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.columns import kind_of, numbers_as_names, read_columns
from frostline.stages.targets.values import Targets

LABEL = "label"


@dataclass(frozen=True)
class FoundTargets:
    """Targets of all rows; ``row_faults``: what is wrong, by row. ``notes``: what was inferred."""

    targets: Targets
    row_faults: Mapping[int, str] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read_targets(table: Table, request: Request, training: NDArray[np.bool_]) -> FoundTargets:
    """Return what a request's columns say of every row. ``training``: which rows are, or may come to be, in training.

    Raises DataError: columns that are not there, of no kind, of several kinds, or with cells that can't be read.
    """
    names = request.target or (LABEL,)
    columns = {name: table.column(name) for name in names}
    try:
        kind = kind_of(columns, request.task, request.separator)
    except DataError as error:
        raise DataError(f"{table.file}: {error}") from error
    if kind != DEFAULT:
        targets = read_columns(columns, kind, table.where, request.separator)
        return FoundTargets(_grouped(targets, table, request), notes=_inferred(targets, request))
    if len(columns) > 1:
        raise DataError(
            f"columns {', '.join(names)} as one single-label target; expected one column, or another --task. "
            "`frostline run`, `extract`, `fit` and `evaluate` accept several, each as a separate target"
        )
    ((name, cells),) = columns.items()
    spelled = _spelled(cells, training)
    labels = _labels(cells, spelled)
    faults = {row: fault for row, cell in enumerate(cells) if (fault := _label_fault(name, cell))}
    targets = _grouped(Targets(spelled.classes, labels, column=name), table, request)
    return FoundTargets(targets, faults, spelled.faults, (*spelled.notes, *_as_names(name, cells, request)))


def _spelled(cells: Sequence[str], training: NDArray[np.bool_]) -> Spellings:
    labels = np.array(cells, object)
    named = np.array([_is_named(cell) for cell in cells], bool)
    return spellings(Counter(labels[training & named].tolist()), labels[~training & named].tolist())


def _labels(cells: Sequence[str], spelled: Spellings) -> NDArray[np.int64]:
    """Return each row's class, int64 (n,); -1 without a label or with a missing one."""
    position = {name: i for i, name in enumerate(spelled.classes)}
    return np.array([position[spelled.of[cell]] if _is_named(cell) else -1 for cell in cells], np.int64)


def _is_named(cell: str) -> bool:
    return cell != "" and not is_missing(cell)


def _label_fault(name: str, cell: str) -> str:
    if is_missing(cell):
        return f"{name} {cell!r}, which is how pandas writes a missing value; expected a label, or remove the row"
    return "" if cell else f"no {name}"


def _inferred(targets: Targets, request: Request) -> tuple[str, ...]:
    if request.task != "auto":
        return ()
    found = f"{len(targets.names)} labels" if targets.kind == "multi-label" else "numbers"
    return (f"{targets.column}: {found}, so the task is {targets.kind}; change it with --task",)


def _as_names(name: str, cells: Sequence[str], request: Request) -> tuple[str, ...]:
    count = numbers_as_names(cells) if request.task == "auto" else 0
    said = f"{name}: {count} different whole numbers, treated as class names; use --task regression if they are amounts"
    return (said,) if count else ()


def _grouped(targets: Targets, table: Table, request: Request) -> Targets:
    """Return targets with the groups of their rows. Raises DataError for rows without one."""
    if request.group is None:
        return targets
    cells = table.column(request.group, "--group")
    rows = [row for row, cell in enumerate(cells) if not cell or is_missing(cell)]
    if rows:
        raise DataError(f"{table.file}: no {request.group} on {table.where_all(rows)}; expected a group for every row")
    return replace(targets, groups=np.unique(np.array(cells, object), return_inverse=True)[1].ravel().astype(np.int64))
