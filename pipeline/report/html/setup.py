"""What was run, as terms and descriptions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from frostline.pipeline.records.run_record import FeaturesRecord, KeyRecord, RunRecord
from frostline.pipeline.report.html import formatting, plots
from frostline.pipeline.report.html.record import Run, Scored
from frostline.pipeline.report.wording import NOUNS, chosen, decoding_limit, listed, selection_lines
from frostline.stages.errors import counted
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.targets.base import DEFAULT

Term = tuple[str, str]


@dataclass(frozen=True)
class Setup:
    """``terms`` with their descriptions; ``figure``: the validation curve, where one was drawn."""

    terms: tuple[Term, ...]
    figure: Markup | None


def setup(run: Run, leader: Scored | None) -> Setup:
    """Return what was run, of a leader how its parameter was chosen."""
    terms = (*_data(run.record), *_target(run.record), *_features(run), *_limits(run.record.probes[0].features))
    if leader is None:
        return Setup(terms, None)
    selection = leader.selection
    drawn = len(selection.grid) > 1 and len(plots.held_out(selection)[1]) > 1
    return Setup((*terms, *_head(leader)), plots.selection(selection) if drawn else None)


def _data(record: RunRecord) -> list[Term]:
    what, rows = counted(len(record.classes), NOUNS.get(record.kind, "name")), record.rows
    return [("Dataset", f"{record.dataset}: {what}, {rows.train:,} training and {rows.test:,} test samples")]


def _target(record: RunRecord) -> list[Term]:
    """Return what is predicted, and by what samples go together, where a run's settings or its kind say so."""
    by = next(filter(None, map(record.settings.get, ("group", "group_pattern", "group_file"))), None)
    groups = [("Groups", f"by {by}; no group is in two splits")] if by else []
    return groups if record.kind == DEFAULT else [("Target", f"{record.kind}: {listed(record.classes, 8)}"), *groups]


def _features(run: Run) -> list[Term]:
    [features, *_] = views = run.features("test")
    key = features.how
    pooled = "" if key.pool == "none" else f", {key.pool} pooling"
    return [
        ("Backbone", f"{key.backbone}, frozen; {features.width:,} features"),
        ("Layer", f"{key.layer}{pooled}"),
        ("Weights", f"SHA-256 {key.weights[:16]}…" if key.weights else "none"),
        *_given(key, ", ".join(one.view for one in views)),
        ("Arithmetic", f"{key.precision}, stored as {key.dtype}"),
    ]


def _given(key: KeyRecord, views: str) -> list[Term]:
    """Return how samples become what the network is given."""
    if key.modality == "text":
        prompt = f", after the prompt “{key.prompt}”" if key.prompt else ""
        longer = "averaged over windows" if key.windows == "mean" else "cut"
        return [("Texts", f"up to {key.max_length:,} tokens, longer texts are {longer}{prompt}")]
    if key.modality != "image":
        return []
    resized = "original size" if key.resize is None else f"resized to {formatting.sized(key.resize)}"
    cropped = "" if key.crop is None else f", centre crop of {formatting.sized(key.crop)}"
    return [("Images", f"{resized}{cropped}, {key.interpolation}; views: {views}")]


def _limits(sets: Iterable[FeaturesRecord]) -> list[Term]:
    """Return of which feature sets decoding was the limit, whenever they were computed."""
    terms = []
    for one in sets:
        speed = one.speed.rows_per_second
        noun = MODALITIES.load(one.how.modality).noun if one.how.modality in MODALITIES else "sample"
        limit = decoding_limit(one.speed, one.rows / speed if speed else 0.0, noun)
        terms += [("Speed", f"{one.split} ({one.view}): {limit}")] if limit else []
    return terms


def _head(leader: Scored) -> list[Term]:
    value = chosen(leader.selection)
    how = [message.text for message in selection_lines(leader.selection, leader.head) if message.level == "note"]
    said = ". ".join(f"{line[0].upper()}{line[1:]}" if row else line for row, line in enumerate(how))
    return [("Head", f"{leader.head}{', ' + value if value else ''}"), *([("Chosen", f"{said}.")] if how else [])]
