"""What features cost: time, disk, and the size of the network that they need."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from frostline.pipeline.bench.leaderboard import Costs
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.records.run import Extracted
from frostline.stages.buckets.cache import local
from frostline.stages.buckets.mirror import stored_bytes
from frostline.stages.records.safe_read import read_sealed
from frostline.stages.records.sealed import digest, sealed
from frostline.stages.store import make_folder, open_set, write_atomic

log = logging.getLogger("frostline")


def costs_of(plan: Plan, features: Sequence[Extracted]) -> Costs:
    """Return what a plan's features cost, as far as that is known."""
    speeds = [open_set(e.folder).speed for e in features]
    known = [e.rows / speed for e, speed in zip(features, speeds, strict=True) if speed]
    seconds = sum(known) if len(known) == len(speeds) else None
    return Costs(
        parameters=_parameters(plan),
        images_per_second=sum(e.rows for e in features) / seconds if seconds else None,
        extract_seconds=seconds,
        bytes=sum(stored_bytes(local(e.folder)) for e in features),
    )


def _parameters(plan: Plan) -> int | None:
    """Return the number of parameters that features depend on, remembered once it was counted."""
    path = plan.workspace.root / "bench" / "parameters" / f"{digest(plan.spec.fields())[:16]}.json"
    try:
        return int(read_sealed(path)["parameters"])
    except (OSError, ValueError, KeyError, TypeError):
        count = _counted(plan)
    if count is not None:
        make_folder(path.parent)
        write_atomic(path, sealed({"parameters": count}))
    return count


def _counted(plan: Plan) -> int | None:
    from frostline.stages.backbones.describe.parameters import count_parameters

    try:
        return count_parameters(plan.resolved.inputs.request, plan.spec)
    except Exception as error:  # a user's network may let no gradient through
        log.info("could not count the parameters of %s: %s", plan.settings.backbone, error)
        return None
