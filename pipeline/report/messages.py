"""What to know about a run's data, and which of all that is said is a warning."""

from __future__ import annotations

from collections.abc import Iterable

from frostline.pipeline.records.run import Report
from frostline.pipeline.report.wording import Message
from frostline.stages.errors import counted

_MARK = "WARNING "
_WORRYING = (_MARK, "near duplicates: ")


def noted(lines: Iterable[str]) -> list[Message]:
    """Return recorded notes, those that should worry the reader as warnings."""
    return [Message("warning" if one.startswith(_WORRYING) else "note", one.removeprefix(_MARK)) for one in lines]


def data_messages(report: Report) -> list[Message]:
    """Return what to know about a run's samples."""
    twice = report.duplicates
    found: list[Message] = []
    if twice.across or twice.within_train or twice.within_test:
        text = (
            f"exact duplicates: {twice.across:,} of the test samples are also in train, "
            f"{twice.within_train:,} repeat within train, {twice.within_test:,} within test"
        )
        found.append(Message("warning" if twice.across else "note", text))
    if twice.conflicting:
        found.append(Message("warning", f"{counted(twice.conflicting, 'identical sample')} with different labels"))
    return [*found, *quarantined(report.quarantined), *noted(report.notes)]


def quarantined(count: int) -> list[Message]:
    """Return the warning about samples that were left out, if there are any."""
    text = f"{counted(count, 'sample')} quarantined and left out; run.json lists them"
    return [Message("warning", text)] if count else []


def warnings_of(said: Iterable[Message]) -> list[str]:
    """Return the warnings."""
    return [one.text for one in said if one.level == "warning"]


def notes_of(said: Iterable[Message]) -> list[str]:
    """Return what is no warning."""
    return [one.text for one in said if one.level == "note"]
