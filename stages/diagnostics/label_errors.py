"""Labels worth a second look: those that calibrated heads which have not seen them hold hardly possible."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.sampling import folds
from frostline.stages.diagnostics.noisy_labels import Array, calibrated

if TYPE_CHECKING:
    from frostline.stages.heads.newton.penalised import PreparedRows

SURPRISING = 0.01
_STRENGTH = 3.0


@dataclass(frozen=True)
class LabelIssues:
    """Rows whose label is worth a second look, the one with the most evidence against it first.

    ``suggested``: the likeliest label; ``chance``: the calibrated probability of the given one. ``expected``: how many
    rows would be here if every label were right. ``agreement``: the share of all rows whose given label is the
    likeliest one, which says how good the heads are that judge.
    """

    rows: tuple[int, ...]
    given: tuple[int, ...]
    suggested: tuple[int, ...]
    chance: tuple[float, ...]
    expected: float
    agreement: float


def label_issues(probabilities: Array, y: NDArray[np.int64]) -> LabelIssues:
    """Return the labels (n,) that out-of-fold probabilities, float64 (n, classes), speak against.

    The probabilities are calibrated first, with room for wrong labels (see ``noisy_labels``). A row is here where its
    label and all that are no likelier have together a probability of at most 1 %: of right labels about one in a
    hundred is, whatever the head and the number of classes. A class that no row has is not possible. Ordered by the
    probability of the given label, to which the odds that it was drawn at random are inverse.
    """
    possible = probabilities * np.isin(np.arange(probabilities.shape[1]), y)
    p = calibrated(possible / possible.sum(1, keepdims=True), y)
    own = p[np.arange(len(y)), y]
    surprising = np.where(p <= own[:, None], p, 0).sum(1) <= SURPRISING
    order = np.flatnonzero(surprising)[np.argsort(own[surprising], kind="stable")]
    ascending = np.sort(p, 1)
    return LabelIssues(
        rows=tuple(order.tolist()),
        given=tuple(y[order].tolist()),
        suggested=tuple(p[order].argmax(1).tolist()),
        chance=tuple(own[order].tolist()),
        expected=float(ascending[ascending.cumsum(1) <= SURPRISING].sum()),
        agreement=float(np.mean(probabilities.argmax(1) == y)),
    )


def out_of_fold(
    X: NDArray[Any], y: NDArray[np.int64], digests: NDArray[np.uint8], classes: int, count: int = 5, seed: int = 0
) -> NDArray[np.float64]:
    """Return each row's class probabilities by a head fitted without its fold, float64 (n, classes).

    Logistic regression on finite features, float (n, d), with one C: 3 over the mean squared
    distance of a row from the mean of all, which makes it blind to the features' scale; on 1,000 and
    10,000 rows of CIFAR-10 through three backbones its held-out log-loss came within 8 % of the best of
    seven C's. Equal content, by ``digests``, uint8 (n, 32), is in one fold.
    """
    from frostline.stages.heads.newton.penalised import prepare

    fold, prepared = folds(y, digests, classes, count, seed), prepare(X, y, classes=classes)
    result = np.zeros((len(y), classes))
    for held in (fold == k for k in np.unique(fold)):
        result[held] = held_out(prepared, X, held)
    return result


def held_out(prepared: PreparedRows, X: NDArray[Any], held: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Return the probabilities, (rows held, classes), of a head fitted on the prepared rows of X that are not held."""
    path = prepared.fit([strength(X)], (~held).astype(np.float64))
    probabilities: NDArray[np.floating] = path.decision_values(X[held])[0]
    return probabilities


def strength(X: NDArray[Any]) -> float:
    """Return the C of ``out_of_fold`` for features, float (n, d)."""
    mean = X.mean(0, dtype=np.float64)
    spread = float(np.einsum("ij,ij->", X, X, dtype=np.float64)) / len(X) - float(mean @ mean)
    return _STRENGTH / spread if spread > 0 else _STRENGTH
