"""LogME of labels and numbers: the evidence of You et al., by their own fixed point."""

from __future__ import annotations

import numpy as np
import pytest

from frostline.stages.diagnostics.evidence import mean_log_evidence
from frostline.stages.diagnostics.transferability import transferability, transferability_of
from frostline.stages.errors import DataError
from frostline.stages.targets.values import Targets


def published(F: np.ndarray, y: np.ndarray) -> float:
    """Return LogME as in the authors' code (thuml/LogME, algorithm 2), run to its fixed point."""
    n, d = F.shape
    _, s, vh = np.linalg.svd(F, full_matrices=True)
    sigma = np.zeros(d)
    sigma[: len(s)] = s**2
    alpha = beta = 1.0
    for _ in range(20_000):
        posterior = alpha + beta * sigma
        m = vh.T @ (beta * (vh @ (F.T @ y)) / posterior)
        gamma = (beta * sigma / posterior).sum()
        error = float(((y - F @ m) ** 2).sum())
        alpha, beta = gamma / float(m @ m), (n - gamma) / error
    A = alpha * np.eye(d) + beta * F.T @ F
    whole = d * np.log(alpha) + n * np.log(beta) - np.linalg.slogdet(A)[1] - n * np.log(2 * np.pi)
    m = beta * np.linalg.solve(A, F.T @ y)
    return float((whole - beta * ((y - F @ m) ** 2).sum() - alpha * m @ m) / (2 * n))


def rows(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d))
    return X, X[:, :2] @ rng.normal(size=(2, 3)) + rng.normal(size=(n, 3))


def test_numbers_have_the_published_evidence_averaged_over_outputs() -> None:
    X, Y = rows(60, 8)
    assert mean_log_evidence(X, Y) == pytest.approx(np.mean([published(X, y) for y in Y.T]), rel=1e-6)


def test_what_is_not_known_is_left_out_of_its_output_alone() -> None:
    X, Y = rows(60, 8)
    Y[::7, 1] = np.nan
    some = ~np.isnan(Y[:, 1])
    expected = [published(X, Y[:, 0]), published(X[some], Y[some, 1]), published(X, Y[:, 2])]
    assert mean_log_evidence(X, Y) == pytest.approx(np.mean(expected), rel=1e-6)


def test_more_features_than_rows_give_what_a_rotation_of_them_gives() -> None:
    X, Y = rows(30, 50)
    smaller = np.linalg.qr(X.T)[1].T
    assert mean_log_evidence(X, Y) == pytest.approx(mean_log_evidence(smaller, Y), rel=1e-9)


def test_another_unit_moves_all_features_alike() -> None:
    X, Y = rows(60, 8)
    other = np.random.default_rng(1).normal(size=X.shape)
    apart = mean_log_evidence(X, Y) - mean_log_evidence(other, Y)
    assert apart > 0.1 and mean_log_evidence(X, 1000 * Y) - mean_log_evidence(other, 1000 * Y) == pytest.approx(apart)


def test_labels_are_averaged_as_the_classes_of_a_single_label_are() -> None:
    X, Y = rows(90, 6)
    y = Y[:, :2].argmax(1)
    labels = Targets(("a", "b"), np.stack([y == 0, y == 1], 1).astype(np.int8), "multi-label")
    found = transferability_of(X, labels)
    assert found.logme == pytest.approx(transferability(X, y).logme, rel=1e-9)
    assert found.h_score is found.h_score_shrunk is found.gbc is found.leep is found.nce is None


def test_an_output_that_never_changes_says_nothing() -> None:
    X, Y = rows(60, 8)
    constant = np.column_stack([Y[:, 0], np.full(60, 3.0), np.full(60, np.nan)])
    assert mean_log_evidence(X, constant) == pytest.approx(mean_log_evidence(X, Y[:, :1]), rel=1e-12)
    with pytest.raises(DataError, match="none of 2 outputs has two different values"):
        mean_log_evidence(X, constant[:, 1:])
    with pytest.raises(DataError, match="NaN or infinite"):
        mean_log_evidence(np.full((60, 2), np.nan), Y)
