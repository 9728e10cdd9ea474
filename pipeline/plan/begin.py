"""A feature set that is needed is begun: its description is written, with when, where and how it is made."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from frostline.pipeline.plan.lookup import FeatureRequest
from frostline.pipeline.plan.machine import now
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.plan.steady import unsteadiness_seen
from frostline.stages.backbones.families.fingerprint import versions_of
from frostline.stages.errors import StoreError
from frostline.stages.extract.truncation import Truncation, truncation
from frostline.stages.modalities.base import CuttingTransform
from frostline.stages.store import FeatureSet, Layout
from frostline.stages.store.targets import target_file


def begin(plan: Plan, request: FeatureRequest) -> FeatureSet:
    """Return the set of a request, begun if it is not there.

    Raises StoreError for one that was begun under another ``--optimize``: its rows would differ in their last bits.
    Raises ConfigError, before anything is written, for a network whose features are not an image's own.
    """
    if request.existing is not None:
        begun, asked = request.existing.made.get("optimize", "auto"), plan.settings.optimize
        if begun != asked:
            folder = request.existing.folder
            raise StoreError(f"{folder} was begun with --optimize {begun}; go on with that, or remove the folder")
        return request.existing
    x = request.samples
    layout = Layout(request.key.fields(), x.dataset, x.split, len(x), request.width)
    made = _provenance(plan, request)
    return plan.workspace.store.begin(layout, made, target_file(x.targets, x.ids))


def _provenance(plan: Plan, request: FeatureRequest) -> dict[str, Any]:
    unsteady, cut = unsteadiness_seen(plan, request), _truncation(plan, request)
    names = ("frostline", "torch", "torchvision", "numpy", "h5py", "pillow")
    precision, decode = plan.picked.precision_agreement, plan.picked.decode_agreement
    return {
        "made": now(),
        "host": platform.node(),
        "processor": platform.processor() or platform.machine(),
        **_network(plan, request),
        **({} if plan.settings.optimize == "auto" else {"optimize": plan.settings.optimize}),
        **({"unsteady": unsteady} if unsteady else {}),
        **({"truncation": cut.fields()} if cut else {}),
        "agreement": asdict(precision) if precision else None,
        "decode_agreement": asdict(decode) if decode else None,
        "versions": {**{name: version(name) for name in names}, **versions_of(plan.resolved.inputs.request)},
    }


def _network(plan: Plan, request: FeatureRequest) -> dict[str, str]:
    """Return where features are computed and the licence of the weights; of copied rows, as their set has it."""
    if not request.rows_to_compute:
        made = next(iter(request.reusable.values())).features.made
        return {name: made[name] for name in ("device", "licence") if name in made}
    network = plan.load_network()
    return {"device": str(network.device), **({"licence": network.licence} if network.licence else {})}


def _truncation(plan: Plan, request: FeatureRequest) -> Truncation | None:
    """Return how much of the samples is cut off, None for a modality of which nothing ever is."""
    if not isinstance(plan.spec.preprocessing, CuttingTransform):
        return None
    return truncation(request.samples, plan.load_network().spec.preprocessing)
