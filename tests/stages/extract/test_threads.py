"""The number of threads that decode is found by trying all, a quarter of them and one."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from frostline.stages.extract import loader as loading
from frostline.stages.extract.loader import Loader
from frostline.stages.extract.threads import ThreadTrial
from frostline.stages.modalities.base import Item


def found(max_threads: int, seconds: dict[int, float]) -> tuple[int, list[int]]:
    """Return what a trial settles on where a row takes so many seconds, and what it tried."""
    trial, tried = ThreadTrial(max_threads), []
    while candidate := trial.candidate:
        tried.append(candidate)
        trial.tell(seconds[candidate])
    return trial.best, tried


@pytest.mark.parametrize(
    ("max_threads", "seconds", "best", "tried"),
    [
        (16, {16: 3.0, 4: 2.0, 1: 1.0}, 1, [16, 16, 4, 1]),
        (16, {16: 3.0, 4: 2.0, 1: 2.5}, 4, [16, 16, 4, 1]),
        (16, {16: 1.0, 4: 3.0}, 16, [16, 16, 4]),
        (16, {16: 1.0, 4: 1.0, 1: 1.0}, 1, [16, 16, 4, 1]),
        (2, {2: 1.0, 1: 1.5}, 2, [2, 2, 1]),
        (1, {}, 1, []),
    ],
)
def test_fewer_threads_are_tried_as_long_as_they_are_not_slower(
    max_threads: int, seconds: dict[int, float], best: int, tried: list[int]
) -> None:
    assert found(max_threads, seconds) == (best, tried)


def test_the_first_time_is_not_counted_since_libraries_are_loaded_in_it() -> None:
    trial = ThreadTrial(2)
    for seconds in (0.1, 3.0, 2.0):
        trial.tell(seconds)
    assert trial.best == 1


class Decoder:
    """Notes which threads decode; a row takes ``seconds`` of how many rows are decoded at once."""

    def __init__(self, exponent: int) -> None:
        self.exponent, self.inside, self.by = exponent, 0, [""] * 2000
        self.lock = threading.Lock()

    def __call__(self, row: int) -> Item:
        with self.lock:
            self.inside += 1
            inside = self.inside
        time.sleep(5e-4 * inside**self.exponent)
        with self.lock:
            self.inside -= 1
        self.by[row] = threading.current_thread().name
        return {"pixels": np.full((2, 2, 3), row % 256, np.uint8)}


@pytest.mark.parametrize("ahead", [0, 2])
@pytest.mark.parametrize(("exponent", "best"), [(3, 1), (0, 8)])
def test_the_loader_decodes_in_as_many_threads_as_is_fastest(
    monkeypatch: pytest.MonkeyPatch, ahead: int, exponent: int, best: int
) -> None:
    monkeypatch.setattr(loading, "_BLOCK_BYTES", 32 * 12)
    monkeypatch.setattr(loading, "_TRIAL_ROWS", 24)
    decode, rows = Decoder(exponent), range(200)
    with Loader(decode, 12, 8, 8, finish=lambda item: item, ahead=ahead) as loader:
        batches = list(loader.batches([rows]))
        assert loader.workers == best
    assert [list(batch.rows) for batch in batches] == [list(rows[i : i + 8]) for i in range(0, 200, 8)]
    assert all((batch.items[row]["pixels"] == row % 256).all() for batch in batches for row in batch.rows)
    assert len(set(decode.by[128:200])) == 1 if best == 1 else len(set(decode.by[128:200])) > 2


def test_a_trial_cuts_items_of_several_shapes_into_the_same_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_TRIAL_ROWS", 7)

    def decode(row: int) -> Item:
        return {"ids": np.full((2, 4, 3)[row % 3], row)}

    found = []
    for workers, ahead in ((1, 0), (8, 0), (8, 2)):
        with Loader(decode, 1, 2, workers, ahead=ahead) as loader:
            found.append([list(batch.rows) for batch in loader.batches([range(30), range(30, 50)])])
    assert found[0] == found[1] == found[2]
