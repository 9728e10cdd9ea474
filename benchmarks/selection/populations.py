"""Populations of which every score is known, and samples of them, for ``benchmarks.selection.coverage``.

Rows of class c are normal with mean s e_c and variance 1 in as many dimensions as there are classes. A head that says
softmax(s x) is calibrated where classes are of one size, softmax(1.5 s x) is too sure, softmax(0.6 s x) not sure
enough. Which class a row is of changes neither its chance to be right nor its loss, so that s alone, and the classes'
shares, make the scores.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import norm

from frostline.stages.metrics import Predictions

Array = NDArray[Any]
HEADS = {"calibrated": 1.0, "too sure": 1.5, "unsure": 0.6}
BINS, TAIL, TOP = 15, 50.0, 5
_ROWS, _BLOCK = 200_000, 2_000_000


@dataclass(frozen=True)
class Cell:
    """A population and how many rows of it are seen; ``exact``: classes have just their shares of the rows."""

    classes: int
    rows: int
    even: bool
    accuracy: float
    head: str
    exact: bool

    @property
    def shares(self) -> Array:
        """The classes' shares of the population, float64 (classes,)."""
        tail = np.ones(self.classes) if self.even else TAIL ** -np.linspace(0, 1, self.classes)
        shares: Array = tail / tail.sum()
        if not self.exact:
            return shares
        return _apportioned(self.rows, shares) / self.rows

    @property
    def fewest(self) -> float:
        """How many rows of the rarest class are to be expected."""
        return float(self.rows * self.shares.min())


def sample(cell: Cell, rng: np.random.Generator) -> Predictions:
    """Return what the cell's head says of new rows."""
    n, K = cell.rows, cell.classes
    counts = np.round(n * cell.shares).astype(int)
    y = np.repeat(np.arange(K), counts) if cell.exact else rng.choice(K, n, p=cell.shares)
    s = strength(K, cell.accuracy)
    x = rng.standard_normal((n, K))
    x[np.arange(n), y] += s
    names = tuple(map(str, range(max(n, K))))
    return Predictions(names[:n], y, softmax(HEADS[cell.head] * s * x), names[:K], True, ())


def class_f1(cell: Cell, recall: Array) -> Array:
    """Return each class's F1 in the population where classes have these recalls, float64 (classes,)."""
    missed = cell.shares * (1 - recall)
    false = (missed.sum() - missed) / (cell.classes - 1)
    both = cell.shares * (1 + recall) + false
    f1: Array = np.divide(2 * cell.shares * recall, both, out=np.zeros(cell.classes), where=both > 0)
    return f1


@cache
def strength(classes: int, accuracy: float) -> float:
    """Return the s with which the largest of ``classes`` values is that of the label so often."""
    x = np.linspace(-9, 9, 4001)

    def found(s: float) -> float:
        return float(np.trapezoid(norm.pdf(x) * norm.cdf(x + s) ** (classes - 1), x)) - accuracy

    return float(brentq(found, 0.0, 14.0))


@cache
def truth(classes: int, accuracy: float, head: str, rows: int = _ROWS) -> dict[str, float]:
    """Return the scores in the population, each row's loss in expectation over its labels; by classes of one size."""
    rng, s, sharp = np.random.default_rng(5), strength(classes, accuracy), HEADS[head]
    block, done = max(1000, _BLOCK // classes), 0
    sums, excess = np.zeros(6), np.zeros(BINS)
    ranked: tuple[list[Array], list[Array]] = [], []
    while done < rows:
        x = rng.standard_normal((block, classes))
        ranked[1].append(softmax(sharp * s * (x + s * (np.arange(classes) == 1)))[:, 0])
        x[:, 0] += s
        said, true = softmax(sharp * s * x), softmax(s * x)
        ranked[0].append(said[:, 0])
        top = np.sort(true, axis=1)[:, -TOP:].sum()
        best, sure = said.argmax(1), said.max(1)
        wrong = np.where(np.arange(classes) == best[:, None], 0, true)
        logs, squares = -np.log(np.maximum(said, np.finfo(float).eps)), (said**2).sum(1, keepdims=True) - 2 * said + 1
        sums += [
            (true * logs).sum(),
            (true * squares).sum(),
            top,
            (wrong * logs).sum(),
            (wrong * squares).sum(),
            wrong.sum(),
        ]
        at = np.searchsorted(np.arange(1, BINS) / BINS, sure)
        excess += np.bincount(at, true[np.arange(block), best] - sure, BINS)
        done += block
    means = dict(zip(("log_loss", "brier", "top5_accuracy"), sums[:3] / done, strict=True))
    mistakes = dict(zip(("log_loss", "brier"), sums[3:5] / sums[5], strict=True))
    of_right = {name: (means[name] * done - sums[5] * loss) / (done - sums[5]) for name, loss in mistakes.items()}
    more = {f"{name}_of_a_mistake": loss - of_right[name] for name, loss in mistakes.items()}
    return {"accuracy": accuracy, "auroc": _area(*ranked), "ece": float(np.abs(excess).sum() / done), **means, **more}


def _area(own: list[Array], others: list[Array]) -> float:
    first, second = np.concatenate(own), np.sort(np.concatenate(others))
    sides = [np.searchsorted(second, first, side=side) for side in ("left", "right")]
    return float(np.mean(sides) / len(second))


def softmax(logits: Array) -> Array:
    chances: Array = np.exp(logits - logits.max(1, keepdims=True))
    chances /= chances.sum(1, keepdims=True)
    return chances


def _apportioned(rows: int, shares: Array) -> Array:
    """Return whole numbers that sum to ``rows``, nearest to their shares of them."""
    wanted = rows * shares
    counts: Array = np.floor(wanted)
    counts[np.argsort(counts - wanted, kind="stable")[: round(rows - counts.sum())]] += 1
    return counts
