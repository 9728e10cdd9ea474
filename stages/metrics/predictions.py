"""What a head says of every row, and the same as a table for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

TOP = 5
PREDICTED = "predicted"  # what follows a name over what a head says of it
SINGLE_LABEL = "single-label"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_QUOTED = tuple(f"'{sign}" for sign in _FORMULA)


@dataclass(frozen=True, eq=False)
class Predictions:
    """A head's answers for the rows of one split.

    Attributes:
        ids: the samples' names.
        y: int64 (n,), true labels as positions in ``classes``; of other kinds of targets, their values.
        decision_values: float64 (n, classes): probabilities if ``probabilistic``, else decision values or numbers.
        classes: their names.
        probabilistic: whether a row of ``decision_values`` are probabilities.
        features: the digests of the feature keys that were read.
        kind: of target.
        groups: int64 (n,), which group each row is of; None where rows stand for themselves.
    """

    ids: tuple[str, ...]
    y: NDArray[Any]
    decision_values: NDArray[np.float64]
    classes: tuple[str, ...]
    probabilistic: bool
    features: tuple[str, ...]
    kind: str = SINGLE_LABEL
    groups: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: Sequence[int]) -> Predictions:
        """Return those of some rows, in the given order."""
        at = np.asarray(rows, np.int64)
        groups = None if self.groups is None else self.groups[at]
        ids = tuple(self.ids[row] for row in at.tolist())
        return replace(self, ids=ids, y=self.y[at], decision_values=self.decision_values[at], groups=groups)

    @property
    def labels(self) -> NDArray[np.int64]:
        """The predicted classes, int64 (n,), as positions in ``classes``; of equals, the first."""
        labels: NDArray[np.int64] = self.decision_values.argmax(1)
        return labels

    @property
    def right(self) -> NDArray[np.bool_]:
        """Which rows (n,) are predicted right."""
        right: NDArray[np.bool_] = self.labels == self.y
        return right

    def masked(self, mask: NDArray[np.bool_]) -> Predictions:
        """Return the rows where the mask, bool (n,), is true."""
        return self.take(np.flatnonzero(mask).tolist())


def predictions_csv(predicted: Predictions) -> str:
    """Return one line per row: id, label, prediction, margin, and the five likeliest classes.

    The margin is the difference between the two highest values; ``probability_1`` and so on, or
    ``decision_1`` where a head has no probabilities, follow their classes. Text is quoted. Where an id
    or a class name begins with = + - @, a tab or a line's end, an apostrophe is put before it, lest a
    spreadsheet take it for a formula. Of other kinds of targets there are two columns for each name: the true value,
    empty where it is not known, and the head's probability, decision value or number. Ids of files whose names are no
    UTF-8 carry surrogate escapes: encode the text with ``errors="surrogateescape"``.
    """
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    if predicted.kind != SINGLE_LABEL:
        writer.writerows(_by_name(predicted))
        return text.getvalue()
    value = "probability" if predicted.probabilistic else "decision"
    top = [name for k in range(1, min(TOP, len(predicted.classes)) + 1) for name in (f"class_{k}", f"{value}_{k}")]
    writer.writerow(["id", "label", "prediction", "margin", *top])
    writer.writerows(_rows(predicted))
    return text.getvalue()


def _by_name(predicted: Predictions) -> Iterator[list[str | float]]:
    """Yield the header and each row's cells: id, and for each name the true value, if known, and the head's."""
    names = [harmless(name) for name in predicted.classes]
    yield ["id", *(cell for name in names for cell in (name, f"{name} {PREDICTED}"))]
    known = predicted.y >= 0 if predicted.kind == "multi-label" else ~np.isnan(predicted.y)
    both = zip(predicted.ids, predicted.y.tolist(), known.tolist(), predicted.decision_values.tolist(), strict=True)
    for sample, true, is_known, theirs in both:
        pairs = ((t if k else "", _short(p)) for t, k, p in zip(true, is_known, theirs, strict=True))
        yield [harmless(sample), *(cell for pair in pairs for cell in pair)]


def _rows(predicted: Predictions) -> Iterator[list[str | float]]:
    """Yield each row's cells; values to six significant digits."""
    names = [harmless(name) for name in predicted.classes]
    order = np.argsort(-predicted.decision_values, axis=1, kind="stable")[:, :TOP]
    values = np.take_along_axis(predicted.decision_values, order, 1).tolist()
    for sample, y, best, theirs in zip(predicted.ids, predicted.y.tolist(), order.tolist(), values, strict=True):
        cells: list[str | float] = [harmless(sample), names[y], names[best[0]], _short(theirs[0] - theirs[1])]
        for label, value in zip(best, theirs, strict=True):
            cells += [names[label], _short(value)]
        yield cells


def harmless(text: str) -> str:
    """Return a text with an apostrophe before it where a spreadsheet would take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def unquoted(text: str) -> str:
    """Return the text that ``harmless`` was given."""
    return text[1:] if text.startswith(_QUOTED) else text


def _short(value: float) -> float:
    return float(f"{value:.6g}")
