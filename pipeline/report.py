"""The Report: what a run did and found, as records, JSON and a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stages.compare import Comparison, Pair
from stages.datasets import Duplicates
from stages.errors import counted
from stages.evaluate import Evaluation
from stages.heads import Head
from stages.learning_curve import Forecast
from stages.metrics import RESAMPLES, Predictions, Score, Spread
from stages.specs import FeatureKey, sealed
from stages.store import Bad, plain

PAGE = "report.html"


def predictions_name(backbone: str, head: str) -> str:
    """Return the name of the file that holds what a head says of every test sample."""
    return f"predictions-{plain(backbone)}-{plain(head)}.csv"


def called(head: str, backbone: str) -> str:
    """Return ``logreg on resnet50``."""
    return f"{head} on {backbone}"


@dataclass(frozen=True)
class Extracted:
    """One feature set. ``computed``: rows that went through the backbone, now, in ``seconds``.

    ``pace``: how rows were computed when that was last done, as JSON values.
    """

    split: str
    key: FeatureKey
    folder: Path
    rows: int
    width: int
    quarantined: tuple[Bad, ...]
    computed: int
    seconds: float
    pace: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A head, where it lies, and the record of its selection.

    ``quarantined``: how many training samples were left out. ``cached``: it was there already.
    """

    head: Head
    folder: Path
    selection: dict[str, Any]
    quarantined: int
    seconds: float
    cached: bool


@dataclass(frozen=True)
class Point:
    """Heads fitted on draws of one size: test accuracy of each, the value chosen for each, and what by.

    ``size``: samples per class, or in all; ``rows``: training rows, at most; ``by``: as in a selection, or
    "default" where so few rows leave nothing to choose by; ``seconds``: of all draws.
    """

    size: int
    rows: int
    accuracy: tuple[float, ...]
    spread: Spread
    values: tuple[int | float, ...]
    by: str
    seconds: float


@dataclass(frozen=True)
class Curve:
    """Accuracy by the amount of training data: ``unit`` is "shots" (samples per class) or "samples".

    ``forecast``: for twice the largest size; ``sentence``: the same in words, or why there is none.
    """

    unit: str
    points: tuple[Point, ...]
    forecast: Forecast | None
    sentence: str


@dataclass(frozen=True, eq=False)
class Probe:
    """One head on one backbone's features: fitted on all training rows and scored, or its curve over draws of them."""

    features: tuple[Extracted, ...]
    head: str
    fitted: Fitted | None = None
    evaluation: Evaluation | None = None
    predictions: Predictions | None = None
    curve: Curve | None = None

    @property
    def backbone(self) -> str:
        return self.features[0].key.backbone.name

    @property
    def name(self) -> str:
        return called(self.head, self.backbone)

    @property
    def quarantined(self) -> int:
        """How many samples were left out, in any view."""
        return len({(e.split, bad.row) for e in self.features for bad in e.quarantined})


@dataclass(frozen=True, eq=False)
class Report:
    """A whole run. ``probes``: one per head of the backbone, then the baseline's if there is one.

    ``comparison``: of the scored ones, by ``Probe.name``; None if there are fewer than two, or their test samples
    differ. ``files``: the SHA-256 of what lies beside ``path``, by name. ``unwritten``: why the files are not there.
    """

    dataset: str
    classes: tuple[str, ...]
    rows: dict[str, int]
    notes: tuple[str, ...]
    duplicates: Duplicates
    probes: tuple[Probe, ...]
    comparison: Comparison | None
    settings: dict[str, Any]
    versions: dict[str, str]
    made: str
    path: Path
    files: dict[str, str]
    unwritten: str | None = None

    @property
    def quarantined(self) -> int:
        """How many samples were left out."""
        return self.probes[0].quarantined


def to_json(report: Report) -> str:
    """Return the report as one JSON document."""
    probes = [probe_json(probe) for probe in report.probes]
    own = ("dataset", "classes", "rows", "notes", "settings", "versions", "made", "files")
    whole = {n: getattr(report, n) for n in own}
    whole |= {"duplicates": asdict(report.duplicates), "quarantined": report.quarantined, "probes": probes}
    return json.dumps({**whole, "path": str(report.path)}, indent=2, sort_keys=True, default=str)


def to_file(report: Report) -> bytes:
    """Return the content of ``run.json``: the same document, sealed."""
    return sealed(json.loads(to_json(report)), indent=2)


def extracted_json(done: Extracted) -> dict[str, Any]:
    """Return one feature set as JSON values."""
    return {
        **{n: getattr(done, n) for n in ("split", "rows", "width", "computed")},
        "view": done.key.view,
        "folder": str(done.folder),
        "digest": done.key.digest,
        "key": done.key.fields(),
        "seconds": round(done.seconds, 3),
        "pace": done.pace,
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
    value = chosen(fitted.selection)
    first = f"head {how}{': ' + value if value else ''}"
    return [first, *(f"- {line}" for line in selection_lines(fitted.selection)), f"  {fitted.folder}"]


def chosen(selection: dict[str, Any]) -> str:
    """Return ``C = 0.316``; nothing for a head without a parameter."""
    return f"{selection['parameter']} = {_number(selection['value'])}" if selection["parameter"] else ""


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"


def probe_json(probe: Probe) -> dict[str, Any]:
    """Return one probe as JSON values."""
    return {
        "backbone": probe.backbone,
        "features": [extracted_json(done) for done in probe.features],
        "name": probe.head,
        "head": fitted_json(probe.fitted) if probe.fitted else None,
        "evaluation": asdict(probe.evaluation) if probe.evaluation else None,
        "curve": asdict(probe.curve) if probe.curve else None,
    }


def table(report: Report) -> str:
    """Return the report for a terminal."""
    rows = report.rows
    head = (
        f"{report.dataset}: {len(report.classes)} classes, {rows['train']:,} training and {rows['test']:,} test samples"
    )
    blocks = [[head], score_lines(report.probes), curve_lines(report.probes), _notes(report), _places(report)]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def p_value(pair: Pair) -> str:
    """Return ``= 0.307`` or ``< 0.001``, after the correction for all pairs."""
    return f"= {pair.corrected_p:.3f}" if pair.corrected_p >= 0.001 else "< 0.001"


def verdicts(found: Comparison) -> dict[frozenset[str], str]:
    """Return in words whether two heads differ beyond chance, by their names."""
    return {
        frozenset((pair.first, pair.second)): f"{'a' if pair.significant else 'no'} real difference (p {p_value(pair)})"
        for pair in found.pairs
    }


def score_lines(probes: tuple[Probe, ...]) -> list[str]:
    """Return one line per scored probe, under a heading."""
    scored = [probe for probe in probes if probe.evaluation and probe.fitted]
    rows: list[tuple[str, ...]] = [("backbone", "width", "head", "", "accuracy", "macro-F1")]
    for probe in scored:
        assert probe.evaluation and probe.fitted
        scores = [percent(probe.evaluation.scores[name]) for name in ("accuracy", "macro_f1")]
        width, value = str(probe.features[0].width), chosen(probe.fitted.selection)
        rows.append((probe.backbone, width, probe.head, value, *scores))
    return _columns(rows, "<><<>>") if scored else []


def curve_lines(probes: tuple[Probe, ...]) -> list[str]:
    """Return one line per probe and size of training set, under a heading."""
    rows: list[tuple[str, ...]] = [("backbone", "head", "training data", "draws", "accuracy", "least", "most")]
    for probe in probes:
        for point in probe.curve.points if probe.curve else ():
            unit = "per class" if probe.curve and probe.curve.unit == "shots" else "samples"
            ends = [f"{100 * end:.1f} %" for end in (min(point.accuracy), max(point.accuracy))]
            amount, n = f"{point.size:,} {unit}", str(len(point.accuracy))
            rows.append((probe.backbone, probe.head, amount, n, plus_minus(point.spread), *ends))
    return _columns(rows, "<<>>>>>") if len(rows) > 1 else []


def plus_minus(found: Spread) -> str:
    """Return mean and standard deviation as ``72.1 ± 0.8 %``."""
    deviation = f" ± {100 * found.std:.1f}" if found.std is not None else ""
    return f"{100 * found.mean:.1f}{deviation} %"


def _columns(rows: Sequence[tuple[str, ...]], align: str) -> list[str]:
    """Return the rows with every column as wide as its widest cell; columns that are empty left out."""
    kept = [i for i in range(len(align)) if any(row[i] for row in rows)]
    wide = {i: max(len(row[i]) for row in rows) for i in kept}
    return ["  ".join(f"{row[i]:{align[i]}{wide[i]}}" for i in kept).rstrip() for row in rows]


def probe_lines(probe: Probe) -> list[str]:
    """Return one probe's scores and what to know about them."""
    selection = probe.fitted.selection if probe.fitted else {}
    lines = [*score_lines((probe,)), *(f"- {line}" for line in selection_lines(selection))]
    if probe.quarantined:
        lines.append(f"- {counted(probe.quarantined, 'test sample')} quarantined and left out")
    return lines


def percent(score: Score) -> str:
    """Return ``97.2 % [95.3, 98.6]``."""
    return f"{100 * score.value:.1f} % [{100 * score.low:.1f}, {100 * score.high:.1f}]"


def _notes(report: Report) -> list[str]:
    lines = []
    if any(probe.evaluation for probe in report.probes):
        lines.append(f"[ ]: 95 % interval, {RESAMPLES:,} bootstrap resamples of the test samples")
    if any(probe.curve for probe in report.probes):
        lines.append("±: standard deviation over the draws; smaller sets lie within the larger ones of a draw")
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
    """Return whether the best head differs from the best on each baseline, all pairs of heads considered."""
    if report.comparison is None:
        return []
    accuracy = {place.name: place.accuracy for place in report.comparison.ranks}
    best: dict[str, str] = {}
    for probe in sorted((p for p in report.probes if p.name in accuracy), key=lambda p: -accuracy[p.name]):
        best.setdefault(probe.backbone, probe.name)
    first = best.pop(report.probes[0].backbone, None)
    if first is None:
        return []
    said = verdicts(report.comparison)
    return [f"{first} and {other}: {said[frozenset((first, other))]}" for other in best.values()]


def _work_done(probe: Probe) -> str:
    computed, seconds = sum(e.computed for e in probe.features), sum(e.seconds for e in probe.features)
    if not computed:
        return "features from the cache, no backbone run"
    return f"{computed:,} features computed in {seconds:.1f} s ({computed / seconds:,.0f} images/s)"


def _probe_notes(probe: Probe) -> list[str]:
    """Return what to know about one head."""
    if probe.curve:
        unchosen = [point.size for point in probe.curve.points if point.by == "default"]
        seconds = sum(point.seconds for point in probe.curve.points)
        lines = [f"heads of all draws fitted and scored in {seconds:.1f} s"]
        if unchosen:
            lines.append(f"the usual value where nothing could be held out, at {', '.join(map(str, unchosen))}")
        return [*lines, probe.curve.sentence]
    assert probe.fitted
    how = "head from the cache" if probe.fitted.cached else f"head fitted in {probe.fitted.seconds:.1f} s"
    return [how, *selection_lines(probe.fitted.selection)]


def selection_lines(selection: dict[str, Any]) -> list[str]:
    """Return how the head's parameter was chosen, and every warning about it."""
    lines = []
    if selection["by"]:
        name, grid = selection["parameter"], selection["grid"]
        among = f"{len(grid)} values from {_number(grid[0])} to {_number(grid[-1])}"
        best = f"{100 * max(selection['accuracy']):.1f} %"
        lines.append(f"{name} chosen among {among} on {_rows_of(selection)} ({best}), then fitted on all")
    if selection["at_edge"] and not _as_good_within(selection):
        lines.append(f"WARNING the chosen {selection['parameter']} lies at the edge of its grid; see --grid")
    failed = selection["converged"].count(False)
    if failed:
        lines.append(f"WARNING {failed} of the {len(selection['grid'])} values it was chosen among did not converge")
    if not selection["final_converged"]:
        lines.append("WARNING the final fit did not converge")
    return lines


def _as_good_within(selection: dict[str, Any]) -> bool:
    """Return whether a value that is not at the grid's edge was right as often as the best: no wider grid is needed."""
    accuracy = selection["accuracy"]
    return bool(accuracy[1:-1]) and max(accuracy[1:-1]) >= max(accuracy)


def _rows_of(selection: dict[str, Any]) -> str:
    """Return which rows a value was chosen on."""
    if selection["by"] == "folds":
        return f"{selection['folds']} folds of the training rows"
    if selection["by"] == "leave-one-out":
        return f"{selection['held_out_rows']:,} training rows, each left out"
    return f"{selection['held_out_rows']:,} held-out training rows"


def _places(report: Report) -> list[str]:
    folders = dict.fromkeys(done.folder for probe in report.probes for done in probe.features)
    lines = [f"features  {folder}" for folder in folders]
    lines += [f"head      {probe.fitted.folder}" for probe in report.probes if probe.fitted]
    if report.unwritten:
        return lines
    page = report.path.with_name(PAGE)
    lines.append(f"report    {report.path}")
    return [*lines, f"page      {page}"] if page.is_file() else lines


def size(n: int) -> str:
    """Return a number of bytes as ``1.5 MB``."""
    value, units = float(n), ["B", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"
