"""What a fitted head says of the features that it takes, as a plan for samples without labels."""

from __future__ import annotations

import logging
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from frostline.pipeline.plan.inputs import Inputs, check_bad
from frostline.pipeline.plan.network import LazyNetwork
from frostline.pipeline.plan.numeric_mode import NumericMode
from frostline.pipeline.plan.pick_mode import PickedMode
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.plan.resolve import Resolved
from frostline.pipeline.progress import bar
from frostline.pipeline.records.head_record import HeadBackbone
from frostline.pipeline.settings import ExtractSettings
from frostline.pipeline.workspace import ResolvedBackbone, open_workspace
from frostline.stages.backbones import BackboneRequest
from frostline.stages.backbones.runtime import runtime_of
from frostline.stages.datasets import ALL, Dataset, Samples
from frostline.stages.errors import DataError
from frostline.stages.modalities.base import Transform
from frostline.stages.modalities.registry import MODALITIES

log = logging.getLogger("frostline")


@dataclass(frozen=True, eq=False)
class _AsFitted(Inputs):
    """Inputs whose backbone is asked for in the words of a head's record."""

    asked: BackboneRequest

    @property
    def request(self) -> BackboneRequest:
        return self.asked


def request_of(made: HeadBackbone, name: str, weights: str) -> BackboneRequest:
    """Return the request that gets a head's backbone again, from under this name and these weights."""
    wanted = made.spec
    return BackboneRequest(name, weights, wanted.layer, wanted.pool, _chosen(wanted.preprocessing), wanted.modality)


def _chosen(how: Transform[Any]) -> dict[str, Any]:
    """Return the fields of a transform that a request may choose: all others the family finds again, and says."""
    settings = MODALITIES.load(how.modality).settings
    return {one.name: getattr(how, one.name) for one in fields(how) if one.name in settings}


def plan_of_head(folder: Path, made: HeadBackbone, width: int, settings: ExtractSettings) -> Plan:
    """Return the plan by which all samples of the settings' dataset get the features that the head in a folder takes.

    ``width``: of these. No network is loaded; the one that is loaded at last is compared by whoever loads it. Raises
    DataError: samples of another modality or width, or more that can't be read than ``max_bad``.
    """
    samples = _opened(made, settings)
    nobody = samples.take(np.empty(0, np.int64), "none")
    asked = request_of(made, settings.backbone, settings.weights)
    inputs = _AsFitted(settings, Dataset(samples.dataset, samples, nobody), None, asked)
    resolved = Resolved(inputs, ResolvedBackbone(made.spec, width), LazyNetwork(inputs))
    precision = made.precision_by(runtime_of(settings.optimize))
    return Plan(resolved, PickedMode(NumericMode(precision, made.jpeg_least)), (ALL,), folder)


def _opened(made: HeadBackbone, settings: ExtractSettings) -> Samples:
    with bar("reading", "files") as shown:
        samples, notes = settings.open_samples(open_workspace(settings.data_dir), made.spec.modality, shown.at)
    for note in notes:
        log.info("note: %s", note)
    for name in MODALITIES.load(samples.modality).settings:
        wanted, found = getattr(made.spec.preprocessing, name, None), samples.options.get(name)
        if found not in (None, wanted):
            noun = MODALITIES.load(samples.modality).noun
            raise DataError(f"{settings.dataset} holds {noun}s with {name} {found}; the head expects {name} {wanted}")
    bad = [f"{samples.ids[row]}: {reason}" for row, reason in sorted(samples.problems.items())]
    check_bad(bad, settings.max_bad, "; more may be found when they are decoded")
    return samples
