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
from frostline.stages.store import FeatureSet, Layout


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
    layout = Layout(request.key.fields(), x.dataset, x.split, x.classes, len(x), request.width)
    return plan.workspace.store.begin(request.key, layout, _provenance(plan, unsteadiness_seen(plan, request)))


def _provenance(plan: Plan, unsteady: str) -> dict[str, Any]:
    names = ("frostline", "torch", "torchvision", "numpy", "h5py", "pillow")
    network = plan.load_network()
    precision, decode = plan.picked.precision_agreement, plan.picked.decode_agreement
    return {
        "made": now(),
        "host": platform.node(),
        "processor": platform.processor() or platform.machine(),
        "device": str(network.device),
        **({"licence": network.licence} if network.licence else {}),
        **({} if plan.settings.optimize == "auto" else {"optimize": plan.settings.optimize}),
        **({"unsteady": unsteady} if unsteady else {}),
        "agreement": asdict(precision) if precision else None,
        "decode_agreement": asdict(decode) if decode else None,
        "versions": {**{name: version(name) for name in names}, **versions_of(plan.settings.request())},
    }
