"""What a head said of every test sample, read back from a run's CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import StoreError
from frostline.stages.metrics import Predictions, unquoted
from frostline.stages.metrics.predictions import PREDICTED, SINGLE_LABEL, harmless

_COLUMNS = ("id", "label", "prediction", "margin")


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredPredictions(Predictions):
    """Predictions of single labels as their CSV has them: ``decision_values`` (n, 1), the predicted class's alone.

    ``predicted``: int64 (n,), positions in ``classes``. ``margins``: float64 (n,), how far the likeliest class
    is ahead of the next.
    """

    predicted: NDArray[np.int64]
    margins: NDArray[np.float64]

    @property
    def labels(self) -> NDArray[np.int64]:
        """The predicted classes, int64 (n,), as positions in ``classes``."""
        return self.predicted

    def take(self, rows: Sequence[int]) -> StoredPredictions:
        """Return those of some rows, in the given order."""
        at, taken = np.asarray(rows, np.int64), super().take(rows)
        assert isinstance(taken, StoredPredictions)
        return replace(taken, predicted=self.predicted[at], margins=self.margins[at])

    def mistakes(self) -> NDArray[np.int64]:
        """Return the rows that are wrong, the surest first; of equally sure ones, the first."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.margins[wrong], kind="stable")]


def read_predictions(path: Path, data: bytes, names: tuple[str, ...], kind: str = SINGLE_LABEL) -> Predictions:
    """Return what ``predictions_csv`` wrote to a path, for single labels ``StoredPredictions``.

    ``names``: of what is predicted, in their order. Raises StoreError if the data are not that.
    """
    text = io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")
    try:
        return _single(text, names) if kind == SINGLE_LABEL else _by_name(text, names, kind)
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        columns = _COLUMNS if kind == SINGLE_LABEL else _header(names[:1])
        raise StoreError(
            f"{path} does not hold predictions ({_message(error)}); expected the columns {', '.join(columns)} of "
            "`frostline run`, which writes the file again"
        ) from error


def _single(text: io.StringIO, classes: tuple[str, ...]) -> StoredPredictions:
    rows = list(csv.DictReader(text))
    probabilistic = bool(rows) and "probability_1" in rows[0]
    place = {name: i for i, name in enumerate(classes)}
    value = "probability_1" if probabilistic else "decision_1"
    return StoredPredictions(
        ids=tuple(unquoted(row["id"]) for row in rows),
        y=_positions(rows, "label", place),
        decision_values=np.array([[float(row[value])] for row in rows]).reshape(-1, 1),
        classes=classes,
        probabilistic=probabilistic,
        features=(),
        predicted=_positions(rows, "prediction", place),
        margins=np.array([float(row["margin"]) for row in rows]),
    )


def _by_name(text: io.StringIO, names: tuple[str, ...], kind: str) -> Predictions:
    """Return predictions of numbers or of labels; the latter are probabilities if all lie between 0 and 1."""
    header, *rows = csv.reader(text)
    if header != _header(names):
        raise ValueError("its columns are others")
    shape, unknown = (len(rows), len(names)), "-1" if kind == "multi-label" else "nan"
    y = np.array([float(cell or unknown) for row in rows for cell in row[1::2]]).reshape(shape)
    theirs = np.array([float(cell) for row in rows for cell in row[2::2]]).reshape(shape)
    labels = kind == "multi-label"
    return Predictions(
        ids=tuple(unquoted(row[0]) for row in rows),
        y=y.astype(np.int8) if labels else y,
        decision_values=theirs,
        classes=names,
        probabilistic=labels and bool(((theirs >= 0) & (theirs <= 1)).all()),
        features=(),
        kind=kind,
    )


def _header(names: Sequence[str]) -> list[str]:
    return ["id", *(cell for name in map(harmless, names) for cell in (name, f"{name} {PREDICTED}"))]


def _positions(rows: list[dict[str, str]], column: str, place: Mapping[str, int]) -> NDArray[np.int64]:
    return np.array([place[unquoted(row[column])] for row in rows], np.int64)


def _message(error: Exception) -> str:
    return f"{error} is missing or unknown" if isinstance(error, KeyError) else str(error)
