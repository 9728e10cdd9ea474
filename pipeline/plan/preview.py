"""What a run would do: ``--dry-run``. No network is loaded; what can't be known without one is None, or "unknown"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from frostline.pipeline.plan.candidates import candidate_plans
from frostline.pipeline.plan.inputs import Inputs
from frostline.pipeline.plan.lookup import FeatureRequest, estimated_seconds, look_up
from frostline.pipeline.plan.numeric_mode import trial_rows
from frostline.pipeline.plan.plan import SPLITS, Plan
from frostline.pipeline.plan.resolve import Resolved
from frostline.pipeline.report.table import Table, aligned
from frostline.pipeline.report.wording import size
from frostline.stages.errors import counted
from frostline.stages.modalities.image.spec import View

_COLUMNS = ("split", "view", "rows", "cached", "reusable", "to compute", "disk", "time")


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


def preview_json(found: Preview) -> dict[str, Any]:
    """Return a preview as JSON values, null for what is unknown."""
    sets = [{**asdict(one), "changes": list(one.changes)} for one in found.sets]
    return {"backbone": found.inputs.settings.backbone, "features": sets, "unknown": list(found.unknown)}


def preview_table(found: Preview) -> str:
    """Return a preview for a terminal."""
    _, *rows = lines = aligned(Table("", _COLUMNS, "<<>>>>><", tuple(map(_row, found.sets))))
    changes = [[f"       not the cached features: {change}" for change in one.changes] for one in found.sets]
    body = [line for row, own in zip(rows, changes, strict=True) for line in (row, *own)]
    return "\n".join([found.inputs.settings.backbone, *lines[:1], *body, *_open_question(found)])


def _row(one: SetPreview) -> tuple[str, ...]:
    counts = f"{one.rows:,}", _count(one.cached), _count(one.reusable), _count(one.to_compute)
    return one.split, one.view, *counts, "unknown" if one.bytes is None else size(one.bytes), _time(one)


def _count(n: int | None) -> str:
    return "unknown" if n is None else f"{n:,}"


def _time(one: SetPreview) -> str:
    if not one.to_compute:
        return "unknown" if one.to_compute is None else "nothing to do"
    return "unknown, not run this way before" if one.seconds is None else f"about {one.seconds:,.0f} s"


def _open_question(found: Preview) -> list[str]:
    """Return the line that says what is unknown, and until when; none if nothing is."""
    if not found.unknown:
        return []
    if not found.candidates:
        return [f"backbone: unknown until {found.inputs.settings.backbone} is loaded"]
    words = {"precision": "precision", "decode": "how JPEG files are decoded"}
    what = " and ".join(words[name] for name in found.unknown)
    images = counted(len(trial_rows(found.inputs.dataset.train)), "image")
    return [f"{what}: unknown until the network has run on {images}"]
