"""The reports of a command with many targets: one table, and one JSON document."""

from __future__ import annotations

import json
from collections.abc import Sequence

from frostline.pipeline.records.run import Report, to_json
from frostline.pipeline.report.blocks import PLAIN, Block, Terminal, rendered
from frostline.pipeline.report.messages import noted, notes_of, quarantined, warnings_of
from frostline.pipeline.report.text import curve_lines, curve_notes, interval_notes, score_lines, table
from frostline.pipeline.report.wording import Message
from frostline.stages.buckets.cache import named
from frostline.stages.errors import counted


def reports_json(reports: Sequence[Report]) -> str:
    """Return a report as one JSON document, or several as a list."""
    if len(reports) == 1:
        return to_json(reports[0])
    return json.dumps([json.loads(to_json(report)) for report in reports], indent=2, sort_keys=True)


def reports_table(reports: Sequence[Report], on: Terminal = PLAIN) -> str:
    """Return reports for a terminal: one as it is, several as one table with a row for each target and head."""
    if len(reports) == 1:
        return table(reports[0], on)
    first = reports[0]
    parts = _parts(reports)
    what = ", ".join(counted(len(set(values)), name) for name, values in parts.items())
    head = f"{first.dataset}: {what}, {first.rows.train:,} training and {first.rows.test:,} test samples"
    probes = [probe for report in reports for probe in report.probes]
    own = [", ".join(of_report) for of_report in zip(*parts.values(), strict=True)]
    names = [name for name, report in zip(own, reports, strict=True) for _ in report.probes]
    tables = [show(probes, names, ", ".join(parts), on.width) for show in (score_lines, curve_lines)]
    said = _messages(reports)
    places = [f"report    {named(report.path)}" for report in reports if not report.unwritten]
    blocks = [*(Block("text", lines) for lines in ([head], *tables)), Block("warnings", warnings_of(said))]
    return rendered([*blocks, Block("how", notes_of(said)), Block("where", places)], on)


def _parts(reports: Sequence[Report]) -> dict[str, list[str]]:
    """Return what tells the reports from each other: their layers, their targets, or both."""
    parts = {
        "layer": [str(report.settings.get("layer") or "default") for report in reports],
        "target": [", ".join(report.settings.get("target", ())) for report in reports],
    }
    return {name: values for name, values in parts.items() if len(set(values)) > 1}


def _messages(reports: Sequence[Report]) -> list[Message]:
    probes = [probe for report in reports for probe in report.probes]
    computed = sum({done.folder: done.computed for probe in reversed(probes) for done in probe.features}.values())
    cached = sum(probe.fitted.cached for probe in probes if probe.fitted)
    fitted = sum(probe.fitted is not None for probe in probes) - cached
    heads = f"{counted(fitted, 'head')} fitted, {cached:,} from the cache"
    lines = [f"{computed:,} features computed for all of them; {heads}" if computed else heads]
    lines = [*curve_notes(probes), *lines]
    if any(probe.evaluation for probe in probes):
        lines = [*interval_notes(probes), *lines]
    left_out = max(report.quarantined for report in reports)
    recorded = dict.fromkeys(note for report in reports for note in report.notes)
    return [*(Message("note", line) for line in lines), *quarantined(left_out), *noted(recorded)]
