"""A run as it lies on disk: run.json and its predictions."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from frostline.pipeline.records.run import called, predictions_name
from frostline.pipeline.report.html.predictions import Answers, read_answers
from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.records.safe_read import read_file
from frostline.stages.records.sealed import unsealed
from frostline.stages.targets.registry import main_score

RUN = "run.json"
_PARTS = {"classes": list, "dataset": str, "duplicates": dict, "files": dict, "made": str, "probes": list, "rows": dict}
_OTHERS = {"notes": list, "quarantined": int, "settings": dict, "versions": dict}


@dataclass(frozen=True, eq=False)
class Scored:
    """One head's record in run.json, and its answers; ``fault`` says why these are not there."""

    record: dict[str, Any]
    answers: Answers | None
    fault: str

    @property
    def backbone(self) -> str:
        return str(self.record["backbone"])

    @property
    def head(self) -> str:
        return str(self.record["name"])

    @property
    def name(self) -> str:
        return called(self.head, self.backbone)

    @property
    def scores(self) -> dict[str, Any]:
        scores: dict[str, Any] = self.record["evaluation"]["scores"]
        return scores

    @property
    def selection(self) -> dict[str, Any]:
        selection: dict[str, Any] = self.record["head"]["selection"]
        return selection

    @property
    def accuracy(self) -> float:
        """The main score."""
        return float(main_score(self.scores)["value"])


@dataclass(frozen=True, eq=False)
class Run:
    """A run's folder and the document in it, as ``frostline.pipeline.records.run.to_file`` writes it."""

    folder: Path
    record: dict[str, Any]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.record["classes"])

    @cached_property
    def scored(self) -> tuple[Scored, ...]:
        """The heads that were fitted on all training rows, in the order of the run."""
        return tuple(self._scored(probe) for probe in self.record["probes"] if probe["evaluation"])

    @cached_property
    def leader(self) -> Scored | None:
        """The most accurate head of the run's own backbone, not of a baseline; of equals, the first."""
        own = [one for one in self.scored if one.backbone == self.record["probes"][0]["backbone"]]
        return max(own, key=lambda one: one.accuracy, default=None)

    @property
    def data_dir(self) -> Path:
        """The workspace that the folder lies in."""
        return self.folder.parents[1]

    def features(self, split: str) -> list[dict[str, Any]]:
        """Return the records of the first backbone's feature sets, one per view."""
        probe = self.record["probes"][0]
        return [features for features in probe["features"] if features["split"] == split]

    def read(self, name: str) -> bytes:
        """Return the content of a file beside run.json. Raises StoreError if it is not what run.json says."""
        path = self.folder / name
        try:
            data = read_file(path)
            if hashlib.sha256(data).hexdigest() != self.record["files"].get(name):
                raise ValueError(f"its SHA-256 is not the one in {RUN}")
        except (OSError, ValueError) as error:
            raise _damaged(path, error) from error
        return data

    def _scored(self, probe: dict[str, Any]) -> Scored:
        name = predictions_name(probe["backbone"], probe["name"])
        if not os.path.lexists(self.folder / name):
            return Scored(probe, None, f"{self.folder / name} is gone; `frostline run` writes it again")
        return Scored(probe, read_answers(self.folder / name, self.read(name), self.classes), "")


def read_run(path: Path) -> Run:
    """Return the run in a folder, or beside a run.json. Raises ConfigError if none is there, StoreError if damaged."""
    file = (path / RUN if path.is_dir() else path).absolute()
    try:
        record = unsealed(read_file(file))
    except OSError as error:
        raise ConfigError(
            f"no run in {path} ({error.strerror}); wanted a folder of data/runs, or its run.json"
        ) from error
    except ValueError as error:
        raise _damaged(file, error) from error
    wanted = _PARTS | _OTHERS
    if not all(isinstance(record.get(n), kind) for n, kind in wanted.items()):
        raise StoreError(f"{file} is no run; wanted {', '.join(wanted)} in it, as `frostline run` writes them")
    if any(Path(name).name != name for name in record["files"]):
        raise StoreError(f"{file} names a file that does not lie beside it; `frostline run` writes no such thing")
    if not record["probes"]:
        raise StoreError(f"{file} holds no head; wanted one or more, as `frostline run` writes them")
    return Run(file.parent, record)


def _damaged(path: Path, why: Exception) -> StoreError:
    return StoreError(f"{path} is damaged ({why}); `frostline run` with the same settings writes it again")
