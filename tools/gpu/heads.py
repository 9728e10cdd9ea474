"""Heads on the device and on the processor: seconds, the largest difference, and how often a fit waits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from frostline.stages.cuda.captures import CAPTURES
from frostline.stages.fit import Selection, fit_rows
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import head_spec
from frostline.stages.heads.kinds import DINOV2_GRID
from frostline.stages.heads.linear import LinearPath
from frostline.stages.heads.solvers.logistic import logistic_path
from frostline.stages.heads.solvers.sgd import SgdSolver
from tools.gpu.bench import Bench
from tools.gpu.profiles import profiled
from tools.gpu.report import Found

_CLASSES, _FEW = 10, 200  # of so few rows the preconditioner makes no pairs
_CALLS = ("cudaStreamSynchronize", "cudaLaunchKernel", "cudaMemcpyAsync", "aten::item", "aten::nonzero")
Rows = tuple[NDArray[np.float32], NDArray[np.int64]]


def heads(bench: Bench, found: Found) -> None:
    X, y = _rows(bench, 10_000)
    C = np.logspace(-4, 1, 8)
    odds = []
    for device in _devices(bench):
        path, seconds = _fitted(bench, X, y, C, device)
        found[f"logistic, {len(X)} rows, 8 values, {device}, s"] = seconds
        odds.append(_odds(path, X[:300]))
        few = logistic_path(X[:_FEW], y[:_FEW], C, device=device)
        found[f"logistic, {_FEW} rows, {device}, converged"] = bool(few.converged.all())
        found[f"SGD, 1,000 steps, {device}, s"] = round(_sgd_seconds(bench, X, y, device)[0], 2)
    found["largest difference of probabilities (expected below 1e-4)"] = float(np.abs(odds[0] - odds[-1]).max())
    _as_written(bench, found, X, y)
    found["calls of a fit of 4 values"] = _calls(bench, X, y)


def grid(bench: Bench, found: Found) -> None:
    """Note how long all 45 values of DINOv2's grid take, on the device first."""
    X, y = _rows(bench, 20_000)
    for device in _devices(bench):
        _, seconds = _fitted(bench, X, y, np.asarray(DINOV2_GRID), device)
        found[f"logistic, {len(X)} rows, {len(DINOV2_GRID)} values, {device}, s"] = seconds


def choice(bench: Bench, found: Found) -> None:
    """Note how long a run's head takes: C chosen on a tenth of the rows by the default rule, and fitted on all."""
    X, y = _rows(bench, 20_000)
    for device in _devices(bench):
        selection, seconds = _chosen(bench, X, y, device)
        found[f"logistic, {len(X)} rows, C chosen, {device}, s"] = seconds
        tried = f"{len(selection.grid)} of {len(selection.given)} values tried"
        found[f"logistic, {len(X)} rows, C chosen, {device}"] = f"C = {selection.value:.3g}, {tried}"


def _chosen(bench: Bench, X: NDArray[np.float32], y: NDArray[np.int64], device: str) -> tuple[Selection, float]:
    """Return how C was chosen, and how many seconds that and the last fit took."""
    digests, names = np.random.default_rng(0).integers(0, 256, (len(X), 32), np.uint8), tuple(map(str, range(_CLASSES)))
    spec = head_spec("logreg", None, options={"device": device}, folds=0, hold_out=0.1)
    rows, selections = TrainingRows(X, y, _CLASSES, spec), list[Selection]()
    seconds = bench.seconds(lambda: selections.append(fit_rows(rows, digests, names)[1]))
    return selections[0], round(seconds, 2)


def _fitted(
    bench: Bench, X: NDArray[np.float32], y: NDArray[np.int64], C: NDArray[np.float64], device: str
) -> tuple[LinearPath, float]:
    """Return a path and how many seconds it took, after a small one that starts what there is to start."""
    logistic_path(X[:500], y[:500], C=[0.01], device=device)
    paths: list[LinearPath] = []
    seconds = bench.seconds(lambda: paths.append(logistic_path(X, y, C, device=device)))
    return paths[0], round(seconds, 2)


def _devices(bench: Bench) -> list[str]:
    return list(dict.fromkeys((str(bench.device), "cpu")))


def _rows(bench: Bench, number: int) -> Rows:
    n, width = max(500, int(number * bench.scale)), 1280 if bench.on_gpu else 32
    rng = np.random.default_rng(0)
    y = rng.integers(0, _CLASSES, n)
    noise = rng.normal(0, 3, (n, width))
    return (rng.normal(0, 0.5, (_CLASSES, width))[y] + noise).astype(np.float32), y


def _odds(path: LinearPath, X: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return probabilities (rows, values, classes)."""
    scores = np.einsum("nd,kcd->nkc", X.astype(np.float64), path.weight) + path.bias
    odds: NDArray[np.float64] = softmax(scores, axis=2)
    return odds


def _sgd_seconds(
    bench: Bench, X: NDArray[np.float32], y: NDArray[np.int64], device: str
) -> tuple[float, NDArray[np.float64]]:
    """Return how long 1,000 steps take, and the weights."""
    rates, weights = [1e-3, 1e-2, 1e-1], np.ones(len(X))
    SgdSolver(X, y, _CLASSES, steps=20, device=device).fit(rates, weights)
    solver, paths = SgdSolver(X, y, _CLASSES, steps=1000, device=device), list[LinearPath]()
    return bench.seconds(lambda: paths.append(solver.fit(rates, weights))), paths[0].weight


def _as_written(bench: Bench, found: Found, X: NDArray[np.float32], y: NDArray[np.int64]) -> None:
    """Note whether steps were captured, how long they take without a graph, and how far the weights are apart."""
    device, failed = str(bench.device), CAPTURES.failed
    found["captures still work"] = not failed
    _, weights = _sgd_seconds(bench, X, y, device)
    try:
        CAPTURES.failed = True
        seconds, wanted = _sgd_seconds(bench, X, y, device)
    finally:
        CAPTURES.failed = failed
    found[f"SGD, 1,000 steps, {device}, without a graph, s"] = round(seconds, 2)
    difference = float(np.abs(weights - wanted).max() / np.abs(wanted).max())
    found["SGD, largest difference of weights with and without a graph (expected below 1e-4 of the largest)"] = (
        difference
    )


def _calls(bench: Bench, X: NDArray[np.float32], y: NDArray[np.int64]) -> dict[str, int]:
    with profiled(bench, "logistic regression, 4 values", "self_cpu_time_total") as done:
        logistic_path(X, y, np.logspace(-4, -1, 4), device=str(bench.device))
    return {event.key: event.count for event in done.key_averages() if event.key in _CALLS}
