"""Transferability: every score is its paper's formula, and its order is that of what heads then do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from frostline.stages.diagnostics.transferability import leep, measured, nce, transferability
from frostline.stages.errors import DataError


def clouds(n: int = 60, d: int = 8, classes: int = 3, apart: float = 1.0, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Gaussian classes of unequal sizes, off the origin, on columns of unequal scale."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(classes).repeat(2), rng.choice(classes, n - 2 * classes, p=[0.6, 0.3, 0.1])])
    X = apart * rng.normal(size=(classes, d))[y] + rng.normal(size=(n, d))
    return X * np.geomspace(0.3, 3, d) + 2.0, y


def directly_logme(F: np.ndarray, y: np.ndarray) -> float:
    """Maximise the density of y ~ N(0, I/β + F Fᵀ/α) over α and β, class by class."""
    values = []
    for label in np.unique(y):
        indicator = (y == label).astype(float)

        def loss(logs: np.ndarray, wanted: np.ndarray = indicator) -> float:
            alpha, beta = np.exp(logs)
            density = multivariate_normal(np.zeros(len(F)), np.eye(len(F)) / beta + F @ F.T / alpha)
            return -float(density.logpdf(wanted))

        starts = ([0.0, 0.0], [4.0, 2.0], [2.0, 6.0])
        found = [
            minimize(loss, start, method="Nelder-Mead", options={"fatol": 1e-10, "xatol": 1e-7}) for start in starts
        ]
        values.append(-min(f.fun for f in found) / len(F))
    return float(np.mean(values))


@pytest.mark.parametrize("apart", [0.3, 2.0])
def test_logme_is_the_largest_evidence_that_any_alpha_and_beta_give(apart: float) -> None:
    X, y = clouds(apart=apart)
    assert transferability(X, y).logme == pytest.approx(directly_logme(X, y), abs=1e-6)


def test_logme_is_the_same_evidence_where_features_outnumber_rows_and_some_say_nothing() -> None:
    X, y = clouds(n=20, d=6)
    X = np.hstack([X, X[:, :2], np.zeros((20, 30)), np.ones((20, 1))])
    assert transferability(X, y).logme == pytest.approx(directly_logme(X, y), abs=1e-6)


def test_logme_bears_features_that_explain_a_class_exactly_or_not_at_all() -> None:
    X, y = clouds(n=12, d=20)
    assert transferability(X, y).logme == pytest.approx(directly_logme(X, y), abs=1e-4)
    nothing = X[:, :3] * (y < 2)[:, None]
    assert transferability(nothing, y).logme == pytest.approx(directly_logme(nothing, y), abs=1e-4)


def test_h_score_is_the_trace_of_its_paper() -> None:
    X, y = clouds()
    expected = np.stack([X[y == label].mean(0) for label in y])
    direct = np.trace(np.linalg.pinv(np.cov(X.T)) @ np.cov(expected.T))
    assert transferability(X, y).h_score == pytest.approx(direct, rel=1e-9)
    dead = np.hstack([X, np.zeros((len(X), 2)), X[:, :1]])
    assert transferability(dead, y).h_score == pytest.approx(direct, rel=1e-9)


def test_the_shrunk_h_score_is_the_trace_with_scikit_learns_ledoit_wolf() -> None:
    X, y = clouds(n=25, d=40)
    estimate = LedoitWolf().fit(X)
    expected = np.stack([X[y == label].mean(0) for label in y])
    between = (1 - estimate.shrinkage_) * np.cov(expected.T, bias=True)
    assert transferability(X, y).h_score_shrunk == pytest.approx(
        np.trace(np.linalg.inv(estimate.covariance_) @ between), rel=1e-9
    )


def test_with_fewer_rows_than_features_only_the_shrunk_h_score_tells_noise_from_signal() -> None:
    signal, y = clouds(n=40, d=60, apart=1.0)
    noise = np.random.default_rng(1).normal(size=signal.shape)
    assert transferability(noise, y).h_score == pytest.approx(2) and transferability(
        signal, y
    ).h_score == pytest.approx(2)
    assert transferability(signal, y).h_score_shrunk > 2 * transferability(noise, y).h_score_shrunk


def directly_gbc(X: np.ndarray, y: np.ndarray) -> float:
    Z = PCA(min(64, X.shape[1]), svd_solver="full").fit_transform(X)
    spheres = [(Z[y == label].mean(0), Z[y == label].var(0).mean()) for label in np.unique(y)]
    total = 0.0
    for i, (mean, variance) in enumerate(spheres):
        for j, (other, its) in enumerate(spheres):
            if i != j:
                both = np.eye(Z.shape[1]) * (variance + its) / 2
                log_ratio = np.linalg.slogdet(both)[1] - Z.shape[1] * np.log(variance * its) / 2
                total += np.exp(-(mean - other) @ np.linalg.inv(both) @ (mean - other) / 8 - log_ratio / 2)
    return -total


@pytest.mark.parametrize("d", [8, 70])
def test_gbc_is_minus_the_sum_of_bhattacharyya_coefficients(d: int) -> None:
    X, y = clouds(n=200, d=d, apart=0.5)
    assert transferability(X, y).gbc == pytest.approx(directly_gbc(X, y), rel=1e-8)


def test_gbc_leaves_out_classes_of_one_row_and_bears_classes_of_equal_rows() -> None:
    X, y = clouds(n=50, apart=0.5)
    alone = np.append(y, 3)
    more = np.vstack([X, X.mean(0)])
    assert transferability(more, alone).gbc == pytest.approx(transferability(X, y).gbc)
    equal = np.where((y == 1)[:, None], X[0], X)
    assert -6 <= transferability(equal, y).gbc <= 0


def test_leep_and_nce_are_their_papers_sums() -> None:
    rng = np.random.default_rng(3)
    theta = rng.dirichlet(np.full(5, 0.4), 40)
    y = rng.integers(0, 3, 40)
    joint = np.zeros((3, 5))
    for i in range(40):
        joint[y[i]] += theta[i] / 40
    direct = np.mean(
        [np.log(sum(joint[y[i], z] / joint[:, z].sum() * theta[i, z] for z in range(5))) for i in range(40)]
    )
    assert leep(theta, y) == pytest.approx(direct, rel=1e-12)
    source = theta.argmax(1)
    pairs = [np.mean((y == y[i]) & (source == source[i])) / np.mean(source == source[i]) for i in range(40)]
    assert nce(source, y) == pytest.approx(np.mean(np.log(pairs)), rel=1e-12)


def test_source_classes_that_are_the_target_classes_score_zero_and_useless_ones_minus_the_entropy() -> None:
    y = np.arange(40) % 4
    assert leep(np.eye(4)[y], y) == pytest.approx(0) and nce(y, y) == pytest.approx(0)
    assert leep(np.full((40, 7), 1 / 7), y) == pytest.approx(-np.log(4))
    assert nce(np.zeros(40, int), y) == pytest.approx(-np.log(4))


def test_float16_features_and_labels_with_gaps_score_as_float64_and_labels_without() -> None:
    X, y = clouds()
    half = X.astype(np.float16)
    theta = np.random.default_rng(0).dirichlet(np.ones(6), len(y))
    gapped = np.array([2, 5, 9])[y]
    assert transferability(half, gapped, theta) == transferability(half.astype(np.float64), y, theta)


def test_more_rows_than_a_block_change_nothing() -> None:
    X, y = clouds(n=5000)
    order = np.random.default_rng(0).permutation(len(y))
    one, other = transferability(X, y), transferability(X[order], y[order])
    assert [one.logme, one.h_score, one.gbc] == pytest.approx([other.logme, other.h_score, other.gbc], rel=1e-9)
    assert one.leep is None and one.nce is None


def test_every_score_of_features_puts_backbones_in_the_order_of_the_accuracies_measured() -> None:
    accuracies, scores = [], []
    for apart in (0.2, 0.5, 0.9, 1.4):
        X, y = clouds(n=600, d=12, apart=apart, seed=7)
        head = LogisticRegression(max_iter=1000).fit(X[::2], y[::2])
        accuracies.append(float(head.score(X[1::2], y[1::2])))
        found = transferability(X[::2], y[::2])
        scores.append([found.logme, found.h_score, found.h_score_shrunk, found.gbc])
    for column in zip(*scores, strict=True):
        found = measured(column, accuracies)
        assert found is not None and found.kendall == 1 and found.spearman == 1


def test_rank_correlation_counts_pairs_and_says_nothing_of_two() -> None:
    found = measured([1.0, 2.0, 3.0, 4.0], [0.1, 0.2, 0.4, 0.3])
    assert found is not None and (found.n, found.kendall, found.spearman) == pytest.approx((4, 4 / 6, 0.8))
    assert measured([1.0, 2.0], [0.1, 0.2]) is None
    assert measured([1.0, 2.0, 3.0], [0.5, 0.5, 0.5]) is None


def test_features_that_cannot_be_scored_are_refused_with_the_reason() -> None:
    X, y = clouds()
    with pytest.raises(DataError, match=r"60 labels of 1 class; .* at least two classes"):
        transferability(X, np.zeros_like(y))
    with pytest.raises(DataError, match="60 rows of features, 59 labels"):
        transferability(X, y[1:])
    with pytest.raises(DataError, match="the same features"):
        transferability(np.ones_like(X), y)
    X[3, 2] = np.nan
    with pytest.raises(DataError, match="NaN or infinite"):
        transferability(X, y)
