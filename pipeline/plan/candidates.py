"""Which numeric modes are still in question, once the settings and the cache have been asked."""

from __future__ import annotations

from collections.abc import Sequence

from frostline.pipeline.plan.numeric_mode import NumericMode, candidate_modes, distinct_modes
from frostline.pipeline.plan.pick_mode import PickedMode
from frostline.pipeline.plan.plan import SPLITS, Plan
from frostline.pipeline.plan.resolve import Resolved


def candidate_plans(resolved: Resolved, splits: tuple[str, ...] = SPLITS) -> list[Plan]:
    """Return a plan for each mode that may be picked, the more exact ones first; one alone is decided.

    The settings decide, else what is cached, else that the images make no difference. No network is run.
    """
    asked = candidate_modes(resolved.inputs.settings, resolved.backbone.spec)
    found = _cached(_plans(resolved, asked, splits))
    if found:
        return [found]
    left = _plans(resolved, distinct_modes(asked, resolved.inputs.dataset.train), splits)
    found = _cached(left)
    return [found] if found else left


def _plans(resolved: Resolved, modes: Sequence[NumericMode], splits: tuple[str, ...]) -> list[Plan]:
    return [Plan(resolved, PickedMode(mode), splits) for mode in modes]


def _cached(plans: Sequence[Plan]) -> Plan | None:
    """Return the plan of which most is cached, of equals the most exact one; what is exact has no choice."""
    if len(plans) == 1 and plans[0].picked.mode.jpeg_min_side is None:
        return plans[0]
    score = [_cached_sets(plan) for plan in plans]
    return plans[score.index(max(score))] if any(score) else next(filter(_reusable, plans), None)


def _cached_sets(plan: Plan) -> int:
    """Return how much there is: 1 for each set begun, more for one that is complete."""
    sets = [plan.cached_set(split, view) for split in SPLITS for view in plan.settings.views]
    return sum(1 + 1000 * found.complete for found in sets if found is not None)


def _reusable(plan: Plan) -> bool:
    """Whether other sets hold rows made in this mode, as those of a dataset that has grown since do."""
    return any(plan.workspace.store.has_rows_like(plan.key("train", view)) for view in plan.settings.views)
