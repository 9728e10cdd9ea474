"""What a run would do, for a terminal and as JSON: ``--dry-run``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from frostline.pipeline.plan.numeric_mode import trial_rows
from frostline.pipeline.plan.preview import Preview, SetPreview
from frostline.pipeline.report.table import Table, aligned
from frostline.pipeline.report.wording import size
from frostline.stages.errors import counted
from frostline.stages.modalities.registry import MODALITIES

_COLUMNS = ("split", "view", "rows", "cached", "reusable", "to compute", "disk", "time")


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
    train = found.inputs.dataset.train
    some = counted(len(trial_rows(train)), MODALITIES.load(train.modality).noun)
    return [f"{what}: unknown until the network has run on {some}"]
