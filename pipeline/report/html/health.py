"""What the page of a run says of the health of its data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from frostline.pipeline.records.findings import Findings, Issue, Near
from frostline.pipeline.report.checks import Check, checks
from frostline.pipeline.report.html.artifacts import Evidence
from frostline.pipeline.report.html.thumbnails import Thumbnails

NAMED, ISSUES, PAIRS = 6, 12, 6


def health(evidence: Evidence) -> dict[str, Any] | None:
    """Return the checks, the likeliest label errors and the nearest pairs of test and train; None if not looked for."""
    found = evidence.findings
    if found is None:
        return None
    train, test = Thumbnails(evidence.train), Thumbnails(evidence.test)
    return {
        "backbone": found.backbone,
        "rows": found.rows,
        "checks": [_check(one) for one in checks(found)],
        "issues": [_issue(one, train) for one in found.label_issues[:ISSUES]],
        "more_issues": max(0, len(found.label_issues) - ISSUES),
        "pairs": _pairs(found, train, test),
    }


def _check(one: Check) -> dict[str, Any]:
    return {
        "sought": one.sought,
        "found": one.found,
        "names": one.names[:NAMED],
        "more": max(0, len(one.names) - NAMED),
        "sound": one.sound,
    }


def _issue(one: Issue, train: Thumbnails) -> dict[str, Any]:
    return {
        "picture": train.of(one.id, f"A training sample labelled {one.given}, likelier {one.suggested}"),
        "given": one.given,
        "suggested": one.suggested,
        "sure": f"{100 * one.probability:.0f} % sure",
    }


def _pairs(found: Findings, train: Thumbnails, test: Thumbnails) -> list[Sequence[Any]]:
    def pair(one: Near) -> Sequence[Any]:
        return test.of(one.id, "A test sample"), train.of(one.nearest, "Its near duplicate of train")

    return [pair(one) for one in found.near_duplicates.across[:PAIRS]]
