"""In what runs differ, and names that tell their heads apart by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from frostline.pipeline.report.html.record import Run, Scored

_UNTOLD = {"dataset", "view", "format", "data_dir"}
_TELLING = ("layer", "pool", "views", "resize", "precision", "grid", "hold_out", "seed")


def differing_fields(runs: Sequence[Run]) -> dict[str, tuple[str, ...]]:
    """Return the settings and key fields in which runs differ, each with its value of every run."""
    all_of = [{**run.record.settings, **run.features("test")[0].key} for run in runs]
    names = sorted({name for one in all_of for name in one} - _UNTOLD)
    fields = {name: tuple(_shown(one.get(name)) for one in all_of) for name in names}
    return {name: values for name, values in fields.items() if len(set(values)) > 1}


def distinct(runs: Sequence[Run]) -> list[tuple[Run, Scored]]:
    """Return the scored heads of all runs, each with the first run that has it.

    The same head on the same test features is one head, in however many runs it is.
    """
    found: dict[tuple[Any, ...], tuple[Run, Scored]] = {}
    for run in runs:
        for one in run.scored:
            found.setdefault((one.name, one.made, one.features), (run, one))
    return list(found.values())


def told_apart(entries: Sequence[tuple[Run, str]]) -> list[str]:
    """Return a different name for each head.

    Where runs have heads of one name, it is followed by the settings that tell these apart, else by the digests of
    their runs, and a number where one run has several.
    """
    times = Counter(name for _, name in entries)
    runs = {id(run): run for run, name in entries if times[name] > 1}
    remarks = dict(zip(runs, _remarks(list(runs.values())), strict=True))
    seen: Counter[str] = Counter()
    names = []
    for run, name in entries:
        longer = name if times[name] == 1 else f"{name} ({remarks[id(run)]})"
        seen[longer] += 1
        names.append(longer if seen[longer] == 1 else f"{longer} #{seen[longer]}")
    return names


def _remarks(runs: Sequence[Run]) -> list[str]:
    """Return what tells each run from the others."""
    fields = differing_fields(runs) if runs else {}
    for name in _TELLING:
        values = fields.get(name, ())
        if len(set(values)) == len(runs):
            return [f"{name.replace('_', '-')} {value}" for value in values]
    telling = [name for name in _TELLING if name in fields]
    together = [", ".join(f"{name.replace('_', '-')} {fields[name][i]}" for name in telling) for i in range(len(runs))]
    if len(set(together)) == len(runs):
        return together
    return [run.folder.name[-12:] for run in runs]


def _shown(value: Any) -> str:
    if isinstance(value, str) and len(value) == 64:
        return value[:12]
    if value in (None, "", [], {}):
        return "–"
    return ", ".join(map(_shown, value)) if isinstance(value, list) else str(value)
