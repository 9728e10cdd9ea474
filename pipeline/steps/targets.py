"""A plan's targets: known by their digests, and kept next to the features."""

from __future__ import annotations

from collections.abc import Iterable

from frostline.pipeline.plan.plan import Plan
from frostline.stages.store import plain
from frostline.stages.store import targets as stored


def target_digests(plan: Plan) -> dict[str, str]:
    """Return the digest of each split's targets."""
    return {samples.split: samples.target_digest for samples in plan.dataset.splits}


def keep_targets(plan: Plan, splits: Iterable[str]) -> None:
    """Write the targets of splits into the workspace, unless they are there. Raises StoreError."""
    for samples in plan.dataset.splits:
        if samples.split not in splits:
            continue
        name = "-".join(map(plain, (samples.dataset, samples.split, samples.targets.column)))
        stored.keep_targets(plan.workspace.targets, name, samples.targets, samples.ids)
