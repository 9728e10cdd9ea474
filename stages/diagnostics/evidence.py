"""The evidence of linear models of features: LogME of what is known of each row as a number, or as yes or no.

You et al., "LogME: Practical assessment of pre-trained models for transfer learning" (ICML 2021, arXiv:2102.11005).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import DataError

_ITERATIONS = 200


def mean_log_evidence(X: NDArray[Any], Y: NDArray[np.floating]) -> float:
    """Return the maximum log evidence per row of each output of Y, float (n, outputs), averaged over the outputs.

    X: float (n, d). NaN in Y is not known: its row is left out for that output. Outputs with fewer than two different
    values say nothing and are left out; another unit of an output adds the same to the evidence of all features.
    Raises DataError if a feature is NaN or infinite, or no output is left.
    """
    if not np.isfinite(X).all():
        raise DataError("features that are NaN or infinite; `frostline health` names their rows")
    known = ~np.isnan(Y)
    varied = [j for j, own in enumerate(known.T) if len(np.unique(Y[own, j])) > 1]
    if not varied:
        raise DataError(
            f"none of {Y.shape[1]} outputs has two different values in these {len(Y)} rows; expected more rows"
        )
    alike: dict[bytes, list[int]] = {}
    for j in varied:
        alike.setdefault(known[:, j].tobytes(), []).append(j)
    found = [_evidences(X[known[:, own[0]]], Y[np.ix_(known[:, own[0]], own)]) for own in alike.values()]
    return float(np.concatenate(found).mean())


def _evidences(X: NDArray[Any], Y: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the log evidence per row, (outputs,), of outputs that are known of every row."""
    rows, n = X.astype(np.float64), len(X)
    if n < rows.shape[1]:
        values, left = np.linalg.eigh(rows @ rows.T)
        used = values > cutoff(values)
        coordinates = left[:, used].T @ Y
    else:
        values, vectors = np.linalg.eigh(rows.T @ rows)
        used = values > cutoff(values)
        coordinates = (vectors[:, used].T @ (rows.T @ Y)) / np.sqrt(values[used])[:, None]
    if not used.any():
        raise DataError("every feature is zero; transferability scores need features that differ")
    squares = coordinates.T**2
    rest = np.maximum((Y**2).sum(0) - squares.sum(1), 0) if used.sum() < n else np.zeros(len(squares))
    return log_evidence(values[used], squares, rest, n)


def cutoff(values: NDArray[np.float64]) -> float:
    """Return below which eigenvalues are rounding, as ``numpy.linalg.matrix_rank`` has it."""
    return float(values.max()) * len(values) * float(np.finfo(np.float64).eps)


def log_evidence(
    values: NDArray[np.float64], squares: NDArray[np.float64], rest: NDArray[np.float64], n: int
) -> NDArray[np.float64]:
    """Return the log evidence per row of each class, (classes,), at its best α / β.

    ``values``: eigenvalues σ of FᵀF, (k,); ``squares``: of the indicators' coordinates along them, (classes, k);
    ``rest``: what the features can't reach, (classes,). The fixed-point iteration begins at the best of a
    grid, as there can be two maxima, and is kept off 0 and infinity,
    which are best where features explain a class exactly, or not at all.
    """
    low, high = 1e-12 * values[0], 1e12 * values[-1]
    grid = np.geomspace(low, high, 49)[:, None].repeat(len(squares), 1)
    ratio = grid[np.argmax([_at(ratio, values, squares, rest, n) for ratio in grid], 0), np.arange(len(squares))]
    for _ in range(_ITERATIONS):
        both = ratio[:, None] + values
        weight = (values * squares / both**2).sum(1)
        error = (squares * (ratio[:, None] / both) ** 2).sum(1) + rest
        effective, free = (values / both).sum(1), n - len(values) + (ratio[:, None] / both).sum(1)
        above = effective * error
        last, ratio = ratio, np.maximum(above / np.maximum(weight * free, above / high), low)
        if np.all(np.abs(ratio - last) <= 1e-6 * last):
            break
    return _at(ratio, values, squares, rest, n)


def _at(
    ratio: NDArray[np.float64],
    values: NDArray[np.float64],
    squares: NDArray[np.float64],
    rest: NDArray[np.float64],
    n: int,
) -> NDArray[np.float64]:
    """Return the log evidence per row at α / β, one per class, with the β that is best for it."""
    both = ratio[:, None] + values
    objective = (squares * ratio[:, None] / both).sum(1) + rest  # ‖y - F m‖² + α / β ‖m‖² at the posterior mean m
    fit = len(values) * np.log(ratio) - np.log(both).sum(1) + n * (np.log(n / objective / (2 * np.pi)) - 1)
    result: NDArray[np.float64] = fit / (2 * n)
    return result
