"""Heads fitted on a GPU are those fitted on the processor."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from frostline.stages.cuda.captures import CAPTURES
from frostline.stages.fit import fit_rows
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import head_spec
from frostline.stages.heads.newton.c_path import ROUGH
from frostline.stages.heads.newton.penalised import prepare
from frostline.stages.heads.solvers.adamw import AdamWSolver
from frostline.stages.heads.solvers.logistic import logistic_path
from frostline.stages.heads.solvers.sgd import SgdSolver
from frostline.stages.heads.spec import Scaling
from support.gpu import DEVICE, needs_gpu, two_devices

pytestmark = [needs_gpu, two_devices]
N, D, CLASSES = 600, 24, 5


def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(0, CLASSES, N)
    X = rng.normal(0, 1, (CLASSES, D))[y] + rng.normal(0, 1.5, (N, D))
    return X.astype(np.float32), y


def decision_values(X: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    logits = np.einsum("nd,kcd->knc", X.astype(np.float64), weight) + bias[:, None]
    odds = np.exp(logits - logits.max(axis=2, keepdims=True))
    return odds / odds.sum(axis=2, keepdims=True)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_logistic_path_is_the_processors_to_1e_4(dtype: str) -> None:
    X, y = rows()
    how = {"classes": CLASSES, "tolerance": 1e-9, "dtype": dtype}
    here, there = (logistic_path(X, y, [1e-3, 1e-1, 10.0], device=device, **how) for device in ("cpu", DEVICE))
    assert here.converged.all() and there.converged.all()
    assert (
        np.abs(decision_values(X, here.weight, here.bias) - decision_values(X, there.weight, there.bias)).max() < 1e-4
    )


def test_fewer_rows_than_the_preconditioner_pairs_are_fitted_there_as_well() -> None:
    X, y = rows()
    assert logistic_path(X[:200], y[:200], [1e-2, 1.0], classes=CLASSES, device=DEVICE).converged.all()


def test_rough_heads_in_reduced_precision_there_are_as_near_as_they_say() -> None:
    X, y = rows()
    grid, path = [1e-3, 1e-1, 10.0], prepare(X, y, classes=CLASSES, device=DEVICE).begin()
    path.solve(grid, ROUGH)
    rough, close = path.known(grid, ROUGH.tolerance), logistic_path(X, y, grid, classes=CLASSES, tolerance=1e-9)
    above = rough.objective[0] / close.objective - 1
    assert rough.converged.all() and (above > -1e-5).all() and (above < 3e-3).all()


@pytest.mark.parametrize("scaling", ["none", "standardize"])
def test_a_value_is_searched_there_as_it_is_here(scaling: Scaling) -> None:
    X, y = rows()
    digests, found = np.random.default_rng(0).integers(0, 256, (N, 32), np.uint8), []
    for device in ("cpu", DEVICE):
        spec = head_spec("logreg", None, options={"device": device}, scaling=scaling)
        found.append(fit_rows(TrainingRows(X, y, CLASSES, spec), digests, tuple("abcde"))[1])
    here, there = found
    assert here.value == there.value and here.untried == there.untried and there.final_converged
    np.testing.assert_allclose(there.log_loss, here.log_loss, rtol=5e-3)


def test_linear_layers_trained_there_are_those_trained_here_to_1e_4() -> None:
    X, y = rows()
    here, there = (
        SgdSolver(X, y, CLASSES, steps=300, device=device).fit([1e-3, 1e-2], np.ones(N)) for device in ("cpu", DEVICE)
    )
    assert (
        np.abs(decision_values(X, here.weight, here.bias) - decision_values(X, there.weight, there.bias)).max() < 1e-4
    )


@pytest.mark.parametrize("kind", [SgdSolver, AdamWSolver])
def test_steps_are_captured_there_and_are_those_that_are_taken_one_by_one(
    kind: type[SgdSolver | AdamWSolver], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = rows()
    how = {"steps": 300} if kind is SgdSolver else {"epochs": 30, "batch": 64}  # the last batch of an epoch is shorter
    with caplog.at_level(logging.INFO, "frostline"):
        captured = kind(X, y, CLASSES, device=DEVICE, **how).fit([1e-3, 1e-2], np.ones(N))
    assert "can't be captured" not in caplog.text and not CAPTURES.failed
    monkeypatch.setattr(CAPTURES, "failed", True)
    written = kind(X, y, CLASSES, device=DEVICE, **how).fit([1e-3, 1e-2], np.ones(N))
    np.testing.assert_allclose(captured.weight, written.weight, rtol=1e-4, atol=1e-5 * np.abs(written.weight).max())
