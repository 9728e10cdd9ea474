"""How many rows at once, and in how many threads, a backbone takes fastest: measured, for that differs by machine."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import repeat
from typing import Protocol

import numpy as np
import torch

from frostline.stages.backbones.inference.batches import BatchLimit, Embeddings
from frostline.stages.modalities.base import Arrays

_WORTH = 0.95  # of the usual config's time: what is no faster than that is noise
_SIZES = {"cpu": (4, 8, 16, 32), "cuda": (64, 128, 256, 512)}
_USUAL = {"cpu": 16, "cuda": 128}
_MIN_ROUNDS, _MAX_ROUNDS = 2, 4
_SET_UP = {"cpu": 0, "cuda": 6}  # batches more: a graph is captured, and its slots are filled

Config = tuple[int, int]  # rows at once, threads


class Timed(Protocol):
    """What of a network is timed."""

    device: torch.device

    def stream(self, batches: Iterable[Arrays], limit: BatchLimit, /) -> Iterator[Embeddings]: ...


def usual(device: torch.device) -> Config:
    """Return what fits most backbones: rows at once, and the threads that torch takes by itself."""
    return _USUAL[device.type], torch.get_num_threads()


def fastest_batch(network: Timed, items: Arrays, may_take: int, *, may_set_threads: bool) -> Config | None:
    """Return rows at once and threads, the usual ones unless others are clearly faster on some ``items`` of one shape.

    No more than ``may_take`` rows go through the network; where that is too few to tell, none does: None.
    """
    first = usual(network.device)
    configs = [(size, first[1]) for size in _SIZES[network.device.type]]
    if may_set_threads and network.device.type == "cpu" and first[1] > 1:  # half: a thread per core of two threads
        configs.append((first[0], first[1] // 2))
    batches = may_take // sum(size for size, _ in configs) - _SET_UP[network.device.type]
    rounds = min(_MAX_ROUNDS, batches // 2)  # one of two is timed
    if rounds < _MIN_ROUNDS or not items:
        return None
    times = _times(network, items, configs, rounds)
    best = min(times, key=lambda config: times[config])
    return best if times[best] < _WORTH * times.get(first, np.inf) else first


def _times(network: Timed, items: Arrays, configs: list[Config], rounds: int) -> dict[Config, float]:
    """Return the least seconds per row of each config that memory has room for; all in turn, round by round."""
    limits = {config: BatchLimit(config[0]) for config in configs}
    streams = {config: network.stream(repeat(_repeated(items, config[0])), limits[config]) for config in configs}
    times: dict[Config, float] = dict.fromkeys(configs, np.inf)
    for _ in range(rounds):
        for config, results in streams.items():
            _next(network.device, results, config[1])  # weights are brought into the order for this size
            seconds = _next(network.device, results, config[1])
            if limits[config].rows == config[0]:
                times[config] = min(times[config], seconds / config[0])
    return times


def _repeated(items: Arrays, rows: int) -> Arrays:
    return {name: np.resize(array, (rows, *array.shape[1:])) for name, array in items.items()}


def _next(device: torch.device, results: Iterator[Embeddings], threads: int) -> float:
    """Return how many seconds a batch takes in so many threads."""
    synchronize = torch.get_device_module(device).synchronize
    with in_threads(threads):
        synchronize(device)
        started = time.perf_counter()
        next(results)
        synchronize(device)
        return time.perf_counter() - started


@contextmanager
def in_threads(threads: int) -> Iterator[None]:
    """Have torch compute in so many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
