"""The reports of a command with many targets: one table, and one JSON document."""

from __future__ import annotations

import json
from collections.abc import Sequence

from frostline.pipeline.records.run import Report, to_json
from frostline.pipeline.report.blocks import PLAIN, Block, Terminal, rendered
from frostline.pipeline.report.messages import noted, notes_of, warnings_of, worries
from frostline.pipeline.report.text import curve_lines, notes_on_intervals, score_lines, table
from frostline.pipeline.report.wording import Message, listed
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
    said = _messages(reports, own)
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


def _messages(reports: Sequence[Report], names: Sequence[str]) -> list[Message]:
    probes = [probe for report in reports for probe in report.probes]
    computed = sum({done.folder: done.computed for probe in reversed(probes) for done in probe.features}.values())
    cached = sum(probe.fitted.cached for probe in probes if probe.fitted)
    fitted = sum(probe.fitted is not None for probe in probes) - cached
    heads = f"{counted(fitted, 'head')} fitted, {cached:,} from the cache"
    lines = [f"{computed:,} features computed for all of them; {heads}" if computed else heads]
    recorded = dict.fromkeys(note for report in reports for note in report.notes)
    said = [*_worries(reports, names), *(Message("note", line) for line in (*notes_on_intervals(probes), *lines))]
    return [*said, *noted(recorded)]


def _worries(reports: Sequence[Report], names: Sequence[str]) -> list[Message]:
    """Return what should worry the reader, each once, with the reports that it is about where these are not all."""
    found: dict[Message, list[str]] = {}
    for report, name in zip(reports, names, strict=True):
        for message in worries(report):
            found.setdefault(message, []).append(name)
    return [one if len(own) == len(reports) else one.under(listed(own)) for one, own in found.items()]
