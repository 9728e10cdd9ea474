"""The Report as text, for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from frostline.pipeline.records.headline import candidates, headline
from frostline.pipeline.records.run import PAGE, Extracted, Fitted, Probe, Report
from frostline.pipeline.report.table import Table, aligned
from frostline.pipeline.report.verdicts import picked, standing, uncovered, uncovered_over_draws, verdicts
from frostline.pipeline.report.wording import (
    NOUNS,
    chosen,
    draws_note,
    intervals_of,
    plus_minus,
    selection_lines,
    span_of,
    unit_of,
    value_of,
    with_interval,
)
from frostline.stages.buckets.address import is_address
from frostline.stages.buckets.cache import named
from frostline.stages.errors import counted
from frostline.stages.evaluate import Evaluation
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS

_SHOWN = 6  # comparisons


def extracted_lines(done: tuple[Extracted, ...]) -> list[str]:
    """Return one line per feature set, for a terminal."""
    lines = []
    for e in done:
        what = f"{e.computed:,} computed in {e.seconds:.1f} s" if e.computed else "from the cache"
        left = f", {counted(len(e.quarantined), 'sample')} quarantined" if e.quarantined else ""
        lines.append(f"{e.split} ({e.key.view}): {e.rows:,} × {e.width:,}, {what}{left}\n  {_file_of(e.folder)}")
    return lines


def _file_of(folder: Path) -> Path:
    """Return the file of a set that other tools open; in a bucket there is none."""
    return folder if is_address(folder) else folder / "features.h5"


def fitted_lines(fitted: Fitted, name: str) -> list[str]:
    """Return what was fitted, a head or protocol of a name, for a terminal."""
    how = "from the cache" if fitted.cached else f"fitted in {fitted.seconds:.1f} s"
    value = chosen(fitted.selection)
    first = f"head {how}{': ' + value if value else ''}"
    return [first, *(f"- {line}" for line in selection_lines(fitted.selection, name)), f"  {named(fitted.folder)}"]


def table(report: Report) -> str:
    """Return the report for a terminal."""
    rows = report.rows
    what = counted(len(report.classes), NOUNS.get(report.kind, "name"))
    head = f"{report.dataset}: {what}, {rows.train:,} training and {rows.test:,} test samples"
    blocks = [[head], score_lines(report.probes), curve_lines(report.probes), _notes(report), _places(report)]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def score_lines(probes: Sequence[Probe], names: Sequence[str] = (), heading: str = "") -> list[str]:
    """Return one line per scored probe, under a heading; ``names``: what tells each from the others, under its own."""
    scored = [probe for probe in probes if probe.evaluation and probe.fitted]
    target = TARGETS.load(scored[0].evaluation.kind if scored and scored[0].evaluation else DEFAULT)
    rows, shown = [], target.table
    for name, probe in _named(probes, names):
        if probe.evaluation is None or probe.fitted is None:
            continue
        scores = [with_interval(probe.evaluation.scores[one], shares=target.as_shares) for one in shown]
        width, value = str(probe.features[0].width), chosen(probe.fitted.selection)
        rows.append((name, probe.backbone, width, probe.head, value, *scores))
    columns = (heading, "backbone", "width", "head", "", *shown.values())
    return aligned(Table("", columns, "<<><<" + ">" * len(shown), tuple(rows)))


def _named(probes: Sequence[Probe], names: Sequence[str]) -> Iterable[tuple[str, Probe]]:
    return zip(names or [""] * len(probes), probes, strict=True)


def curve_lines(probes: Sequence[Probe], names: Sequence[str] = (), heading: str = "") -> list[str]:
    """Return one line per probe and size of training set, under a heading; ``names`` and ``heading``: as above."""
    rows, curves = [], [probe.curve for probe in probes if probe.curve]
    target = TARGETS.load(curves[0].kind if curves else DEFAULT)
    for name, probe in _named(probes, names):
        for point in probe.curve.points if probe.curve else ():
            assert probe.curve
            ends = [value_of(end, shares=target.as_shares) for end in (min(point.accuracy), max(point.accuracy))]
            amount, n = f"{point.size:,} {unit_of(probe.curve)}", str(len(point.accuracy))
            mean = plus_minus(point.spread, shares=target.as_shares)
            interval = span_of(point.spread, shares=target.as_shares)
            rows.append((name, probe.backbone, probe.head, amount, n, mean, interval, *ends))
    columns = (heading, "backbone", "head", "training data", "draws", target.table[target.main], "[ ]", "least", "most")
    return aligned(Table("", columns, "<<<>>>>>>", tuple(rows)))


def probe_lines(probe: Probe) -> list[str]:
    """Return one probe's scores and what to know about them."""
    notes = selection_lines(probe.fitted.selection, probe.head, probe.backbone) if probe.fitted else []
    lines = [*score_lines((probe,)), *(f"- {line}" for line in notes)]
    if probe.quarantined:
        lines.append(f"- {counted(probe.quarantined, 'test sample')} quarantined and left out")
    return lines


def interval_notes(probes: Sequence[Probe]) -> list[str]:
    """Return what the intervals in a table are, and what they are not."""
    scored = [probe.evaluation for probe in probes if probe.evaluation]
    groups = max(found.groups for found in scored)
    each = ", each head by itself" if len(scored) > 1 else ""
    return [f"{intervals_of(groups, scored[0].kind)}{each}", uncovered(grouped=bool(groups))]


def curve_notes(probes: Sequence[Probe]) -> list[str]:
    """Return what ± and the intervals in a table of draws are, and what they are not; nothing without one."""
    curves = [probe.curve for probe in probes if probe.curve]
    return [draws_note(), uncovered_over_draws(curves)] if curves else []


def _notes(report: Report) -> list[str]:
    lines = []
    if any(probe.evaluation for probe in report.probes):
        lines += interval_notes(report.probes)
    lines += curve_notes(report.probes)
    lines += _verdicts(report)
    for backbone in dict.fromkeys(probe.backbone for probe in report.probes):
        probes = [probe for probe in report.probes if probe.backbone == backbone]
        heads = [(f", {probe.head}" if len(probes) > 1 else "", _probe_notes(probe)) for probe in probes]
        first = [_work_done(probes[0])]
        if len(probes) == 1:  # one line says all of the work
            first += heads[0][1][:1]
            heads[0][1].pop(0)
        lines.append(f"{backbone}: {'; '.join(first)}")
        lines += [f"{backbone}{name}: {note}" for name, notes in heads for note in notes]
    twice = report.duplicates
    if twice.across or twice.within_train or twice.within_test:
        lines.append(
            f"exact duplicates: {twice.across:,} of the test samples are also in train, "
            f"{twice.within_train:,} repeat within train, {twice.within_test:,} within test"
        )
    if twice.conflicting:
        lines.append(f"{counted(twice.conflicting, 'identical sample')} with different labels")
    if report.quarantined:
        lines.append(f"{counted(report.quarantined, 'sample')} quarantined and left out; run.json lists them")
    return [f"- {line}" for line in [*lines, *report.notes]]


def _verdicts(report: Report) -> list[str]:
    """Return which head comes first, how it stands to the others, and how far it is from each, a baseline's first."""
    found = report.comparison
    if found is None:
        return []
    own, *baselines = candidates(report.probes).values()
    shares = TARGETS.load(report.kind).as_shares
    lines = [picked(own)] if len(own) > 1 else []
    lines += [f"compared with {standing(found)}"] if len(found.ranks) > 2 else []
    by_pair = verdicts(found, shares=shares)
    first = [*(headline(several).name for several in baselines), *(one.name for one in own)]
    others = dict.fromkeys([*first, *(run.name for run in found.ranks)])
    said = [by_pair[pair] for pair in (frozenset((found.reference, name)) for name in others) if pair in by_pair]
    more = [f"and {len(said) - _SHOWN:,} more on the page"] if len(said) > _SHOWN else []
    return [*lines, *said[:_SHOWN], *more]


def _work_done(probe: Probe) -> str:
    computed, seconds = sum(e.computed for e in probe.features), sum(e.seconds for e in probe.features)
    if not computed:
        return "features from the cache, no backbone run"
    noun = MODALITIES.load(probe.features[0].key.backbone.modality).noun
    return f"{computed:,} features computed in {seconds:.1f} s ({_speed(computed / seconds)} {noun}s/s)"


def _speed(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"


def _probe_notes(probe: Probe) -> list[str]:
    """Return what to know about one head."""
    if probe.curve:
        unchosen = [point.size for point in probe.curve.points if point.by == "default"]
        seconds = sum(point.seconds for point in probe.curve.points)
        lines = [f"heads of all draws fitted and scored in {seconds:.1f} s"]
        if unchosen:
            sizes = f"{', '.join(f'{size:,}' for size in unchosen)} {unit_of(probe.curve, 'training samples')}"
            lines.append(f"the usual value was taken at {sizes}, where nothing could be held out")
        return [*lines, probe.curve.sentence]
    assert probe.fitted and probe.evaluation
    how = "head from the cache" if probe.fitted.cached else f"head fitted in {probe.fitted.seconds:.1f} s"
    chosen_how = selection_lines(probe.fitted.selection, probe.head, probe.backbone)
    return [how, *_without_groups(probe.evaluation), *map(str, chosen_how)]


def _without_groups(found: Evaluation) -> list[str]:
    """Return what samples alone would have claimed, where they come in groups."""
    if found.of_rows is None:
        return []
    shown = with_interval(found.of_rows, shares=TARGETS.load(found.kind).as_shares)
    return [f"as if samples did not come in groups: {shown}"]


def _places(report: Report) -> list[str]:
    folders = dict.fromkeys(done.folder for probe in report.probes for done in probe.features)
    lines = [f"features  {folder}" for folder in folders]
    lines += [f"head      {named(probe.fitted.folder)}" for probe in report.probes if probe.fitted]
    if report.unwritten:
        return lines
    page = report.path.with_name(PAGE)
    lines.append(f"report    {named(report.path)}")
    return [*lines, f"page      {named(page)}"] if page.is_file() else lines
