"""A feature set that is needed is begun: its description is written, with when, where and how it is made."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version

from frostline.pipeline.plan.lookup import FeatureRequest
from frostline.pipeline.plan.machine import now
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.plan.steady import unsteadiness_seen
from frostline.stages.backbones.families.fingerprint import versions_of
from frostline.stages.errors import StoreError
from frostline.stages.extract.truncation import Truncation, truncation
from frostline.stages.modalities.base import CuttingTransform
from frostline.stages.store import FeatureSet, Layout, Provenance
from frostline.stages.store.targets import target_file


def begin(plan: Plan, request: FeatureRequest) -> FeatureSet:
    """Return the set of a request, begun if it is not there.

    Raises StoreError for one that was begun under another ``--optimize``: its rows would differ in their last bits.
    Raises ConfigError, before anything is written, for a network whose features are not a sample's own.
    """
    if request.existing is not None:
        begun, asked = request.existing.provenance.optimize, plan.settings.optimize
        if begun != asked:
            folder = request.existing.folder
            raise StoreError(
                f"{folder} was begun with --optimize {begun}; use the same option to continue, or remove the folder"
            )
        return request.existing
    x = request.samples
    layout = Layout(request.key.fields(), x.dataset, x.split, len(x), request.width)
    targets = target_file(x.targets, x.ids) if x.targets.names else None
    return plan.workspace.store.begin(layout, _provenance(plan, request), targets)


def _provenance(plan: Plan, request: FeatureRequest) -> Provenance:
    unsteady = unsteadiness_seen(plan, request)
    cut = _truncation(plan, request)
    device, licence = _device_and_licence(plan, request)
    names = ("frostline", "torch", "torchvision", "numpy", "h5py", "pillow")
    precision, decode = plan.picked.precision_agreement, plan.picked.decode_agreement
    return Provenance(
        made=now(),
        host=platform.node(),
        processor=platform.processor() or platform.machine(),
        device=device,
        licence=licence,
        optimize=plan.settings.optimize,
        unsteady=unsteady,
        agreement=asdict(precision) if precision else None,
        decode_agreement=asdict(decode) if decode else None,
        truncation=cut.fields() if cut else None,
        versions={
            **{name: version(name) for name in names},
            **versions_of(plan.resolved.inputs.request),
            **_runtime(request),
        },
    )


def _runtime(request: FeatureRequest) -> dict[str, str]:
    """Return the version of the library that runs the network, by its name, if it is not torch."""
    name, _, number = request.key.runtime.partition(" ")
    return {name: number} if name else {}


def _device_and_licence(plan: Plan, request: FeatureRequest) -> tuple[str, str]:
    """Return where features are computed and the licence of the weights; of copied rows, as their set has it."""
    if not request.rows_to_compute:
        copied = request.reusable.sets[0].provenance
        return copied.device, copied.licence
    network = plan.load_network()
    return str(network.device), network.licence or ""


def _truncation(plan: Plan, request: FeatureRequest) -> Truncation | None:
    """Return how much of the samples is cut off, None for a modality of which nothing ever is."""
    if not isinstance(plan.spec.preprocessing, CuttingTransform):
        return None
    return truncation(request.samples, plan.load_network().spec.preprocessing)
