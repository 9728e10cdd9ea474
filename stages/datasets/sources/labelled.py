"""From a table to a dataset: its targets, its splits, and the samples of its rows. All sources of tables go so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.groups import grouped_by
from frostline.stages.datasets.samples import Dataset, Samples, split_by_content
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.split_column import (
    SPLITS,
    held,
    numbers_fault,
    row_fault,
    split_faults,
    split_notes,
    splits_of,
    unused_note,
)
from frostline.stages.datasets.sources.stratified import stratification
from frostline.stages.datasets.sources.table_targets import FoundTargets, read_targets
from frostline.stages.datasets.table import Table
from frostline.stages.errors import DataError, listing
from frostline.stages.targets.registry import TARGETS
from frostline.stages.targets.values import Targets


@dataclass(frozen=True)
class Rows:
    """The rows of a table, their targets read. What is wrong with them is told with what is wrong with the samples."""

    table: Table
    splits: NDArray[np.str_] | None
    found: FoundTargets
    wrong: Sequence[str]

    @property
    def targets(self) -> Targets:
        return self.found.targets

    def check(self, of_sample: Mapping[int, str] | None = None, where: str = "", more: Sequence[str] = ()) -> None:
        """Raise DataError with all that is wrong: with rows, with their samples, by row, and with the table.

        ``where``: about where the samples are looked for; ``more``: what else is wrong.
        """
        wrong = [*self._faults(of_sample or {}), *more, *self.wrong]
        if wrong:
            about = f" ({where})" if where and of_sample else ""
            raise DataError(f"{self.table.file} can't be used{about}:\n{listing(wrong)}")

    def _faults(self, of_sample: Mapping[int, str]) -> Iterator[str]:
        """Yield what is wrong with the rows, each with where it is, in their order."""
        lost = [] if self.splits is None else np.flatnonzero(~np.isin(self.splits, SPLITS)).tolist()
        for row in sorted({*self.found.row_faults, *lost, *of_sample}):
            faults = [self.found.row_faults[row]] if row in self.found.row_faults else []
            if self.splits is not None and (fault := row_fault(str(self.splits[row]))):
                faults.append(fault)
            faults += [of_sample[row]] if row in of_sample else []
            yield from (f"{self.table.where(row)}: {fault}" for fault in faults)


Make = Callable[[Rows], tuple[Samples, tuple[str, ...]]]
"""Returns the samples of a table's rows, and notes on them. It calls ``Rows.check``."""


def open_labelled(request: Request, table: Table, make: Make) -> Dataset:
    """Return the dataset of a table and the samples of its rows.

    The column ``split`` is ``train`` or ``test`` (or ``val``, taken as test where there is no ``test``), or what else
    people call these; without it the rows are split by ``test_fraction`` and ``seed``. Raises DataError that lists
    every row at fault.
    """
    splits = splits_of(table)
    if numbers := numbers_fault(table, splits):
        raise DataError(f"{table.file} can't be used:\n{numbers}")
    found = read_targets(table, request, np.ones(len(table), bool) if splits is None else splits == "train")
    by = stratification(table, request, found) if splits is None else found.targets
    wrong = [*found.faults, *split_faults(table, splits), *_target_faults(found, splits, by, request.test_fraction)]
    samples, noted = make(Rows(table, splits, found, wrong))
    samples = grouped_by(samples, request.group_pattern, request.group_file)
    notes = (*table.notes, *noted, *found.notes)
    if splits is None:
        both = split_by_content(samples, request.test_fraction, request.seed, by)
        return Dataset(samples.dataset, *both, (*notes, *unused_note(table)))
    train, test = np.flatnonzero(splits == "train"), np.flatnonzero(splits == held(splits))
    notes += split_notes(table, splits)
    return Dataset(samples.dataset, samples.take(train, "train"), samples.take(test, "test"), notes)


def _target_faults(
    found: FoundTargets, splits: NDArray[np.str_] | None, by: Targets, test_fraction: float
) -> list[str]:
    """Return what makes the targets of the rows that have any useless."""
    kept = np.ones(len(found.targets), bool)
    kept[list(found.row_faults)] = False
    names, values, target = found.targets.names, found.targets.values, TARGETS.load(found.targets.kind)
    if splits is None:
        stratified = TARGETS.load(by.kind).split_faults(by.names, by.values[kept], test_fraction)
        return target.number_faults(names) or stratified
    return target.faults(names, *(values[kept & (splits == name)] for name in ("train", held(splits))))
