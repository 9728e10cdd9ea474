"""The Report as text, for a terminal."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from frostline.pipeline.records.curve import Curve
from frostline.pipeline.records.headline import candidates, headline
from frostline.pipeline.records.run import PAGE, Extracted, Fitted, Probe, Report
from frostline.pipeline.report.blocks import PLAIN, Block, Terminal, rendered
from frostline.pipeline.report.messages import data_messages, notes_of, warnings_of, worries
from frostline.pipeline.report.table import Table, aligned
from frostline.pipeline.report.verdicts import advice, picked, standing, uncovered, uncovered_over_draws, verdicts
from frostline.pipeline.report.wording import (
    NOUNS,
    Message,
    chosen,
    draws_note,
    in_cell,
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

_SHOWN = 2  # comparisons
_FEW = 2  # heads whose work is told one by one
_ON_ALL = "intervals of heads fitted on all training samples cover no other training samples"


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


def table(report: Report, on: Terminal = PLAIN) -> str:
    """Return the report for a terminal, or as plain text: scores, warnings, how, where, and what to do next."""
    scores = [score_lines(report.probes, width=on.width), curve_lines(report.probes, width=on.width)]
    said = _messages(report)
    blocks = [*(Block("text", lines) for lines in ([opening(report)], *scores)), Block("advice", advices(report))]
    blocks += [Block("warnings", warnings_of(said)), Block("how", notes_of(said)), Block("where", _places(report))]
    return rendered([*blocks, Block("next", _next(report))], on)


def opening(report: Report) -> str:
    """Return what a run is of: the dataset, its classes and its samples."""
    rows, what = report.rows, counted(len(report.classes), NOUNS.get(report.kind, "name"))
    return f"{report.dataset}: {what}, {rows.train:,} training and {rows.test:,} test samples"


def warned(report: Report) -> list[str]:
    """Return the warnings about a run."""
    return warnings_of(_messages(report))


def advices(report: Report) -> list[str]:
    """Return which head to take; nothing where there is but one."""
    own = next(iter(candidates(report.probes).values()), [])
    return [advice(report.comparison, own)] if report.comparison and own else []


def _next(report: Report) -> list[str]:
    """Return the command that predicts with the recommended head."""
    own = candidates(report.probes).get(report.probes[0].backbone)
    if not own or report.unwritten:
        return []
    run = shlex.quote(str(named(report.path.parent)))
    return [f"frostline predict {run} NEW_SAMPLES  (with {headline(own).name})"]


def score_lines(
    probes: Sequence[Probe], names: Sequence[str] = (), heading: str = "", width: int | None = None
) -> list[str]:
    """Return one line per scored probe, under a heading; ``names``: what tells each from the others, under its own."""
    return aligned(score_table(probes, names, heading), width)


def score_table(probes: Sequence[Probe], names: Sequence[str] = (), heading: str = "") -> Table:
    """Return one row per scored probe; arguments as of ``score_lines``."""
    scored = [probe for probe in probes if probe.evaluation and probe.fitted]
    target = TARGETS.load(scored[0].evaluation.kind if scored and scored[0].evaluation else DEFAULT)
    rows, shown = [], target.table
    for name, probe in _named(probes, names):
        if probe.evaluation is None or probe.fitted is None:
            continue
        scores = [in_cell(probe.evaluation.scores[one], shares=target.as_shares) for one in shown]
        numbers, value = str(probe.features[0].width), chosen(probe.fitted.selection)
        rows.append((name, probe.backbone, numbers, probe.head, value, *scores))
    columns = (heading, "backbone", "width", "head", "", *shown.values())
    return Table("", columns, "<<><<" + ">" * len(shown), tuple(rows))


def _named(probes: Sequence[Probe], names: Sequence[str]) -> Iterable[tuple[str, Probe]]:
    return zip(names or [""] * len(probes), probes, strict=True)


def curve_lines(
    probes: Sequence[Probe], names: Sequence[str] = (), heading: str = "", width: int | None = None
) -> list[str]:
    """Return one line per probe and size of training set, under a heading; ``names`` and ``heading``: as above."""
    return aligned(curve_table(probes, names, heading), width)


def curve_table(probes: Sequence[Probe], names: Sequence[str] = (), heading: str = "") -> Table:
    """Return one row per probe and size of training set; arguments as of ``score_lines``."""
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
    columns = (heading, "backbone", "head", "training data", "draws", *_of_draws(target.table[target.main]))
    return Table("", columns, "<<<>>>>>>", tuple(rows))


def _of_draws(score: str) -> tuple[str, ...]:
    return (score, "95 % interval", "lowest", "highest")


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
    each = ", for each head alone" if len(scored) > 1 else ""
    return [f"{intervals_of(groups, scored[0].kind)}{each}", uncovered(grouped=bool(groups))]


def notes_on_intervals(probes: Sequence[Probe]) -> list[str]:
    """Return what the intervals of scores and of draws are, and once what they are not."""
    curves = [probe.curve for probe in probes if probe.curve]
    *notes, covers = interval_notes(probes) if any(probe.evaluation for probe in probes) else [""]
    if not curves:
        return [*notes, covers]
    over_draws = uncovered_over_draws(curves)
    return [*notes, draws_note(), *([over_draws] if covers in ("", over_draws) else [f"{over_draws}; {_ON_ALL}"])]


def _messages(report: Report) -> list[Message]:
    """Return what to know about a run: warnings and notes."""
    notes = (*notes_on_intervals(report.probes), *_verdicts(report))
    said = [*worries(report), *(Message("note", line) for line in notes)]
    for backbone in dict.fromkeys(probe.backbone for probe in report.probes):
        said += _of_backbone(backbone, [probe for probe in report.probes if probe.backbone == backbone])
    return [*said, *data_messages(report)]


def _of_backbone(backbone: str, probes: Sequence[Probe]) -> list[Message]:
    if len(probes) > _FEW and all(one.fitted for one in probes):
        work = f"{backbone}: {_work_done(probes[0])}; {_fitted(probes)}; run.json and the page say how each was chosen"
        return [Message("note", work)]
    heads = [(f", {probe.head}" if len(probes) > 1 else "", _probe_messages(probe)) for probe in probes]
    first = [_work_done(probes[0])]
    if len(probes) == 1:  # one line says all of the work
        first.append(heads[0][1].pop(0).text)
    done = Message("note", f"{backbone}: {'; '.join(first)}")
    return [done, *(message.under(f"{backbone}{name}") for name, own in heads for message in own)]


def _fitted(probes: Sequence[Probe]) -> str:
    own = [one.fitted for one in probes if one.fitted]
    new = [one for one in own if not one.cached]
    said = [f"{counted(len(new), 'head')} fitted in {sum(one.seconds for one in new):.1f} s"] if new else []
    said += [f"{counted(len(own) - len(new), 'head')} from the cache"] if len(new) < len(own) else []
    return ", ".join(said)


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


def _probe_messages(probe: Probe) -> list[Message]:
    """Return what to know about one head; the first is the work that it was."""
    if probe.curve:
        return _curve_messages(probe.curve)
    assert probe.fitted and probe.evaluation
    how = "head from the cache" if probe.fitted.cached else f"head fitted in {probe.fitted.seconds:.1f} s"
    said = [Message("note", line) for line in (how, *_without_groups(probe.evaluation))]
    chosen_by = selection_lines(probe.fitted.selection, probe.head, probe.backbone)
    return [*said, *(line for line in chosen_by if line.level == "note")]


def _curve_messages(curve: Curve) -> list[Message]:
    unchosen = [point.size for point in curve.points if point.by == "default"]
    seconds = sum(point.seconds for point in curve.points)
    said = [Message("note", f"heads of all draws fitted and scored in {seconds:.1f} s")]
    if unchosen:
        sizes = f"{', '.join(f'{size:,}' for size in unchosen)} {unit_of(curve, 'training samples')}"
        said.append(Message("warning", f"{sizes}: default value used, too few rows to tune"))
    return [*said, Message("note", curve.sentence)]


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
