"""Many targets in one command: a head for each column of a table, on features that are computed once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from frostline.pipeline.plan.inputs import Inputs
from frostline.pipeline.records.run import Report
from frostline.pipeline.run.run import Opened, open_run, run_opened
from frostline.pipeline.settings.models import DatasetSettings, Settings
from frostline.stages.datasets import Dataset, Samples
from frostline.stages.errors import DataError
from frostline.stages.targets.base import DEFAULT

AnyDataset = TypeVar("AnyDataset", bound=DatasetSettings)
Found = TypeVar("Found")


def by_target(settings: AnyDataset) -> tuple[AnyDataset, ...]:
    """Return settings of one target each: of several columns of single labels each by itself, else all as they are."""
    if settings.task != DEFAULT or len(settings.target) < 2:
        return (settings,)
    return tuple(settings.model_copy(update={"target": (column,)}) for column in settings.target)


def for_each(
    settings: AnyDataset, command: Callable[[AnyDataset], tuple[Found, ...]]
) -> list[tuple[dict[str, str], Found]]:
    """Return what a command finds for every target of the settings, with its name where there are several."""
    each = by_target(settings)
    names = [{"target": one.target[0]} if len(each) > 1 else {} for one in each]
    return [(name, found) for name, one in zip(names, each, strict=True) for found in command(one)]


def run_each(settings: Settings) -> tuple[Report, ...]:
    """Do what ``run`` does for every target of the settings. Samples that are split alike share their features.

    Raises DataError that lists every target that can't be used, before a network is loaded.
    """
    return tuple(map(run_opened, open_each(settings)))


def open_each(settings: Settings) -> tuple[Opened, ...]:
    """Return what every target of the settings needs, opened. Raises DataError that lists those that can't be used."""
    each = by_target(settings)
    if len(each) == 1:
        return (open_run(settings),)
    opened: list[Opened] = []
    wrong: dict[str, list[str]] = {}
    for one in each:
        try:
            opened.append(_shared(opened[0], open_run(one)) if opened else open_run(one))
        except DataError as error:
            wrong.setdefault(str(error), []).extend(one.target)
    if wrong:
        faults = "\n".join(f"{', '.join(names)}: {fault}" for fault, names in wrong.items())
        raise DataError(f"nothing was run; of {len(each)} targets these can't be:\n{faults}")
    return tuple(opened)


def _shared(first: Opened, other: Opened) -> Opened:
    """Return the other with the first's samples where they are the same: one copy of their names in memory."""
    train, test = (
        _retargeted(mine, theirs) for mine, theirs in zip(_dataset(first).splits, _dataset(other).splits, strict=True)
    )
    dataset = replace(_dataset(other), train=train, test=test)
    return replace(other, inputs=tuple(_with(inputs, dataset) for inputs in other.inputs))


def _dataset(opened: Opened) -> Dataset:
    return opened.inputs[0].dataset


def _with(inputs: Inputs, dataset: Dataset) -> Inputs:
    return replace(inputs, dataset=dataset)


def _retargeted(mine: Samples, theirs: Samples) -> Samples:
    return replace(mine, targets=theirs.targets) if mine.content == theirs.content else theirs
