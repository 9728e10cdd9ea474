"""What the page that compares several runs says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from frostline.pipeline.records.curve import Curve
from frostline.pipeline.records.headline import Candidate, of_the_best
from frostline.pipeline.records.run import called
from frostline.pipeline.report import wording
from frostline.pipeline.report.concerns import concerns_of_best
from frostline.pipeline.report.html import formatting
from frostline.pipeline.report.html.claims import claim
from frostline.pipeline.report.html.curves import figure_of
from frostline.pipeline.report.html.differing import differing_fields, distinct, told_apart
from frostline.pipeline.report.html.opening import Opening, standing_of, used
from frostline.pipeline.report.html.pinned import pinned
from frostline.pipeline.report.html.ranking import Compared, Ranking, RankingRow, ranking
from frostline.pipeline.report.html.record import Run, Scored
from frostline.pipeline.report.html.sections import SECTIONS
from frostline.pipeline.report.verdicts import uncovered, uncovered_over_draws
from frostline.pipeline.report.wording import listed
from frostline.stages.errors import ConfigError, counted
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS

MANY = 10  # heads, from which on the best of each backbone are listed first


@dataclass(frozen=True)
class Described:
    """One run, and the command that does it again."""

    folder: str
    dataset: str
    made: str
    command: str


@dataclass(frozen=True)
class Differing:
    """A row for each run: its name, and its value of each of the ``fields`` in which runs differ."""

    fields: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True)
class BestOfBackbone:
    """The first-ranked of the ``heads`` on one backbone."""

    backbone: str
    row: RankingRow
    heads: int


def comparison(runs: Sequence[Run], *, all_pairs: bool = False) -> dict[str, Any]:
    """Return everything that the template of a comparison shows; ``all_pairs``: every two heads are compared.

    Raises ConfigError if there is nothing to compare, DataError if the runs were tested on other samples.
    """
    entries = distinct(runs)
    curves = [(run, called(p.name, p.backbone), p.curve) for run in runs for p in run.record.probes if p.curve]
    if len(entries) < 2 and len(curves) < 2:
        raise ConfigError(
            f"{counted(len(entries), 'different head')} with a score in {counted(len(runs), 'run')}; "
            "a comparison takes two or more"
        )
    names = told_apart([(run, one.name) for run, one in entries])
    how = Compared(all_pairs=all_pairs)
    found = ranking([one for _, one in entries], names, how, among=len(entries)) if len(entries) > 1 else None
    grouped = any(one.evaluation.groups for _, one in entries)
    unknown = uncovered(grouped=grouped) if entries else uncovered_over_draws(curve for *_, curve in curves)
    return {
        "title": f"{_datasets(runs)}: {counted(len(runs), 'run')} compared",
        "runs": [_described(run) for run in runs],
        "answer": _answer(found, entries, names) if found else None,
        "ranking": found,
        "best": _best(found, entries, names) if found else (),
        "again": sum(len(run.scored) for run in runs) - len(entries),
        "names": SECTIONS,
        "sections": ("heads",),
        "differing": _differing(runs),
        "curves": _curves(curves) if curves else None,
        "uncovered": unknown,
    }


def _datasets(runs: Sequence[Run]) -> str:
    return listed(list(dict.fromkeys(run.record.dataset for run in runs)))


def _answer(found: Ranking, entries: Sequence[tuple[Run, Scored]], names: Sequence[str]) -> Opening:
    first = found.rows[0]
    one = dict(zip(names, (one for _, one in entries), strict=True))[first.name]
    main = TARGETS.load(one.evaluation.kind).main
    records = [run.record for run in dict.fromkeys(run for run, _ in entries)]
    value, interval = formatting.valued(main, of_the_best(one.evaluation, len(entries)))
    return Opening(
        value=value,
        claim=f"{claim(one.evaluation)}{'' if one.evaluation.kind == DEFAULT else ','} by {first.name}",
        interval=formatting.claimed(interval, f"allowing for the choice among {len(entries)} heads"),
        facts=(
            (
                "Head to use",
                (
                    used(one.head, one.backbone, wording.chosen(one.selection)),
                    f"It is the best of {len(entries)} on these test samples. The interval allows for this choice.",
                ),
            ),
            *((("Others", (standing_of(found),)),) if first.rank else ()),
        ),
        concerns=concerns_of_best(Candidate(first.name, one.selection, one.evaluation), records),
    )


def _best(found: Ranking, entries: Sequence[tuple[Run, Scored]], names: Sequence[str]) -> tuple[BestOfBackbone, ...]:
    """Return the best head of each backbone, where there are several backbones and many heads."""
    sets = {one.features: (run, one.backbone) for run, one in reversed(entries)}
    titles = dict(zip(sets, told_apart(list(sets.values())), strict=True))
    backbones = {name: titles[one.features] for name, (_, one) in zip(names, entries, strict=True)}
    heads = Counter(backbones.values())
    first: dict[str, RankingRow] = {}
    for row in found.rows:
        first.setdefault(backbones[row.name], row)
    if len(first) < 2 or len(found.rows) < MANY:
        return ()
    return tuple(BestOfBackbone(name, row, heads[name]) for name, row in first.items())


def _described(run: Run) -> Described:
    record = run.record
    command = formatting.command(pinned(record.settings, run.features("test")[0].how))
    return Described(run.folder.name, record.dataset, formatting.moment(record.made), command)


def _differing(runs: Sequence[Run]) -> Differing:
    """Return the settings and key fields in which the runs differ."""
    fields = differing_fields(runs)
    rows = ((run.folder.name, tuple(values[i] for values in fields.values())) for i, run in enumerate(runs))
    return Differing(tuple(fields), tuple(rows) if fields else ())


def _curves(curves: Sequence[tuple[Run, str, Curve]]) -> Markup | None:
    names = told_apart([(run, name) for run, name, _ in curves])
    named = [(name, curve) for name, (_, _, curve) in zip(names, curves, strict=True)]
    return figure_of(named, curves[0][0].record.kind)
