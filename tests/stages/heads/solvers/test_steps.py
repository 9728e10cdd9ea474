"""Steps that a GPU takes as one graph, here replayed by doing the work again: the steps are those of a loop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from frostline.stages.cuda.captures import Captures
from frostline.stages.heads.solvers import adamw, descent, steps
from frostline.stages.heads.solvers.adamw import AdamWSolver
from frostline.stages.heads.solvers.sgd import SgdSolver
from frostline.stages.heads.solvers.steps import Batch, Replayed, take_steps
from support.rows import clustered

CPU = torch.device("cpu")
Work = Callable[[], Any]


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_sync_debug_mode", lambda: 0)
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", lambda _: None)
    monkeypatch.setattr(steps, "_FIRST", 3)


def again(replays: list[int]) -> Captures:
    """Return what captures work without doing it, as a GPU does; a replay does it."""

    def capture(work: Work, device: torch.device, stream: object) -> tuple[Work, None]:
        def run() -> None:
            replays.append(1)
            work()

        return run, None

    return Captures(capture)


class Sums:
    """A state that depends on every batch, number and their order."""

    def __init__(self) -> None:
        self.state = torch.ones(2, dtype=torch.float64)

    def step(self, places: torch.Tensor, number: Any, other: Any) -> None:
        self.state.mul_(0.5).add_(torch.stack([places.sum() * number, len(places) + other * places[0]]))


def made(lengths: list[int]) -> list[Batch]:
    rng = np.random.default_rng(0)
    return [(torch.from_numpy(rng.integers(0, 9, n)), (float(rng.integers(9)), 1.0 + i)) for i, n in enumerate(lengths)]


@pytest.mark.parametrize(
    "lengths", [[], [3], [3] * 4, [3] * 5, [3] * 11, [3, 3, 3, 2] * 4, [3] * 5 + [2] + [3] * 5 + [1]]
)
@pytest.mark.parametrize("at_once", [1, 4, 512])
def test_every_step_is_taken_once_and_in_order(
    lengths: list[int], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "_AT_ONCE", at_once)
    plain, replayed, replays = Sums(), Sums(), list[int]()
    take_steps(plain.step, made(lengths), (plain.state,), "cpu")
    Replayed(replayed.step, (replayed.state,), CPU, again(replays)).take(made(lengths))
    assert torch.equal(plain.state, replayed.state)
    assert len(replays) == max(0, lengths.count(3) - 3)


@pytest.mark.parametrize("where", ["trial", "capture"])
def test_a_step_that_can_not_be_captured_is_taken_as_it_is(where: str, caplog: pytest.LogCaptureFixture) -> None:
    plain, replayed, calls = Sums(), Sums(), list[int]()

    def step(*given: Any) -> None:
        calls.append(1)
        replayed.step(*given)
        if len(calls) == 4 and where == "trial":  # after it has changed the state
            raise RuntimeError("called a synchronizing CUDA operation")

    def capture(work: Work, *_: object) -> tuple[Work, None]:
        work()
        raise RuntimeError("operation not permitted when stream is capturing")

    captures = Captures(capture)
    take_steps(plain.step, made([3] * 9), (plain.state,), "cpu")
    with caplog.at_level(logging.INFO, "frostline"):
        Replayed(step, (replayed.state,), CPU, captures).take(made([3] * 9))
    assert torch.equal(plain.state, replayed.state)
    assert [line.message.partition(",")[0] for line in caplog.records] == [
        "a training step can't be captured as a CUDA graph"
    ]
    assert captures.failed == (where == "capture")


def test_memory_that_runs_out_is_raised() -> None:
    def capture(*_: object) -> tuple[Work, None]:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    sums = Sums()
    with pytest.raises(torch.OutOfMemoryError):
        Replayed(sums.step, (sums.state,), CPU, Captures(capture)).take(made([3] * 9))


def replayed_instead(replays: list[int]) -> Callable[..., None]:
    def take(step: Any, batches: Any, state: Any, device: str) -> None:
        Replayed(step, state, torch.device(device), again(replays)).take(batches)

    return take


def test_heads_trained_by_replayed_steps_are_those_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = clustered(90, 6, 4)
    weights = np.random.default_rng(1).uniform(0.5, 2, 90)
    solvers = (
        lambda: SgdSolver(X, y, 4, steps=60, batch=16, weight_decay=1e-3).fit((0.003, 0.3), weights),
        lambda: SgdSolver(X, y, 4, steps=20, batch=16, schedule="constant").fit((0.3,), weights),
        lambda: AdamWSolver(X, y, 4, epochs=5, batch=16).fit((1e-4, 3.0), weights),
    )
    wanted, replays = [fit() for fit in solvers], list[int]()
    for room in (descent, adamw):
        monkeypatch.setattr(room, "take_steps", replayed_instead(replays))
    for fit, one in zip(solvers, wanted, strict=True):
        found = fit()
        np.testing.assert_allclose(found.weight, one.weight, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found.bias, one.bias, rtol=1e-4, atol=1e-6)
    assert len(replays) == 57 + 17 + (5 * 5 - 3)
