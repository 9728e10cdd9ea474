"""The first two steps together: resolve, then pick the numeric mode."""

from __future__ import annotations

from dataclasses import replace

from frostline.pipeline.plan.candidates import candidate_plans
from frostline.pipeline.plan.inputs import Inputs
from frostline.pipeline.plan.pick_mode import pick_mode
from frostline.pipeline.plan.plan import SPLITS, Plan
from frostline.pipeline.plan.resolve import resolve, resolve_remembered
from frostline.stages.errors import StoreError


def make_plan(inputs: Inputs, splits: tuple[str, ...] = SPLITS) -> Plan:
    """Return the plan of settings, the network loaded, and run on a few samples, where nothing else decides.

    Raises ConfigError: see ``resolve`` and ``pick_mode``.
    """
    plans = candidate_plans(resolve(inputs), splits)
    return plans[0] if len(plans) == 1 else _picked(plans)


def _picked(plans: list[Plan]) -> Plan:
    first = plans[0]
    network, modes = first.resolved.network, [plan.picked.mode for plan in plans]
    picked, loaded = pick_mode(network.load(), modes, first.dataset.train)
    network.keep(loaded)
    return replace(first, picked=picked)


def cached_plan(inputs: Inputs) -> Plan:
    """Return the plan of settings whose features are cached; no network is run.

    It is loaded only where nothing but its own code says what it is. Raises StoreError where the backbone is not
    remembered: then no feature of it is cached.
    """
    resolved = resolve_remembered(inputs)
    if resolved is None and inputs.fingerprint:
        raise StoreError(
            f"no cached features of {inputs.settings.backbone} with these settings; run `frostline extract` with "
            "the same settings first"
        )
    return candidate_plans(resolved or resolve(inputs))[0]
