"""What a run would do: ``--dry-run``. No network is loaded; what can't be known without one is None, or "unknown"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from frostline.pipeline.plan.candidates import candidate_plans
from frostline.pipeline.plan.inputs import Inputs
from frostline.pipeline.plan.lookup import FeatureRequest, estimated_seconds, look_up
from frostline.pipeline.plan.plan import SPLITS, Plan
from frostline.pipeline.plan.resolve import Resolved
from frostline.stages.modalities.image.spec import View


@dataclass(frozen=True)
class SetPreview:
    """One feature set that is needed: its rows by where they come from, what it takes, and its key's fields.

    ``seconds``: None as well where nothing was computed this way before.
    """

    split: str
    view: View
    rows: int
    cached: int | None = None
    reusable: int | None = None
    to_compute: int | None = None
    bytes: int | None = None
    seconds: float | None = None
    changes: tuple[str, ...] = ()
    key: dict[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Preview:
    """What is known of a plan before a network is loaded.

    ``candidates``: a plan for each numeric mode in question; none where the backbone is not remembered.
    """

    inputs: Inputs
    candidates: tuple[Plan, ...]
    sets: tuple[SetPreview, ...]

    @property
    def complete(self) -> bool:
        """Whether it is known that every feature is cached."""
        return all(one.cached == one.rows for one in self.sets)

    @property
    def unknown(self) -> tuple[str, ...]:
        """What can't be known without the network: ``backbone``, or ``precision`` and ``decode``, or nothing."""
        if not self.candidates:
            return ("backbone",)
        modes = [plan.picked.mode for plan in self.candidates]
        precisions, sides = len({mode.precision for mode in modes}), len({mode.jpeg_min_side for mode in modes})
        return tuple(name for name, n in (("precision", precisions), ("decode", sides)) if n > 1)


def preview(inputs: Inputs, resolved: Resolved | None) -> Preview:
    """Return what is known of a plan, whose settings may not be ``resolved``. Neither torch nor a network is loaded."""
    candidates = tuple(candidate_plans(resolved)) if resolved else ()
    asked = [(split, view) for split in SPLITS for view in inputs.settings.views]
    if candidates:
        return Preview(inputs, candidates, tuple(_looked_up(candidates, split, view) for split, view in asked))
    return Preview(inputs, (), tuple(_unresolved(inputs, split, view) for split, view in asked))


def _unresolved(inputs: Inputs, split: str, view: View) -> SetPreview:
    rows = len(inputs.dataset.train if split == "train" else inputs.dataset.test)
    if inputs.workspace.store.folders():
        return SetPreview(split, view, rows)
    return SetPreview(split, view, rows, cached=0, reusable=0, to_compute=rows)


def _looked_up(candidates: Sequence[Plan], split: str, view: View) -> SetPreview:
    requests = [look_up(plan, split, view) for plan in candidates]
    best = min(requests, key=lambda request: request.rows_to_compute)  # of nothing cached, nothing is known apart
    return SetPreview(
        best.samples.split,
        view,
        rows=len(best.samples),
        cached=len(best.samples) - best.missing_rows,
        reusable=best.missing_rows - best.rows_to_compute,
        to_compute=best.rows_to_compute,
        bytes=best.bytes_needed,
        seconds=estimated_seconds(candidates[0], best) if len(candidates) == 1 else None,
        changes=min((request.changes for request in requests), key=len),
        key=_common_fields(requests),
    )


def _common_fields(requests: Sequence[FeatureRequest]) -> dict[str, Any]:
    """Return the fields of all keys, None where they differ."""
    first, *others = [request.key.fields() for request in requests]
    return {name: value if all(o[name] == value for o in others) else None for name, value in first.items()}
