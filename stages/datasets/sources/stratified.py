"""By what a table without a split column is split: its target, other columns of it, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.table_targets import FoundTargets, read_targets
from frostline.stages.datasets.table import Table
from frostline.stages.errors import ConfigError
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.multi_label import MULTI_LABEL
from frostline.stages.targets.registry import TARGETS
from frostline.stages.targets.values import Targets

NOTHING = "none"


def stratification(table: Table, request: Request, found: FoundTargets) -> Targets:
    """Return the targets that a split of the rows is stratified by: ``found`` unless ``request.stratify`` says others.

    Those of one column are as if it were the target, so that a split depends on the columns alone, whatever is
    predicted. Several are dealt together, by iterative stratification of all their strata.

    Raises ConfigError for ``none`` with columns, DataError for columns that are not there or of no kind.
    """
    columns = request.stratify
    if not columns or columns == request.target:
        return found.targets
    if columns == (NOTHING,):
        return Targets(("all rows",), np.zeros(len(table), np.int64), DEFAULT)
    if NOTHING in columns:
        raise ConfigError(f"stratify {', '.join(columns)}: expected columns, or only {NOTHING}")
    training = np.ones(len(table), bool)
    each = [read_targets(table, _asking(request, name), training).targets for name in columns]
    return each[0] if len(each) == 1 and not _lacks(each[0]) else _together(each)


def _asking(request: Request, column: str) -> Request:
    own = column in request.target
    return replace(request, target=(column,), task=request.task if own else "auto", group=None)


def _lacks(targets: Targets) -> bool:
    return targets.kind == DEFAULT and bool((targets.values < 0).any())


def _together(each: Sequence[Targets]) -> Targets:
    """Return a label for each stratum of each of the targets; a row without a class has no label of that target."""
    strata = [TARGETS.load(targets.kind).strata(targets.values) for targets in each]
    named = [_names(targets, own) for targets, own in zip(each, strata, strict=True)]
    marked = [np.equal.outer(own, np.arange(len(names))) for own, names in zip(strata, named, strict=True)]
    values = np.concatenate(marked, axis=1).astype(np.int8)
    return Targets(tuple(name for names in named for name in names), values, MULTI_LABEL.kind)


def _names(targets: Targets, strata: NDArray[np.int64]) -> list[str]:
    """Return what strata are called, in their order."""
    those = targets.names if targets.kind == DEFAULT else range(int(strata.max(initial=-1)) + 1)
    return [f"{targets.column}={one}" for one in those]
