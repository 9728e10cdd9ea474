"""Third step: which feature sets are needed, and what of each is cached, reusable or missing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from frostline.pipeline.plan.plan import Plan
from frostline.stages.datasets import Samples
from frostline.stages.modalities.image.spec import View
from frostline.stages.store import FeatureSet, KnownRows
from frostline.stages.store.key import FeatureKey, computation


@dataclass(frozen=True, eq=False)
class FeatureRequest:
    """One feature set that is needed, as it was when it was looked up.

    ``existing``: the set, if it was begun, in format 2 or 1. ``reusable``: rows in other sets.
    ``changes``: how its key differs from the most similar set's, if there is none of its own.
    """

    samples: Samples
    key: FeatureKey
    width: int
    existing: FeatureSet | None
    reusable: KnownRows
    changes: tuple[str, ...]

    @property
    def complete(self) -> bool:
        return self.existing is not None and self.existing.complete

    @property
    def missing_rows(self) -> int:
        """How many rows are not committed."""
        return sum(map(len, self._missing()))

    @property
    def rows_to_compute(self) -> int:
        """How many rows must go through the backbone."""
        digests, spans = self.samples.digests, self._missing()
        return sum(int((self.reusable.find(digests[span.start : span.stop]) < 0).sum()) for span in spans)

    @property
    def bytes_needed(self) -> int:
        return self.missing_rows * self.width * np.dtype(self.key.dtype).itemsize

    def _missing(self) -> list[range]:
        if self.existing is None:
            return [range(len(self.samples))]
        return list(map(self.existing.span, self.existing.missing()))


def look_up(plan: Plan, split: str, view: View) -> FeatureRequest:
    """Return what is there of one split's view, and why the rest is not."""
    key, samples, store = plan.key(split, view), plan.samples(split), plan.workspace.store
    found = plan.cached_set(split, view)
    if found is not None and found.complete:
        return FeatureRequest(samples, key, plan.width, found, KnownRows(), ())
    changes = store.nearest(key, samples.dataset, samples.split) if found is None else []
    return FeatureRequest(samples, key, plan.width, found, store.rows_like(key), tuple(changes))


def required_sets(plan: Plan) -> list[FeatureRequest]:
    """Return every feature set that a plan needs, split by split."""
    return [look_up(plan, split, view) for split in plan.splits for view in plan.settings.views]


def estimated_seconds(plan: Plan, request: FeatureRequest) -> float | None:
    """Return how long the missing rows should take, by the newest set of the same computation."""
    same = computation(request.key.fields())
    like = [f for f in plan.workspace.store.sets() if f.speed and computation(f.layout.key) == same]
    newest = max(like, key=lambda f: f.provenance.made, default=None)
    return request.rows_to_compute / newest.speed if newest and newest.speed else None
