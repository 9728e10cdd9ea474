"""What should worry the reader of a run's page: a sentence each, and the section that has the details."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from frostline.pipeline.records.findings import Findings
from frostline.pipeline.report.html import formatting
from frostline.pipeline.report.html.claims import by_chance
from frostline.pipeline.report.html.ranking import Ranking
from frostline.pipeline.report.html.record import Run, Scored
from frostline.pipeline.report.wording import NOUNS, listed, selection_lines
from frostline.stages.errors import counted
from frostline.stages.evaluate import Evaluation
from frostline.stages.targets.registry import main_score

FEW_ROWS, FEW_GROUPS, FEW_OF_EACH = 100, 20, 5
_UNEVEN = 10.0  # the largest class against the smallest
_OFF = 0.1  # calibration error


class Concern(NamedTuple):
    """``text``: one sentence without its full stop. ``section``: the id of the section that says more."""

    text: str
    section: str


def concerns(run: Run, leader: Scored | None, ranked: Ranking | None, found: Findings | None) -> tuple[Concern, ...]:
    """Return what should worry the reader, the gravest first; nothing where all is well."""
    own = _of_leader(run, leader, ranked) if leader else _of_curves(run)
    return (*own, *_of_record(run, found), *(_of_findings(found) if found else ()))


def _of_leader(run: Run, leader: Scored, ranked: Ranking | None) -> Iterator[Concern]:
    yield from _no_better_than_chance(leader)
    yield from _of_baselines(run, leader, ranked)
    yield from _few(leader.evaluation)
    yield from _of_selection(run.scored)
    yield from _of_confidence(leader.evaluation)


def _no_better_than_chance(leader: Scored) -> Iterator[Concern]:
    chance, ends = by_chance(leader.evaluation), main_score(leader.evaluation.scores, leader.evaluation.kind).interval
    if chance is not None and ends and ends[0] <= chance:
        yield Concern("The score is not clearly better than what can be reached without looking at a sample", "scores")


def _of_baselines(run: Run, leader: Scored, ranked: Ranking | None) -> Iterator[Concern]:
    """Yield the baselines that the head is not clearly better than: the encoder may add little then."""
    worse = {pair.second for pair in ranked.pairs if pair.better == leader.name} if ranked else ()
    names = [one.name for one in run.baselines if one.name not in worse]
    if names and ranked and ranked.pairs:
        yield Concern(f"{leader.name} is not clearly better than the baseline {listed(names)}", "heads")


def _few(found: Evaluation) -> Iterator[Concern]:
    if found.rows < FEW_ROWS:
        yield Concern(f"There are only {counted(found.rows, 'test sample')}, so the score is uncertain", "scores")
    if 0 < found.groups < FEW_GROUPS:
        yield Concern(
            f"The test samples come from only {counted(found.groups, 'group')}, so the score is uncertain", "scores"
        )
    yield from _few_of_each(found)


def _few_of_each(found: Evaluation) -> Iterator[Concern]:
    """Yield how many classes or labels have no test sample, or hardly any."""
    of_each = [one.support for one in found.classes] or [one.positives for one in found.labels]
    section, noun = "mistakes" if found.classes else "labels", NOUNS.get(found.kind, "name")
    absent, few = of_each.count(0), sum(0 < n < FEW_OF_EACH for n in of_each)
    if absent:
        yield Concern(f"{_have(absent, noun)} no test sample", section)
    if few:
        yield Concern(f"{_have(few, noun)} fewer than {FEW_OF_EACH} test samples", section)


def _of_selection(scored: Sequence[Scored]) -> Iterator[Concern]:
    """Yield each doubt about how heads were chosen or fitted, with the names of those it is about."""
    doubted: dict[str, list[str]] = defaultdict(list)
    for one in scored:
        for message in selection_lines(one.selection, one.head, one.backbone):
            if message.level == "warning":
                doubted[message.text].append(one.name)
    for text, names in doubted.items():
        yield Concern(f"{listed(names)}: {text[0].lower()}{text[1:]}", "setup")


def _of_confidence(found: Evaluation) -> Iterator[Concern]:
    error, mended = found.scores.get("ece"), found.scores.get("ece_calibrated")
    best = mended if mended and error and mended.value < error.value else error
    if error and best and best.value > _OFF:
        yield Concern(f"The probabilities are off by {formatting.valued('ece', error)[0]} on average", "confidence")


def _of_curves(run: Run) -> Iterator[Concern]:
    if any(point.spread.draws == 1 for probe in run.record.probes if probe.curve for point in probe.curve.points[:-1]):
        yield Concern("Some training-set sizes have one random subset only, so their scores are uncertain", "curves")


def _of_record(run: Run, found: Findings | None) -> Iterator[Concern]:
    record = run.record
    if record.quarantined:
        yield Concern(f"{_were(record.quarantined, 'sample')} left out as unusable", "data")
    if found is None and record.duplicates.across:
        yield Concern(f"{_are(record.duplicates.across, 'test sample')} also in the training set", "data")
    if record.duplicates.conflicting:
        yield Concern(f"{_have(record.duplicates.conflicting, 'identical sample')} different labels", "data")


def _of_findings(found: Findings) -> Iterator[Concern]:
    if found.leak.rows:
        yield Concern(f"{_are(len(found.leak.rows), 'test sample')} in the training set too, or nearly so", "data")
    if found.shift and found.shift.found:
        yield Concern("The test samples differ from the training samples as a whole", "data")
    yield from _of_labels(found)
    yield from _of_balance(found.rows_by_class, NOUNS.get(found.kind, "name"))
    if odd := sum(map(len, found.not_finite.values())):
        yield Concern(f"{_have(odd, 'sample')} NaN or infinite features", "data")


def _of_labels(found: Findings) -> Iterator[Concern]:
    """Yield doubtful labels where they are more than there would be if all were right, and doubtful numbers."""
    expected = found.issues_expected or 0.0
    if len(found.label_issues) > expected + 2 * math.sqrt(expected + 1):
        yield Concern(f"{counted(len(found.label_issues), 'training label')} may be wrong", "data")
    if found.odd_values:
        yield Concern(f"{counted(len(found.odd_values), 'training value')} may be wrong", "data")


def _of_balance(rows: dict[str, int], noun: str) -> Iterator[Concern]:
    if not rows or max(rows.values()) < _UNEVEN * min(rows.values()):
        return
    largest, smallest = max(rows, key=rows.__getitem__), min(rows, key=rows.__getitem__)
    yield Concern(
        f"Some {noun} has far fewer training samples than another: {smallest} {rows[smallest]:,}, "
        f"{largest} {rows[largest]:,}",
        "data",
    )


def _are(n: int, noun: str) -> str:
    return f"{counted(n, noun)} {'is' if n == 1 else 'are'}"


def _have(n: int, noun: str) -> str:
    return f"{counted(n, noun)} {'has' if n == 1 else 'have'}"


def _were(n: int, noun: str) -> str:
    return f"{counted(n, noun)} {'was' if n == 1 else 'were'}"
