"""A run as its page takes it: the record, and what each head said of every test sample."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from frostline.pipeline.records.headline import Candidate, Headline, headline
from frostline.pipeline.records.run import called, predictions_name
from frostline.pipeline.records.run_folder import RunFolder, read_run
from frostline.pipeline.records.run_record import FeaturesRecord, ProbeRecord, RunRecord
from frostline.pipeline.report.html.predictions import read_predictions
from frostline.pipeline.report.html.stored_targets import stored_targets
from frostline.stages.buckets.cache import named
from frostline.stages.buckets.mirror import fetched
from frostline.stages.errors import StoreError
from frostline.stages.evaluate import Evaluation
from frostline.stages.fit.selection import Selection
from frostline.stages.metrics import Predictions
from frostline.stages.targets.registry import main_score


@dataclass(frozen=True, eq=False)
class Scored:
    """One head that was fitted on all training rows, and its answers; ``problem`` says why these are not there.

    ``features``: the digests of the test features; ``made``: the name of the head's folder, which ends in its digest.
    """

    backbone: str
    head: str
    selection: Selection
    evaluation: Evaluation
    features: tuple[str, ...]
    made: str
    answers: Predictions | None
    problem: str

    @property
    def name(self) -> str:
        return called(self.head, self.backbone)

    @property
    def main(self) -> float:
        """The main score of the kind of target; larger is better."""
        return main_score(self.evaluation.scores, self.evaluation.kind).value


@dataclass(frozen=True, eq=False)
class Run:
    """A run, and the answers of its heads."""

    at: RunFolder

    @property
    def folder(self) -> Path:
        return self.at.folder

    @property
    def record(self) -> RunRecord:
        return self.at.record

    @property
    def backbone(self) -> str:
        """The run's own backbone, not a baseline's."""
        return self.record.probes[0].backbone

    @cached_property
    def scored(self) -> tuple[Scored, ...]:
        """The heads that were fitted on all training rows, in the order of the run."""
        return tuple(found for one in self.record.probes if (found := self._scored(one)))

    @cached_property
    def own(self) -> tuple[Scored, ...]:
        """The scored heads of the run's own backbone, not of a baseline."""
        return tuple(one for one in self.scored if one.backbone == self.backbone)

    @cached_property
    def picked(self) -> Headline:
        """Which of its own heads the page speaks of first, and whether that was picked by test samples."""
        return _headline(self.own)

    @cached_property
    def leader(self) -> Scored | None:
        """The head that the page speaks of first; None where none was fitted on all training rows."""
        return _first(self.own) if self.own else None

    @property
    def baselines(self) -> tuple[Scored, ...]:
        """The head that is spoken of first of each other backbone."""
        others = dict.fromkeys(one.backbone for one in self.scored if one.backbone != self.backbone)
        return tuple(_first([one for one in self.scored if one.backbone == name]) for name in others)

    def features(self, split: str) -> list[FeaturesRecord]:
        """Return the records of the first backbone's feature sets, one per view."""
        return [features for features in self.record.probes[0].features if features.split == split]

    def _scored(self, probe: ProbeRecord) -> Scored | None:
        head, evaluation = probe.head, probe.evaluation
        if head is None or evaluation is None:
            return None
        tested = tuple(one.digest for one in probe.features if one.split == "test")
        made, answers = Path(head.folder).name, self._answers(probe.backbone, probe.name, evaluation)
        return Scored(probe.backbone, probe.name, head.selection, evaluation, tested, made, *answers)

    @cached_property
    def _groups(self) -> dict[str, int]:
        """Which group each test sample is of, by its id; empty where that is not known any more."""
        try:
            found = stored_targets(self.at, "test")
        except StoreError:
            return {}
        if found is None or found.targets.groups is None:
            return {}
        return dict(zip(found.ids, found.targets.groups.tolist(), strict=True))

    def _answers(self, backbone: str, head: str, found: Evaluation) -> tuple[Predictions | None, str]:
        """Return a head's answers, or why there are none."""
        name = predictions_name(backbone, head)
        fetched(self.folder / name)
        if not os.path.lexists(self.folder / name):
            return None, f"{named(self.folder / name)} is gone; `frostline run` writes it again"
        record = self.record
        answers = read_predictions(self.folder / name, self.at.read(name), record.classes, record.kind)
        if not found.groups:
            return answers, ""
        if not self._groups.keys() >= set(answers.ids):
            return None, "the groups of the test samples are no longer known; `frostline run` writes them again"
        return replace(answers, groups=np.array([self._groups[sample] for sample in answers.ids])), ""


def _headline(heads: Sequence[Scored]) -> Headline:
    return headline([Candidate(one.name, one.selection, one.evaluation) for one in heads])


def _first(heads: Sequence[Scored]) -> Scored:
    name = _headline(heads).name
    return next(one for one in heads if one.name == name)


def open_run(path: Path) -> Run:
    """Return the run in a folder, or beside a run.json. Raises ConfigError if none is there, StoreError if damaged."""
    return Run(read_run(path))
