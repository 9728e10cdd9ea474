"""A run as its page takes it: the record, and what each head said of every test sample."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from frostline.pipeline.records.run import called, predictions_name
from frostline.pipeline.records.run_folder import RunFolder, read_run
from frostline.pipeline.records.run_record import FeaturesRecord, RunRecord
from frostline.pipeline.report.html.predictions import StoredPredictions, read_predictions
from frostline.stages.evaluate import Evaluation
from frostline.stages.fit.selection import Selection
from frostline.stages.targets.registry import main_score


@dataclass(frozen=True, eq=False)
class Scored:
    """One head that was fitted on all training rows, and its answers; ``problem`` says why these are not there."""

    backbone: str
    head: str
    selection: Selection
    evaluation: Evaluation
    answers: StoredPredictions | None
    problem: str

    @property
    def name(self) -> str:
        return called(self.head, self.backbone)

    @property
    def accuracy(self) -> float:
        """The main score."""
        return main_score(self.evaluation.scores).value


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
        found = ((one.backbone, one.name, one.head, one.evaluation) for one in self.record.probes)
        return tuple(
            Scored(backbone, name, head.selection, evaluation, *self._answers(backbone, name))
            for backbone, name, head, evaluation in found
            if head and evaluation
        )

    @cached_property
    def leader(self) -> Scored | None:
        """The most accurate head of the run's own backbone, not of a baseline; of equals, the first."""
        own = [one for one in self.scored if one.backbone == self.backbone]
        return max(own, key=lambda one: one.accuracy, default=None)

    def features(self, split: str) -> list[FeaturesRecord]:
        """Return the records of the first backbone's feature sets, one per view."""
        return [features for features in self.record.probes[0].features if features.split == split]

    def _answers(self, backbone: str, head: str) -> tuple[StoredPredictions | None, str]:
        """Return a head's answers, or why there are none."""
        name = predictions_name(backbone, head)
        if not os.path.lexists(self.folder / name):
            return None, f"{self.folder / name} is gone; `frostline run` writes it again"
        return read_predictions(self.folder / name, self.at.read(name), self.record.classes), ""


def open_run(path: Path) -> Run:
    """Return the run in a folder, or beside a run.json. Raises ConfigError if none is there, StoreError if damaged."""
    return Run(read_run(path))
