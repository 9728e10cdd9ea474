"""What the page that compares several runs says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from frostline.pipeline.records.curve import Curve
from frostline.pipeline.records.headline import of_the_best
from frostline.pipeline.records.run import called
from frostline.pipeline.report import wording
from frostline.pipeline.report.html import formatting
from frostline.pipeline.report.html.claims import claim
from frostline.pipeline.report.html.curves import figure_of
from frostline.pipeline.report.html.opening import Opening
from frostline.pipeline.report.html.pinned import pinned
from frostline.pipeline.report.html.ranking import Compared, Ranking, ranking
from frostline.pipeline.report.html.record import Run, Scored
from frostline.pipeline.report.verdicts import uncovered, uncovered_over_draws
from frostline.stages.errors import ConfigError, counted
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS

_UNTOLD = {"dataset", "view", "format", "data_dir"}


@dataclass(frozen=True)
class Described:
    """One run, and the command that does it again."""

    folder: str
    dataset: str
    made: str
    command: str


@dataclass(frozen=True)
class Differing:
    """A row for each field in which the ``runs`` differ: its name, and its value in each of them."""

    runs: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def comparison(runs: Sequence[Run], *, all_pairs: bool = False) -> dict[str, Any]:
    """Return everything that the template of a comparison shows; ``all_pairs``: every two heads are compared.

    Raises ConfigError if there is nothing to compare, DataError if the runs were tested on other samples.
    """
    entries = [(run, one) for run in runs for one in run.scored]
    curves = [(run, called(p.name, p.backbone), p.curve) for run in runs for p in run.record.probes if p.curve]
    if len(entries) < 2 and len(curves) < 2:
        raise ConfigError(
            f"{counted(len(entries), 'scored head')} in {counted(len(runs), 'run')}; a comparison takes two or more"
        )
    names = _names([(run, one.name) for run, one in entries])
    how = Compared(all_pairs=all_pairs)
    found = ranking([one for _, one in entries], names, how) if len(entries) > 1 else None
    grouped = any(one.evaluation.groups for _, one in entries)
    unknown = uncovered(grouped=grouped) if entries else uncovered_over_draws(curve for *_, curve in curves)
    return {
        "title": f"{counted(len(runs), 'run')} compared",
        "runs": [_described(run) for run in runs],
        "answer": _answer(found, entries, names) if found else None,
        "ranking": found,
        "differing": _differing(runs),
        "curves": _curves(curves) if curves else None,
        "uncovered": unknown,
    }


def _names(entries: Sequence[tuple[Run, str]]) -> list[str]:
    """Return a name of its own for each head: with its run's digest, and a number, where it takes them."""
    times = Counter(name for _, name in entries)
    longer = [name if times[name] == 1 else f"{name} ({run.folder.name[-12:]})" for run, name in entries]
    seen: Counter[str] = Counter()
    names = []
    for name in longer:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return names


def _answer(found: Ranking, entries: Sequence[tuple[Run, Scored]], names: Sequence[str]) -> Opening:
    first = found.rows[0]
    one = dict(zip(names, (one for _, one in entries), strict=True))[first.name]
    main = TARGETS.load(one.evaluation.kind).main
    value, interval = formatting.valued(main, of_the_best(one.evaluation, len(entries)))
    ties = [name for name in first.tied if name != first.name]
    verdict = (
        f"It is not distinguishable with these {found.compared:,} samples from {wording.listed(ties)}."
        if ties
        else f"It is better than every other beyond chance ({found.corrected})."
    )
    return Opening(
        value=value,
        claim=f"{claim(one.evaluation)}{'' if one.evaluation.kind == DEFAULT else ','} by {first.name}",
        interval=formatting.claimed(interval, f"allowing for the choice of the best of {len(entries)}"),
        context=(
            "It was picked on these test samples, which its interval allows for.",
            *((verdict,) if first.rank else ()),
        ),
    )


def _described(run: Run) -> Described:
    record = run.record
    command = formatting.command(pinned(record.settings, run.features("test")[0].how))
    return Described(run.folder.name, record.dataset, formatting.moment(record.made), command)


def _differing(runs: Sequence[Run]) -> Differing:
    """Return the settings and key fields in which the runs differ."""
    all_of = [{**run.record.settings, **run.features("test")[0].key} for run in runs]
    fields = sorted({name for one in all_of for name in one} - _UNTOLD)
    rows = ((name, tuple(_shown(one.get(name)) for one in all_of)) for name in fields)
    return Differing(tuple(run.folder.name for run in runs), tuple(row for row in rows if len(set(row[1])) > 1))


def _shown(value: Any) -> str:
    if isinstance(value, str) and len(value) == 64:
        return value[:12]
    if value in (None, "", [], {}):
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _curves(curves: Sequence[tuple[Run, str, Curve]]) -> Markup:
    names = _names([(run, name) for run, name, _ in curves])
    named = [(name, curve) for name, (_, _, curve) in zip(names, curves, strict=True)]
    return figure_of(named, curves[0][0].record.kind)
