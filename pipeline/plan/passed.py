"""Which networks were found steady on a machine like this one: kept in the workspace, so that less is tried again."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from frostline.pipeline.plan.inputs import Inputs
from frostline.pipeline.plan.machine import device_of
from frostline.stages.backbones.families.fingerprint import versions_of
from frostline.stages.backbones.runtime import runtime_of
from frostline.stages.backbones.spec import BackboneSpec, Precision

MAX_BATCH = 16  # samples at once when steadiness is checked, if no smaller --batch-size is given
_VERSIONS = ("torch", "numpy", "frostline")


def was_steady(inputs: Inputs, spec: BackboneSpec, precision: Precision) -> bool:
    """Whether a network, in a precision, was found steady before.

    That counts for the same weights, versions (OpenVINO's too, if that runs it), processor and threads, and for
    batches as large as those that were tried.
    """
    return inputs.workspace.has_passed(_check(inputs, spec, precision))


def keep_steady(inputs: Inputs, spec: BackboneSpec, precision: Precision) -> None:
    """Remember that a network was found steady on samples of a dataset."""
    inputs.workspace.keep_passed(_check(inputs, spec, precision))


def _check(inputs: Inputs, spec: BackboneSpec, precision: Precision) -> dict[str, Any]:
    """Return all that the result depends on, as JSON values."""
    versions = {**{name: version(name) for name in _VERSIONS}, **versions_of(inputs.request)}
    return {
        "check": "steady",
        "backbone": spec.fields(),
        "precision": precision,
        "optimize": inputs.settings.optimize,
        "runtime": runtime_of(inputs.settings.optimize),
        "batch": min(inputs.settings.batch_size or MAX_BATCH, MAX_BATCH),
        "device": _described(device_of(inputs.settings.device)),
        "versions": versions,
    }


def _described(device: str) -> dict[str, Any]:
    import torch

    if torch.device(device).type == "cpu":
        from frostline.stages.backbones.optimize import described_processor

        return described_processor()
    found = torch.cuda.get_device_properties(device)
    cudnn: Any = torch.backends.cudnn  # whose stubs know no types
    return {"name": found.name, "able": [found.major, found.minor], "cudnn": cudnn.version()}
