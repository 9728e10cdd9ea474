"""A run as it lies on disk: a folder with run.json and the files that it names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostline.pipeline.records.run_record import ProbeRecord, RunRecord
from frostline.pipeline.records.validated import validated
from frostline.stages.buckets.cache import named
from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.evaluate import Evaluation
from frostline.stages.records.safe_read import read_file
from frostline.stages.records.sealed import unsealed
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.registry import TARGETS

RUN = "run.json"
_WANTED = ("classes", "dataset", "duplicates", "files", "made", "probes", "rows")


@dataclass(frozen=True, eq=False)
class RunFolder:
    """A run's folder, and the record in it."""

    folder: Path
    record: RunRecord

    @property
    def data_dir(self) -> Path:
        """The workspace that the folder lies in."""
        return self.folder.parents[1]

    def read(self, name: str) -> bytes:
        """Return the content of a file beside run.json. Raises StoreError if it is not what run.json says."""
        path = self.folder / name
        try:
            data = read_file(path)
            if hashlib.sha256(data).hexdigest() != self.record.files.get(name):
                raise ValueError(f"its SHA-256 is not the one in {RUN}")
        except (OSError, ValueError) as error:
            raise _damaged(path, error) from error
        return data


def read_run(path: Path) -> RunFolder:
    """Return the run in a folder, or beside a run.json; a field that is absent has its default.

    Raises ConfigError if none is there, StoreError if it is damaged or not a run's.
    """
    file = (path / RUN if path.is_dir() else path).absolute()
    try:
        fields = unsealed(read_file(file))
    except OSError as error:
        raise ConfigError(
            f"no run in {path} ({error.strerror}); expected a folder of data/runs, or its run.json"
        ) from error
    except ValueError as error:
        raise _damaged(file, error) from error
    return RunFolder(file.parent, _record(file, fields))


def _record(file: Path, fields: dict[str, Any]) -> RunRecord:
    if not all(name in fields for name in _WANTED):
        raise StoreError(f"{file} is no run; expected {', '.join(_WANTED)} in it, as `frostline run` writes them")
    try:
        record = validated(RunRecord, fields)
        for features in (one for probe in record.probes for one in probe.features):
            features.check()
        problem = next(_problems(record), None)
        if problem:
            raise ValueError(problem)
    except ValueError as error:
        raise StoreError(
            f"{file} is not as this version of frostline writes it ({error}); "
            "`frostline run` with the same settings writes it again"
        ) from error
    return record


def _problems(record: RunRecord) -> Iterator[str]:
    """Yield what of a record contradicts the rest."""
    for name in record.files:
        if Path(name).name != name:
            yield f"it names a file of another folder: {name}"
    if not record.probes:
        yield "probes: no head, expected one or more"
    for i, probe in enumerate(record.probes):
        yield from (f"probes.{i}.{problem}" for problem in _probe_problems(probe, record))


def _probe_problems(probe: ProbeRecord, record: RunRecord) -> Iterator[str]:
    if not any(one.split == "test" for one in probe.features):
        yield "features: none of the test samples"
    if probe.evaluation is None and probe.curve is None:
        yield "evaluation: neither scores nor a curve"
    if probe.evaluation is not None:
        yield from _score_problems(probe.evaluation, record)
        if probe.head is None:
            yield "head: missing, and yet it is scored"
    if probe.curve is not None and not (probe.curve.points and all(point.accuracy for point in probe.curve.points)):
        yield "curve.points: none, or one without a draw"


def _score_problems(found: Evaluation, record: RunRecord) -> Iterator[str]:
    names, classes = TARGETS.load(record.kind).table, len(record.classes)
    yield from (f"evaluation.scores: no {name}" for name in names if name not in found.scores)
    if found.kind != record.kind:
        yield f"evaluation: of a {found.kind} target; the run's is {record.kind}"
    elif record.kind != DEFAULT and {len(found.labels), len(found.outputs)} != {0, classes}:
        yield f"evaluation: not of the run's {classes} {record.kind} names"
    if record.kind == DEFAULT and {len(found.classes), len(found.confusion), *map(len, found.confusion)} != {classes}:
        yield f"evaluation: not of the run's {classes} classes"


def _damaged(path: Path, why: Exception) -> StoreError:
    return StoreError(f"{named(path)} is damaged ({why}); `frostline run` with the same settings writes it again")
