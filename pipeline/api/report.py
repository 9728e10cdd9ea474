"""The report of a run, as Python and notebooks show it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from frostline.pipeline.records.curve import Point
from frostline.pipeline.records.headline import Candidate, candidates, headline, of_the_best
from frostline.pipeline.records.run import Report as RunReport
from frostline.pipeline.report.text import table
from frostline.stages.errors import MissingResult, counted
from frostline.stages.frames import data_frame
from frostline.stages.metrics import Score
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS, main_score

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("backbone", "head", "score", "value", "low", "high", "training_samples", "draws")


@dataclass(frozen=True, eq=False, repr=False)
class Report(RunReport):
    """What ``run`` found.

    The head that the report speaks of first is the one that was best on held-out training samples; see ``first_head``.
    ``str(report)`` is the table that the command prints, and a notebook shows it with the figures of the page.
    """

    @property
    def first_head(self) -> str:
        """The name of the head that the report speaks of first, such as ``logreg on resnet50``."""
        return headline(self._own).name

    @property
    def accuracy(self) -> Score:
        """The accuracy of the first head: ``value``, and the ends of its 95 % interval, ``low`` and ``high``.

        Picked by its test score, for want of held-out ones, the interval allows for that choice. Raises ConfigError
        for targets that have no accuracy, see ``main_score``, and where no head was fitted on all training samples.
        """
        if self.kind != DEFAULT:
            raise MissingResult(f"accuracy of a {self.kind} target; expected main_score, which is {self._main}")
        return self.main_score

    @property
    def main_score(self) -> Score:
        """The score by which heads of this kind of target are ordered: accuracy, mAP or R². Raises as ``accuracy``."""
        own, first = self._own, headline(self._own)
        found = next(one.evaluation for one in own if one.name == first.name)
        return of_the_best(found, len(own)) if first.by == "test" else main_score(found.scores, self.kind)

    @property
    def scores(self) -> dict[str, Score]:
        """Every score of the first head by its name. Raises ConfigError where none was fitted on all samples."""
        return next(one.evaluation.scores for one in self._own if one.name == self.first_head)

    def to_frame(self) -> pd.DataFrame:
        """Return a frame of pandas: one row for each head and score, and for each point of a learning curve.

        Columns: ``backbone``, ``head``, ``score``, ``value``, ``low`` and ``high`` (the 95 % interval, NaN where there
        is none), ``training_samples`` and ``draws``. Raises ConfigError where pandas is not installed.
        """
        rows = [*self._scored_rows(), *self._curve_rows()]
        return data_frame({name: [row[at] for row in rows] for at, name in enumerate(_COLUMNS)})

    def __str__(self) -> str:
        return table(self)

    def __repr__(self) -> str:
        return f"<Report of {self.dataset}: {self._brief()}>"

    def _repr_html_(self) -> str:
        from frostline.pipeline.report.html.notebook import notebook_html

        return notebook_html(self)

    @property
    def _main(self) -> str:
        target = TARGETS.load(self.kind)
        return target.table[target.main]

    @property
    def _own(self) -> list[Candidate]:
        """The heads of the run's own backbone that were fitted on all training samples."""
        found = candidates(self.probes).get(self.probes[0].backbone, [])
        if not found:
            raise MissingResult("no head was fitted on all training samples; expected to_frame(), which has the curves")
        return found

    def _brief(self) -> str:
        if not any(probe.evaluation for probe in self.probes):
            return counted(len(self.probes), "learning curve")
        return f"{self._main} {self.main_score}, {self.first_head}"

    def _scored_rows(self) -> list[tuple[Any, ...]]:
        return [
            (probe.backbone, probe.head, name, one.value, one.low, one.high, self.rows.train, None)
            for probe in self.probes
            if probe.evaluation
            for name, one in probe.evaluation.scores.items()
        ]

    def _curve_rows(self) -> list[tuple[Any, ...]]:
        main = TARGETS.load(self.kind).main
        return [
            (probe.backbone, probe.head, main, *_spread(point), point.rows, len(point.accuracy))
            for probe in self.probes
            if probe.curve
            for point in probe.curve.points
        ]


def _spread(point: Point) -> tuple[float, float | None, float | None]:
    return point.spread.mean, point.spread.low, point.spread.high


def shown(found: RunReport) -> Report:
    """Return a run's report as Python shows it."""
    return Report(**{one.name: getattr(found, one.name) for one in fields(found)})
