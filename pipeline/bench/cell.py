"""What one cell leaves in the workspace: a fitted head, or a learning curve. Any machine that sees it may do that."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from frostline.pipeline.bench.curves import curve_of
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.lookup import required_sets
from frostline.pipeline.plan.make import make_plan
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.settings import Settings
from frostline.pipeline.steps.features import LazyFeatures
from frostline.pipeline.steps.heads import cached_head, fit_head
from frostline.pipeline.steps.targets import target_digests
from frostline.stages.heads import HeadSpec

if TYPE_CHECKING:
    from frostline.pipeline.records.curve import Curve
    from frostline.pipeline.settings import Draw


def head_of(settings: Settings, plan: Plan) -> tuple[HeadSpec, Draw | None]:
    """Return the head of a cell, and how its training rows are drawn for a curve, if it is one."""
    name = settings.head[0]
    return settings.spec(name), settings.draw(name, plan.dataset.train.modality)


def curve_for(plan: Plan, spec: HeadSpec, draw: Draw, loaded: LazyFeatures) -> Curve:
    """Return the learning curve of a cell, remembered or drawn."""
    keys = [*(request.key.digest for request in required_sets(plan)), *target_digests(plan).values()]
    return curve_of(plan.workspace.root / "bench" / "curves", keys, spec, draw, loaded)


def is_to_fit(settings: Settings, plan: Plan) -> bool:
    """Whether a cell has a head that is not there yet, or a curve."""
    spec, draw = head_of(settings, plan)
    return bool(draw) or cached_head(plan, spec) is None


def as_text(settings: Settings) -> str:
    """Return a cell's settings as JSON: those that were given, since defaults next to them may contradict them."""
    given, grid = settings.model_dump(mode="json", exclude_unset=True), settings.grid
    if grid:
        given["grid"] = {grid.parameter: grid.values} if grid.parameter else grid.values
    return json.dumps(given)


def settings_in(text: str) -> Settings:
    """Return the settings that ``as_text`` wrote."""
    return Settings(**json.loads(text))


def fit_elsewhere(settings: str) -> None:
    """Make what a cell leaves in the workspace, by its settings as JSON; its features are there."""
    own = settings_in(settings)
    plan = make_plan(open_inputs(own))
    spec, draw = head_of(own, plan)
    if draw:
        curve_for(plan, spec, draw, LazyFeatures(plan))
    else:
        fit_head(plan, spec, LazyFeatures(plan))
