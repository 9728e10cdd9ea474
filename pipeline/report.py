"""The Report: what a run did and found, as records, JSON and a table."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stages.datasets import Duplicates
from stages.errors import counted
from stages.evaluate import Evaluation
from stages.heads import LinearHead
from stages.metrics import RESAMPLES, Score
from stages.specs import FeatureKey
from stages.store import Bad


@dataclass(frozen=True)
class Extracted:
    """One feature set. ``computed``: rows that went through the backbone, now, in ``seconds``."""

    split: str
    key: FeatureKey
    folder: Path
    rows: int
    width: int
    quarantined: tuple[Bad, ...]
    computed: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Fitted:
    """A head, where it lies, and the record of its selection.

    ``quarantined``: how many training samples were left out. ``cached``: it was there already.
    """

    head: LinearHead
    folder: Path
    selection: dict[str, Any]
    quarantined: int
    seconds: float
    cached: bool


@dataclass(frozen=True, eq=False)
class Probe:
    """One backbone's answer: its features, its head and what that scores."""

    features: tuple[Extracted, ...]
    fitted: Fitted
    evaluation: Evaluation

    @property
    def name(self) -> str:
        return self.features[0].key.backbone.name

    @property
    def quarantined(self) -> int:
        """How many samples were left out, in any view."""
        return len({(e.split, bad.row) for e in self.features for bad in e.quarantined})


@dataclass(frozen=True, eq=False)
class Report:
    """A whole run. ``probes``: the backbone's, then the baseline's if there is one."""

    dataset: str
    classes: tuple[str, ...]
    rows: dict[str, int]
    notes: tuple[str, ...]
    duplicates: Duplicates
    probes: tuple[Probe, ...]
    settings: dict[str, Any]
    versions: dict[str, str]
    made: str
    path: Path

    @property
    def quarantined(self) -> int:
        """How many samples were left out."""
        return self.probes[0].quarantined


def to_json(report: Report) -> str:
    """Return the report as one JSON document."""
    probes = [probe_json(probe) for probe in report.probes]
    whole = {n: getattr(report, n) for n in ("dataset", "classes", "rows", "notes", "settings", "versions", "made")}
    whole |= {"duplicates": asdict(report.duplicates), "quarantined": report.quarantined, "probes": probes}
    return json.dumps({**whole, "path": str(report.path)}, indent=2, sort_keys=True, default=str)


def extracted_json(done: Extracted) -> dict[str, Any]:
    """Return one feature set as JSON values."""
    return {
        **{n: getattr(done, n) for n in ("split", "rows", "width", "computed")},
        "view": done.key.view,
        "folder": str(done.folder),
        "digest": done.key.digest,
        "key": done.key.fields(),
        "seconds": round(done.seconds, 3),
        "quarantined": [asdict(bad) for bad in done.quarantined],
    }


def fitted_json(fitted: Fitted) -> dict[str, Any]:
    """Return a head's record as JSON values."""
    selection = fitted.selection
    return {"folder": str(fitted.folder), "selection": selection, "seconds": fitted.seconds, "cached": fitted.cached}


def extracted_lines(done: tuple[Extracted, ...]) -> list[str]:
    """Return one line per feature set, for a terminal."""
    lines = []
    for e in done:
        what = f"{e.computed:,} computed in {e.seconds:.1f} s" if e.computed else "from the cache"
        left = f", {counted(len(e.quarantined), 'sample')} quarantined" if e.quarantined else ""
        lines.append(f"{e.split} ({e.key.view}): {e.rows:,} × {e.width:,}, {what}{left}\n  {e.folder / 'features.h5'}")
    return lines


def fitted_lines(fitted: Fitted) -> list[str]:
    """Return what was fitted, for a terminal."""
    how = "from the cache" if fitted.cached else f"fitted in {fitted.seconds:.1f} s"
    first = f"head {how}: C = {fitted.selection['C']:.3g}"
    return [first, *(f"- {line}" for line in selection_lines(fitted.selection)), f"  {fitted.folder}"]


def probe_json(probe: Probe) -> dict[str, Any]:
    """Return one probe as JSON values."""
    features = [extracted_json(done) for done in probe.features]
    evaluation = asdict(probe.evaluation)
    return {"backbone": probe.name, "features": features, "head": fitted_json(probe.fitted), "evaluation": evaluation}


def table(report: Report) -> str:
    """Return the report for a terminal."""
    rows = report.rows
    head = (
        f"{report.dataset}: {len(report.classes)} classes, {rows['train']:,} training and {rows['test']:,} test samples"
    )
    return "\n".join([head, "", *score_lines(report.probes), "", *_notes(report), "", *_places(report)])


def score_lines(probes: tuple[Probe, ...]) -> list[str]:
    """Return one line per probe, under a heading."""
    names = [probe.name for probe in probes]
    wide = max(map(len, [*names, "backbone"]))
    lines = [f"{'backbone':{wide}}  width  {'C':>8}  {'accuracy':>20}  {'macro-F1':>20}"]
    for name, probe in zip(names, probes, strict=True):
        scores = probe.evaluation.scores
        width, C = probe.features[0].width, probe.fitted.selection["C"]
        cells = f"{percent(scores['accuracy']):>20}  {percent(scores['macro_f1']):>20}"
        lines.append(f"{name:{wide}}  {width:>5}  {C:>8.3g}  {cells}")
    return lines


def probe_lines(probe: Probe) -> list[str]:
    """Return one probe's scores and what to know about them."""
    lines = [*score_lines((probe,)), *(f"- {line}" for line in selection_lines(probe.fitted.selection))]
    if probe.quarantined:
        lines.append(f"- {counted(probe.quarantined, 'test sample')} quarantined and left out")
    return lines


def percent(score: Score) -> str:
    """Return ``97.2 % [95.3, 98.6]``."""
    return f"{100 * score.value:.1f} % [{100 * score.low:.1f}, {100 * score.high:.1f}]"


def _notes(report: Report) -> list[str]:
    lines = [f"[ ]: 95 % interval, {RESAMPLES:,} bootstrap resamples of the test samples"]
    for probe in report.probes:
        lines += [f"{probe.name}: {line}" for line in (_work_done(probe), *selection_lines(probe.fitted.selection))]
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


def _work_done(probe: Probe) -> str:
    computed, seconds = sum(e.computed for e in probe.features), sum(e.seconds for e in probe.features)
    fitted = "head from the cache" if probe.fitted.cached else f"head fitted in {probe.fitted.seconds:.1f} s"
    if not computed:
        return f"features from the cache, no backbone run; {fitted}"
    return f"{computed:,} features computed in {seconds:.1f} s ({computed / seconds:,.0f} images/s); {fitted}"


def selection_lines(selection: dict[str, Any]) -> list[str]:
    """Return how C was chosen, and every warning about it."""
    lines = []
    if selection["accuracy"]:
        grid, n = selection["grid"], selection["folds"]
        among = f"{len(grid)} values from {grid[0]:.3g} to {grid[-1]:.3g}"
        rows = f"{n} folds of the" if n else f"{selection['held_out_rows']:,} held-out"
        best = f"{100 * max(selection['accuracy']):.1f} %"
        lines.append(f"C chosen among {among} on {rows} training rows ({best}), then fitted on all")
    if selection["at_edge"]:
        lines.append("WARNING the chosen C lies at the edge of its grid; widen it with --C")
    if not selection["final_converged"]:
        lines.append("WARNING the final fit did not converge")
    return lines


def _places(report: Report) -> list[str]:
    lines = [f"features  {done.folder}" for probe in report.probes for done in probe.features]
    lines += [f"head      {probe.fitted.folder}" for probe in report.probes]
    return [*lines, f"report    {report.path}"]


def size(n: int) -> str:
    """Return a number of bytes as ``1.5 MB``."""
    value, units = float(n), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"
