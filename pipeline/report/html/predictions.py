"""What a head said of every test sample, read back from a run's CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import StoreError
from frostline.stages.metrics import Predictions, unquoted

_COLUMNS = ("id", "label", "prediction", "margin")


@dataclass(frozen=True, eq=False, kw_only=True)
class StoredPredictions(Predictions):
    """Predictions as their CSV has them: ``confidence`` (n, 1) is that of the predicted class alone.

    ``predicted``: int64 (n,), positions in ``classes``. ``margins``: float64 (n,), how far the likeliest class
    is ahead of the next.
    """

    predicted: NDArray[np.int64]
    margins: NDArray[np.float64]

    @property
    def labels(self) -> NDArray[np.int64]:
        """The predicted classes, int64 (n,), as positions in ``classes``."""
        return self.predicted

    def mistakes(self) -> NDArray[np.int64]:
        """Return the rows that are wrong, the surest first; of equally sure ones, the first."""
        wrong = np.flatnonzero(~self.right)
        return wrong[np.argsort(-self.margins[wrong], kind="stable")]


def read_predictions(path: Path, data: bytes, classes: tuple[str, ...]) -> StoredPredictions:
    """Return what ``predictions_csv`` wrote to a path. Raises StoreError if the data are not that."""
    try:
        rows = list(csv.DictReader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")))
        probabilistic = bool(rows) and "probability_1" in rows[0]
        place = {name: i for i, name in enumerate(classes)}
        value = "probability_1" if probabilistic else "decision_1"
        return StoredPredictions(
            ids=tuple(unquoted(row["id"]) for row in rows),
            y=_positions(rows, "label", place),
            confidence=np.array([[float(row[value])] for row in rows]).reshape(-1, 1),
            classes=classes,
            probabilistic=probabilistic,
            features=(),
            predicted=_positions(rows, "prediction", place),
            margins=np.array([float(row["margin"]) for row in rows]),
        )
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise StoreError(
            f"{path} does not hold predictions ({_message(error)}); wanted the columns {', '.join(_COLUMNS)} of "
            "`frostline run`, which writes the file again"
        ) from error


def _positions(rows: list[dict[str, str]], column: str, place: Mapping[str, int]) -> NDArray[np.int64]:
    return np.array([place[unquoted(row[column])] for row in rows], np.int64)


def _message(error: Exception) -> str:
    return f"{error} is missing or unknown" if isinstance(error, KeyError) else str(error)
