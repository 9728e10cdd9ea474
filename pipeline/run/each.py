"""Many targets or layers in one command: each separately, on features that are computed in as few passes as can be."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from frostline.pipeline.plan.inputs import Inputs
from frostline.pipeline.plan.make import make_plan
from frostline.pipeline.records.run import Report
from frostline.pipeline.run.run import Opened, open_run, run_opened
from frostline.pipeline.settings import DatasetSettings, Settings
from frostline.pipeline.steps.features import extract_shared
from frostline.stages.datasets import Dataset, Samples
from frostline.stages.errors import DataError
from frostline.stages.targets.base import DEFAULT

AnyDataset = TypeVar("AnyDataset", bound=DatasetSettings)
Found = TypeVar("Found")
log = logging.getLogger("frostline")


def each_of(settings: AnyDataset) -> tuple[AnyDataset, ...]:
    """Return settings of one layer and one target each: several columns of single labels are so many targets.

    These share one split, which is stratified by all of them unless the settings say otherwise. A baseline stands
    next to the first layer alone.
    """
    layers = layers_of(settings)
    columns = settings.target if settings.task == DEFAULT else ()
    stratify = settings.stratify or columns
    targets: list[dict[str, Any]] = [{"target": (column,), "stratify": stratify} for column in columns]
    targets = targets if len(columns) > 1 else [{}]
    alone: dict[str, Any] = {"baseline": "none"} if "baseline" in type(settings).model_fields else {}
    of_layers: list[dict[str, Any]] = [{"layer": layer, **(alone if i else {})} for i, layer in enumerate(layers)]
    of_layers = of_layers if len(layers) > 1 else [{}]
    return tuple(settings.model_copy(update={**layer, **target}) for layer in of_layers for target in targets)


def layers_of(settings: DatasetSettings) -> list[str]:
    """Return the layers that settings name, by commas."""
    named: str | None = None if getattr(settings, "concatenate", False) else getattr(settings, "layer", None)
    return [layer for one in (named or "").split(",") if (layer := one.strip())]


def naming(each: Sequence[DatasetSettings]) -> list[dict[str, str]]:
    """Return what tells settings of one command from each other, by name: target, layer, or nothing."""
    targets, layers = [", ".join(one.target) for one in each], [getattr(one, "layer", None) or "" for one in each]
    differing = {name: own for name, own in (("layer", layers), ("target", targets)) if len(set(own)) > 1}
    return [{name: own[i] for name, own in differing.items()} for i in range(len(each))]


def for_each(
    settings: AnyDataset, command: Callable[[AnyDataset], tuple[Found, ...]]
) -> list[tuple[dict[str, str], Found]]:
    """Return what a command finds for every target and layer of the settings, named where there are several."""
    each = each_of(settings)
    return [(name, found) for name, one in zip(naming(each), each, strict=True) for found in command(one)]


def run_each(settings: Settings) -> tuple[Report, ...]:
    """Do what ``run`` does for every target and layer of the settings; samples that are split alike share features.

    Raises DataError that lists every target that can't be used, before a network is loaded.
    """
    opened = open_each(settings)
    share_pass([one.inputs[0] for one in opened])
    return tuple(map(run_opened, opened))


def share_pass(inputs: Sequence[Inputs]) -> None:
    """Compute the features of several layers from one pass of their network, as far as that can be.

    What can't be had so is left to each layer alone, and what is wrong with a layer to whoever asks for it.
    """
    layers = list({getattr(one.settings, "layer", None): one for one in inputs}.values())
    if len(layers) < 2:
        return
    try:
        plans = [make_plan(one) for one in layers]
        if len({plan.picked.mode for plan in plans}) == 1:  # a pass has one kind of images
            extract_shared(plans)
    except Exception as error:  # a user's network may raise anything
        log.info(
            "the layers of %s are extracted one by one, without a shared pass: %s", layers[0].settings.backbone, error
        )


def open_each(settings: Settings) -> tuple[Opened, ...]:
    """Return what every target of the settings needs, opened. Raises DataError that lists those that can't be used."""
    each = each_of(settings)
    if len(each) == 1:
        return (open_run(settings),)
    opened: list[Opened] = []
    wrong: dict[str, dict[str, None]] = {}
    for one in each:
        try:
            opened.append(_shared(opened[0], open_run(one)) if opened else open_run(one))
        except DataError as error:
            wrong.setdefault(str(error), {}).update(dict.fromkeys(one.target))
    if wrong:
        faults = "\n".join(f"{', '.join(names)}: {fault}" for fault, names in wrong.items())
        raise DataError(f"nothing was run: of {len(each)} targets, these can't be used:\n{faults}")
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
