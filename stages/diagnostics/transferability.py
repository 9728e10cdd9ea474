"""Transferability: how well will a head do on these features? Said without fitting one.

Each score goes up with the accuracy that is expected, and means something only in comparison with other
backbones' scores on the same rows. ``measured`` tells from accuracies whether to trust it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.diagnostics.evidence import cutoff, log_evidence, mean_log_evidence
from frostline.stages.errors import DataError, counted
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.values import Targets

_BLOCK = 4096
FEW = 5  # backbones or entries: of fewer no order can be told from chance, 2 of 24 are as good as the best
_COMPONENTS = 64  # Pándy et al. reduce features to so many before GBC


@dataclass(frozen=True)
class Transferability:
    """One backbone's scores; ``leep`` and ``nce`` are None where there are no source probabilities.

    Of several labels and of numbers there is ``logme`` alone; the others are None.
    """

    logme: float
    h_score: float | None = None
    h_score_shrunk: float | None = None
    gbc: float | None = None
    leep: float | None = None
    nce: float | None = None


@dataclass(frozen=True)
class RankAgreement:
    """Rank correlations, -1 to 1, of a score with the ``n`` accuracies that were measured."""

    n: int
    kendall: float
    spearman: float


def transferability_of(
    X: NDArray[Any], targets: Targets, probabilities: NDArray[np.floating] | None = None
) -> Transferability:
    """Return the scores of features, float (n, d), that exist for a kind of target; see ``transferability``.

    Of several labels LogME of each label's yes or no, of numbers that of each output, averaged. Raises DataError.
    """
    if targets.kind == DEFAULT:
        return transferability(X, targets.values, probabilities)
    values = targets.values.astype(np.float64)
    if targets.values.dtype.kind == "i":
        values[values < 0] = np.nan  # not known
    return Transferability(mean_log_evidence(X, values))


def transferability(
    X: NDArray[Any], y: NDArray[np.int64], probabilities: NDArray[np.floating] | None = None
) -> Transferability:
    """Return every score of features, float (n, d), with single labels (n,); features are read in float64 blocks.

    ``probabilities``: of the source classes, (n, z), by the classifier that the backbone was
    trained with. About 2 n d² + 20 d³ operations. Raises DataError if a feature is NaN or
    infinite, all rows are the same, fewer than two classes occur, or the lengths differ.
    """
    rows = _Rows(X, y)
    return Transferability(
        _logme(rows),
        _h_score(rows, 0.0),
        _h_score(rows, rows.shrinkage),
        _gbc(rows),
        None if probabilities is None else leep(probabilities, y),
        None if probabilities is None else nce(probabilities.argmax(1), y),
    )


def leep(probabilities: NDArray[np.floating], y: NDArray[np.int64]) -> float:
    """Return the mean log-likelihood of the labels, by way of the source classes, at most 0.

    Nguyen et al., "LEEP" (ICML 2020, arXiv:2002.12462), eq. 2: mean_i log Σ_z P(y_i | z) θ_i(z),
    where P(y, z) = 1/n Σ_{i: y_i = y} θ_i(z). ``probabilities``: θ, float (n, z), rows sum to one;
    y: integers (n,).
    """
    members = [probabilities[y == label].astype(np.float64) for label in np.unique(y)]
    joint = np.stack([rows.sum(0) for rows in members])
    conditional = joint / np.maximum(joint.sum(0), np.finfo(np.float64).tiny)
    likelihoods = [rows @ given for rows, given in zip(members, conditional, strict=True)]
    return float(np.log(np.concatenate(likelihoods)).mean())


def nce(source: NDArray[np.int64], y: NDArray[np.int64]) -> float:
    """Return the negative conditional entropy -H(Y | Z) in nats, from -log(classes) to 0.

    Tran et al., "Transferability and hardness of supervised classification tasks" (ICCV 2019,
    arXiv:1908.08142). ``source``: each row's source label, integers (n,), here the likeliest.
    """
    source = np.unique(source, return_inverse=True)[1]
    joint = np.zeros((int(y.max()) + 1, int(source.max()) + 1))
    np.add.at(joint, (y, source), 1 / len(y))
    seen = joint > 0
    return float((joint[seen] * np.log((joint / joint.sum(0))[seen])).sum())


def measured(scores: Sequence[float], accuracies: Sequence[float]) -> RankAgreement | None:
    """Return how a score's order agrees with that of measured accuracies, ties counted (Kendall's tau-b).

    None where there are fewer than three pairs, or one side is constant: there is no order then.
    """
    from scipy.stats import kendalltau, spearmanr

    if len(scores) < 3 or 1 in (len(set(scores)), len(set(accuracies))):
        return None
    kendall, spearman = (float(test(scores, accuracies).statistic) for test in (kendalltau, spearmanr))
    return RankAgreement(len(scores), kendall, spearman)


class _Rows:
    """Features with labels, and the moments that the scores are made of, each computed once, in float64."""

    def __init__(self, X: NDArray[Any], y: NDArray[np.int64]) -> None:
        names, self.labels = np.unique(y, return_inverse=True)
        if len(X) != len(y) or len(names) < 2:
            found = f"{len(X)} rows of features, {len(y)} labels of {counted(len(names), 'class')}"
            raise DataError(f"{found}; transferability scores need one label per row and at least two classes")
        self.X, self.n, self.d = X, len(X), X.shape[1]
        self.counts = np.bincount(self.labels)
        self.sums = np.zeros((len(names), self.d))
        for rows, block in self._blocks():
            self.sums += np.eye(len(names))[:, self.labels[rows]] @ block
        self.mean = self.sums.sum(0) / self.n
        if not np.isfinite(self.mean).all():
            raise DataError("features that are NaN or infinite; `frostline health` names their rows")

    def _blocks(self) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        for start in range(0, self.n, _BLOCK):
            rows = slice(start, start + _BLOCK)
            yield rows, self.X[rows].astype(np.float64)

    @cached_property
    def _scatter(self) -> NDArray[np.float64]:
        """The sum of (x - mean)(x - mean)ᵀ, (d, d)."""
        total = np.zeros((self.d, self.d))
        for _, block in self._blocks():
            centred = block - self.mean
            total += centred.T @ centred
        return total

    def principal(self, mean: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the eigenvalues of the sum of (x - mean)(x - mean)ᵀ that are no rounding, ascending, and the vectors.

        The vectors are columns, (d, k). With fewer rows than features they come from the products of the rows.
        """
        if self.n < self.d:
            rows = self.X.astype(np.float64) - mean
            values, left = np.linalg.eigh(rows @ rows.T)
            used = values > cutoff(values)
            return values[used], rows.T @ (left[:, used] / np.sqrt(values[used]))
        off = self.mean - mean
        values, vectors = np.linalg.eigh(self._scatter + self.n * np.outer(off, off))
        used = values > cutoff(values)
        return values[used], vectors[:, used]

    @cached_property
    def spectrum(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The covariance's eigenvalues that are no rounding, ascending, and its eigenvectors, by column."""
        values, vectors = self.principal(self.mean)
        if not len(values):
            raise DataError("every row has the same features; transferability scores need features that differ")
        return values / self.n, vectors

    @cached_property
    def shrinkage(self) -> float:
        """Ledoit and Wolf's coefficient, 0 to 1."""
        lengths = [np.einsum("ij,ij->i", block - self.mean, block - self.mean) for _, block in self._blocks()]
        fourth = float((np.concatenate(lengths) ** 2).mean())
        values, _ = self.spectrum
        squares = float((values**2).sum())
        spread = squares - float(values.sum()) ** 2 / self.d
        return min((fourth - squares) / self.n, spread) / spread if spread > 0 else 0.0

    @cached_property
    def centroids(self) -> NDArray[np.float64]:
        """The classes' means less the overall mean, (classes, d), in the covariance's eigenbasis."""
        centred: NDArray[np.float64] = (self.sums / self.counts[:, None] - self.mean) @ self.spectrum[1]
        return centred

    def spheres(self, components: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return each class's mean squared distance from its own mean, (classes,), in a basis (d, k)."""
        total = np.zeros(len(self.counts))
        for rows, block in self._blocks():
            projected = (block - self.mean) @ components
            np.add.at(total, self.labels[rows], np.einsum("ij,ij->i", projected, projected))
        own = ((self.sums / self.counts[:, None] - self.mean) @ components) ** 2
        spread: NDArray[np.float64] = np.maximum(total / self.counts - own.sum(1), 0)
        return spread


def _h_score(rows: _Rows, shrinkage: float) -> float:
    """Return tr(cov_s(f)⁺ (1 - s) cov(E[f | y])) with cov_s(f) = (1 - s) cov(f) + s tr(cov(f)) / d · I.

    s = 0: Bao et al., "An information-theoretic approach to transferability" (ICIP 2019), eq. 4, from 0 to the number
    of classes less one, which it is near whatever the rows are where they are no more than the features. Else Ibrahim
    et al., "Newer is not always better" (2021, arXiv:2110.06893); s by Ledoit and Wolf (J. Multivariate Analysis 88,
    2004).
    """
    values, _ = rows.spectrum
    between = (rows.counts / rows.n) @ rows.centroids**2
    shrunk = (1 - shrinkage) * values + shrinkage * values.sum() / rows.d
    return float(((1 - shrinkage) * between / shrunk).sum())


def _gbc(rows: _Rows) -> float:
    """Return minus the Bhattacharyya coefficients of all ordered pairs of classes, summed; 0 where none overlap.

    Pándy et al., "Transferability estimation using Bhattacharyya class separability" (CVPR 2022,
    arXiv:2111.12780): exp(-D_B) of spherical Gaussians, one per class, on the first 64 principal
    components. Classes of one row are left out.
    """
    k = min(_COMPONENTS, len(rows.spectrum[0]))
    several = rows.counts > 1
    variance = rows.spheres(rows.spectrum[1][:, -k:])[several] / k
    means = rows.centroids[several][:, -k:]
    variance = np.maximum(variance, 1e-6 * float(rows.spectrum[0][-k:].mean()))  # a class of equal rows has none
    both = (variance[:, None] + variance) / 2
    apart = ((means[:, None] - means) ** 2).sum(-1) / both / 8
    distance = apart + k / 2 * np.log(both / np.sqrt(variance[:, None] * variance))
    overlap = np.exp(-distance)
    return -float(overlap.sum() - np.trace(overlap))


def _logme(rows: _Rows) -> float:
    """Return the maximum log evidence per row, averaged over the classes that occur.

    You et al., "LogME" (ICML 2021, arXiv:2102.11005): each class's indicator, n values, is
    modelled as N(F w, 1/β) with w ~ N(0, 1/α); α and β maximise p(y | F, α, β), by the paper's
    fixed-point iteration.
    """
    values, vectors = rows.principal(np.zeros(rows.d))
    squares = (rows.sums @ vectors) ** 2 / values  # of each class's indicator along each direction of X
    rest = np.maximum(rows.counts - squares.sum(1), 0) if len(values) < rows.n else np.zeros(len(squares))
    return float(log_evidence(values, squares, rest, rows.n).mean())
