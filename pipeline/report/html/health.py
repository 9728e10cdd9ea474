"""What the page of a run says of the health of its data."""

from __future__ import annotations

from dataclasses import dataclass

from frostline.pipeline.records.findings import Findings, Issue
from frostline.pipeline.report.checks import Check, checks
from frostline.pipeline.report.html.artifacts import RunArtifacts
from frostline.pipeline.report.html.thumbnails import Picture, Thumbnails

NAMED, ISSUES, PAIRS = 6, 12, 6


@dataclass(frozen=True)
class CheckShown:
    """A check with the first of its names, and how many ``more`` there are."""

    sought: str
    found: str
    names: tuple[str, ...]
    more: int
    sound: bool


@dataclass(frozen=True)
class IssueShown:
    """A training label that is worth a second look, beside its sample."""

    picture: Picture
    given: str
    suggested: str


@dataclass(frozen=True)
class Health:
    """The checks, the labels most worth a second look, and the nearest ``pairs`` of test and train, test first."""

    backbone: str
    rows: dict[str, int]
    checks: tuple[CheckShown, ...]
    issues: tuple[IssueShown, ...]
    more_issues: int
    pairs: tuple[tuple[Picture, Picture], ...]


def health(artifacts: RunArtifacts) -> Health | None:
    """Return what is known of the data's health; None if it was not looked for."""
    found = artifacts.findings
    if found is None:
        return None
    train, test = (Thumbnails(split, artifacts.page) for split in (artifacts.train, artifacts.test))
    return Health(
        backbone=found.backbone,
        rows=found.rows,
        checks=tuple(map(_check, checks(found))),
        issues=tuple(_issue(one, train) for one in found.label_issues[:ISSUES]),
        more_issues=max(0, len(found.label_issues) - ISSUES),
        pairs=_pairs(found, train, test),
    )


def _check(one: Check) -> CheckShown:
    return CheckShown(
        sought=one.sought,
        found=one.found,
        names=one.names[:NAMED],
        more=max(0, len(one.names) - NAMED),
        sound=one.sound,
    )


def _issue(one: Issue, train: Thumbnails) -> IssueShown:
    return IssueShown(
        picture=train.of(one.id, f"A training sample labelled {one.given}, more likely {one.suggested}"),
        given=one.given,
        suggested=one.suggested,
    )


def _pairs(found: Findings, train: Thumbnails, test: Thumbnails) -> tuple[tuple[Picture, Picture], ...]:
    return tuple(
        (test.of(one.id, "A test sample"), train.of(one.nearest, "Its near duplicate in the training set"))
        for one in found.near_duplicates.across[:PAIRS]
    )
