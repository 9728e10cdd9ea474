"""What the page of one run says, from the answer down to its provenance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frostline.pipeline.records.run_record import RunRecord
from frostline.pipeline.report.concerns import concerns
from frostline.pipeline.report.html import formatting
from frostline.pipeline.report.html.artifacts import RunArtifacts
from frostline.pipeline.report.html.calibration import calibration
from frostline.pipeline.report.html.curves import curves_section
from frostline.pipeline.report.html.health import health
from frostline.pipeline.report.html.labels import labels_section
from frostline.pipeline.report.html.maps import map_of
from frostline.pipeline.report.html.mistakes import mistakes
from frostline.pipeline.report.html.opening import opening, opening_of_curves
from frostline.pipeline.report.html.pinned import pinned
from frostline.pipeline.report.html.ranking import Compared, Ranking, ranking
from frostline.pipeline.report.html.record import Run, Scored
from frostline.pipeline.report.html.sections import SECTIONS
from frostline.pipeline.report.html.setup import setup
from frostline.pipeline.report.html.values import values_section
from frostline.pipeline.report.verdicts import uncovered, uncovered_over_draws
from frostline.stages.evaluate import Evaluation
from frostline.stages.metrics.compare import Comparison
from frostline.stages.targets.base import DEFAULT

MAPPED = 2000
_NAMED = 20
_COUNTED = {
    DEFAULT: "Test samples of each class",
    "multi-label": "Test samples with each label",
    "regression": "Known test values of each output",
}


@dataclass(frozen=True)
class Data:
    """What is odd about the samples, as far as a run counts it. ``quarantined``: names with reasons, the first ones.

    ``balance``: the fewest and the most of what is ``counted``.
    """

    lines: tuple[tuple[str, int], ...]
    quarantined: tuple[tuple[str, str], ...]
    more_quarantined: int
    notes: tuple[str, ...]
    counted: str
    balance: str


def run_page(
    run: Run, artifacts: RunArtifacts, compared: Comparison | None = None, *, all_pairs: bool = False
) -> dict[str, Any]:
    """Return everything that the template of a run's page shows; ``compared``: its heads, if they were already.

    ``all_pairs``: every two heads are compared, not only the first with each other one.
    """
    leader, record = run.leader, run.record
    ranked = _ranked(run, leader, compared, all_pairs=all_pairs) if leader and len(run.scored) > 1 else None
    found = concerns(record, _beaten(leader, ranked), artifacts.findings)
    page = {
        "run": run,
        "made": formatting.moment(record.made),
        "title": f"{record.dataset}: {_subject(run)}",
        "answer": opening(run, leader, ranked, found) if leader else opening_of_curves(run, found),
        "ranking": ranked,
        "leader": leader,
        "scores": formatting.score_rows(leader.evaluation.scores, leader.evaluation.kind) if leader else [],
        "setup": setup(run, leader),
        **_of_kind(record, leader, artifacts),
        "map": map_of(run, artifacts),
        "curves": curves_section(run),
        "data": _data(run, leader),
        "command": formatting.command(pinned(record.settings, run.features("test")[0].how)),
        "unchosen": _unchosen(run) if leader else "",
        "uncovered": _uncovered(run, leader),
        "health": health(artifacts),
        "look": _health_command(run),
        "names": SECTIONS,
    }
    return {**page, "sections": tuple(_sections(page))}


def _sections(page: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ids of the sections that a page has, in their order."""
    shown = {"heads": "ranking", "scores": "leader", "mistakes": "errors", "confidence": "errors", "provenance": "run"}
    return (name for name in SECTIONS if page.get(shown.get(name, name)))


def _unchosen(run: Run) -> str:
    if run.picked.by == "test":
        return f"This head was chosen on them as the best of {len(run.own)}. The interval at the top allows for that."
    return "Nothing was chosen on them."


def _uncovered(run: Run, leader: Scored | None) -> str:
    if leader:
        return uncovered(grouped=bool(leader.evaluation.groups))
    return uncovered_over_draws(probe.curve for probe in run.record.probes if probe.curve)


def _ranked(run: Run, leader: Scored, compared: Comparison | None, *, all_pairs: bool) -> Ranking:
    how = Compared(leader.name, chosen_here=run.picked.by == "test", all_pairs=all_pairs)
    return ranking(run.scored, how=how, found=compared, among=len(run.own) if how.chosen_here else 1)


def _beaten(leader: Scored | None, ranked: Ranking | None) -> frozenset[str] | None:
    """Return the heads that the leader is significantly better than; None where they are not compared."""
    if leader is None or ranked is None or ranked.problem:
        return None
    return frozenset(pair.other(leader.name) for pair in ranked.pairs if pair.better == leader.name)


def _of_kind(record: RunRecord, leader: Scored | None, artifacts: RunArtifacts) -> dict[str, Any]:
    """Return the sections that only one kind of target has; the others' are None."""
    kind = leader.evaluation.kind if leader else ""
    single = leader if kind == DEFAULT else None
    return {
        "errors": mistakes(single, record.classes, artifacts) if single else None,
        "calibration": calibration(single.evaluation) if single else None,
        "labels": labels_section(leader, artifacts) if leader and kind == "multi-label" else None,
        "values": values_section(leader, artifacts) if leader and kind == "regression" else None,
    }


def _subject(run: Run) -> str:
    heads = dict.fromkeys(probe.name for probe in run.record.probes)
    return f"{', '.join(heads)} on {run.backbone}"


def _data(run: Run, leader: Scored | None) -> Data:
    record, twice = run.record, run.record.duplicates
    bad = {one.id: one.reason for probe in record.probes for f in probe.features for one in f.quarantined}
    return Data(
        lines=(
            ("Test samples that are also training samples", twice.across),
            ("Repeated training samples", twice.within_train),
            ("Repeated test samples", twice.within_test),
            ("Identical samples with different labels", twice.conflicting),
            ("Unusable samples, left out", record.quarantined),
        ),
        quarantined=tuple(bad.items())[:_NAMED],
        more_quarantined=max(0, len(bad) - _NAMED),
        notes=record.notes,
        counted=_COUNTED.get(record.kind, ""),
        balance=_balance(_support(leader.evaluation) if leader else []),
    )


def _support(found: Evaluation) -> list[int]:
    """Return how many test samples are of each class, have each label, or have a value of each output."""
    having = [one.support for one in found.classes] or [one.positives for one in found.labels]
    return having or [one.rows for one in found.outputs]


def _balance(support: Sequence[int]) -> str:
    if not support:
        return ""
    low, high = min(support), max(support)
    return f"{low:,}" if low == high else f"{low:,} – {high:,}"


def _health_command(run: Run) -> str:
    from frostline.pipeline.settings import ExtractSettings

    settings = {n: v for n, v in run.record.settings.items() if n in ExtractSettings.model_fields}
    return formatting.command(pinned(settings, run.features("test")[0].how)).replace(
        "frostline run", "frostline health", 1
    )
