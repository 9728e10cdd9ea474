"""What should worry the reader of a run, in the terminal and on its page: a sentence each, and where it says more."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from frostline.pipeline.records.findings import Findings
from frostline.pipeline.records.headline import Candidate, headline, recorded_candidates
from frostline.pipeline.records.run import called
from frostline.pipeline.records.run_record import ProbeRecord, RunRecord
from frostline.pipeline.report.chance import by_chance
from frostline.pipeline.report.wording import NOUNS, listed, selection_lines, value_of
from frostline.stages.errors import counted
from frostline.stages.evaluate import Evaluation
from frostline.stages.metrics.compare import Comparison
from frostline.stages.targets.registry import main_score

FEW_ROWS, FEW_GROUPS, FEW_OF_EACH = 100, 20, 5
_UNEVEN = 10.0  # the largest class against the smallest
_OFF = 0.1  # calibration error


class Concern(NamedTuple):
    """``text``: one sentence without its full stop. ``section``: the id of the page's section that says more."""

    text: str
    section: str


def concerns(
    record: RunRecord, beaten: Collection[str] | None = None, found: Findings | None = None
) -> tuple[Concern, ...]:
    """Return what should worry the reader of a run, the gravest first; nothing where all is well.

    ``beaten``: the heads that the recommended one is significantly better than; None where they are not compared.
    ``found``: what a look for duplicates and doubtful labels found, if there was one.
    """
    heads = recorded_candidates(record)
    own = heads.get(record.probes[0].backbone, [])
    said = _of_heads(record, heads, beaten) if own else _of_curves(record)
    return (*said, *_of_record(record, found), *(_of_findings(found) if found else ()))


def concerns_of_best(best: Candidate, records: Sequence[RunRecord]) -> tuple[Concern, ...]:
    """Return what should worry the reader of a comparison of runs; ``best``: of all heads on the test samples."""
    found = best.evaluation
    return (
        *_no_better_than_chance(found),
        _picked_here(best.name),
        *_few(found),
        *_of_selection([probe for record in records for probe in record.probes]),
        *_of_confidence(found),
        *_of_record(records[0], None),
    )


def beaten_by(reference: str, found: Comparison) -> frozenset[str]:
    """Return the heads that one is significantly better than."""
    pairs = [one.turned if one.second == reference else one for one in found.pairs if one.significant]
    return frozenset(one.second for one in pairs if one.first == reference and one.difference > 0)


def _of_heads(
    record: RunRecord, heads: dict[str, list[Candidate]], beaten: Collection[str] | None
) -> Iterator[Concern]:
    own, *baselines = heads.values()
    first = headline(own)
    leader = next(one for one in own if one.name == first.name)
    yield from _no_better_than_chance(leader.evaluation)
    if beaten is not None:
        yield from _of_baselines(leader.name, [headline(several).name for several in baselines], beaten)
    if first.by == "test":
        yield _picked_here(leader.name)
    yield from _few(leader.evaluation)
    yield from _of_selection(record.probes)
    yield from _of_confidence(leader.evaluation)


def _picked_here(name: str) -> Concern:
    return Concern(f"{name} was picked on these test samples, so its score is optimistic", "heads")


def _no_better_than_chance(found: Evaluation) -> Iterator[Concern]:
    chance, ends = by_chance(found), main_score(found.scores, found.kind).interval
    if chance is not None and ends and ends[0] <= chance:
        yield Concern("The score is not clearly better than what can be reached without looking at a sample", "scores")


def _of_baselines(leader: str, baselines: Sequence[str], beaten: Collection[str]) -> Iterator[Concern]:
    """Yield the baselines that the head is not clearly better than: the encoder may add little then."""
    if names := [one for one in baselines if one not in beaten]:
        yield Concern(f"{leader} is not clearly better than the baseline {listed(names)}", "heads")


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


def _of_selection(probes: Sequence[ProbeRecord]) -> Iterator[Concern]:
    """Yield each doubt about how heads were chosen or fitted, with the names of those it is about."""
    doubted: dict[str, list[str]] = defaultdict(list)
    for one in probes:
        for message in selection_lines(one.head.selection, one.name, one.backbone) if one.head else ():
            if message.level == "warning":
                doubted[message.text].append(called(one.name, one.backbone))
    for text, names in doubted.items():
        yield Concern(f"{listed(list(dict.fromkeys(names)))}: {text[0].lower()}{text[1:]}", "setup")


def _of_confidence(found: Evaluation) -> Iterator[Concern]:
    error, mended = found.scores.get("ece"), found.scores.get("ece_calibrated")
    best = mended if mended and error and mended.value < error.value else error
    if error and best and best.value > _OFF:
        yield Concern(f"The probabilities are off by {value_of(error.value, shares=True)} on average", "confidence")


def _of_curves(record: RunRecord) -> Iterator[Concern]:
    if any(point.spread.draws == 1 for probe in record.probes if probe.curve for point in probe.curve.points[:-1]):
        yield Concern("Some training-set sizes have one random subset only, so their scores are uncertain", "curves")


def _of_record(record: RunRecord, found: Findings | None) -> Iterator[Concern]:
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
