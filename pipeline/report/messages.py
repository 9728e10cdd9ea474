"""What to know about a run's data, and which of all that is said is a warning."""

from __future__ import annotations

from collections.abc import Iterable

from frostline.pipeline.records.run import Report, run_record
from frostline.pipeline.report.concerns import beaten_by, concerns
from frostline.pipeline.report.wording import NO_INTERVAL, Message
from frostline.stages.metrics.score import TOO_FEW
from frostline.stages.targets.registry import TARGETS

_MARK = "WARNING "
_WORRYING = (_MARK, "near duplicates: ")


def noted(lines: Iterable[str]) -> list[Message]:
    """Return recorded notes, those that should worry the reader as warnings."""
    return [Message("warning" if one.startswith(_WORRYING) else "note", one.removeprefix(_MARK)) for one in lines]


def data_messages(report: Report) -> list[Message]:
    """Return what to know about a run's samples; what ``concerns`` says of them is left out."""
    twice = report.duplicates
    found: list[Message] = []
    if twice.across or twice.within_train or twice.within_test:
        text = (
            f"exact duplicates: {twice.across:,} of the test samples are also in train, "
            f"{twice.within_train:,} repeat within train, {twice.within_test:,} within test"
        )
        found.append(Message("note", text))
    return [*found, *noted(report.notes)]


def worries(report: Report) -> list[Message]:
    """Return what should worry the reader of a run: the box of its page, and scores that have no interval."""
    compared = report.comparison
    beaten = beaten_by(compared.reference, compared) if compared else None
    said = [one.text for one in concerns(run_record(report), beaten)]
    shown = TARGETS.load(report.kind).table
    scores = [one.evaluation.scores[name] for one in report.probes if one.evaluation for name in shown]
    missing = [f"{NO_INTERVAL}: {TOO_FEW}"] if any(score.interval is None for score in scores) else []
    return [Message("warning", text) for text in (*said, *missing)]


def warnings_of(said: Iterable[Message]) -> list[str]:
    """Return the warnings."""
    return [one.text for one in said if one.level == "warning"]


def notes_of(said: Iterable[Message]) -> list[str]:
    """Return what is no warning."""
    return [one.text for one in said if one.level == "note"]
