"""Batches through a network on a GPU: what goes there, what runs there and what comes back, at the same time.

A batch is stacked in pinned memory, crosses the bus as it is (images as uint8) on a stream of its own, runs as one
captured graph, and its features come back on a third stream, while the next batches are being made. The CPU runs the
same code, without streams to speak of and without a graph, which is how it is tested where there is no GPU.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import cycle

import numpy as np
import torch
from torch import Tensor

from frostline.stages.backbones.inference.batches import BatchLimit, Embeddings, Network, parts
from frostline.stages.cuda.captures import CAPTURES, Run, Stream, Tensors
from frostline.stages.modalities.base import Arrays
from frostline.stages.modalities.items import Shape, rows_of, shape_of, write_to

_SLOTS = 3  # one runs, one waits its turn, one is being filled


def overlapped(network: Network, batches: Iterable[Arrays], limit: BatchLimit) -> Iterator[Embeddings]:
    """Yield the features of each batch, in order. Where memory runs out, a batch goes through in parts."""
    return _Flow(network, limit).run(batches)


@dataclass
class _Passing:
    """A batch on its way: how many ``rows`` it has, in how many ``parts`` it goes, and what has come back of it."""

    rows: int
    parts: int
    done: list[Embeddings] = field(default_factory=list)


class _Flow:
    """One network's batches, on their way in parts of as many rows as there is room for."""

    def __init__(self, network: Network, limit: BatchLimit) -> None:
        self._network, self._limit = network, limit
        self._api = torch.get_device_module(network.device)
        self._lanes: dict[Shape, _Lane] = {}
        self._flying: deque[tuple[_Slot, _Passing]] = deque()
        self._batches: deque[_Passing] = deque()

    def run(self, batches: Iterable[Arrays]) -> Iterator[Embeddings]:
        try:
            for batch in batches:
                self._batches.append(self._limit.run(partial(self._launched, batch), self._release))
                yield from self._back()
            self._land()
            yield from self._back()
        except BaseException:
            with suppress(RuntimeError):  # a broken device raises again, which would hide the first error
                self._synchronize()
            raise
        self._synchronize()

    def _synchronize(self) -> None:
        """Wait for the device: nothing may still be written when its memory is let go."""
        self._api.synchronize(self._network.device)

    def _launched(self, batch: Arrays, rows: int) -> _Passing:
        """Send a batch on its way in parts of so many rows; where memory runs out meanwhile, it is sent again."""
        if rows_of(batch) == 1:  # as long as one recording: what was made ready for it would lie there for no other
            return _Passing(1, 1, [self._network.embed(batch)])
        cut = parts(batch, rows)
        lane, passing = self._lane(cut[0]), _Passing(rows_of(batch), len(cut))
        for part in cut:
            slot = next(lane.slots)
            while any(slot is one for one, _ in self._flying):
                self._land(1)
            slot.launch(part)
            self._flying.append((slot, passing))
        return passing

    def _lane(self, batch: Arrays) -> _Lane:
        """Return what computes batches of one's shape; made at the first call."""
        shape = shape_of(batch)
        if shape not in self._lanes:
            with torch.inference_mode():
                self._lanes[shape] = _Lane(self._network, shape)
        return self._lanes[shape]

    def _land(self, max_batches: int | None = None) -> None:
        """Wait for what was launched first, or for all of it."""
        for _ in range(len(self._flying) if max_batches is None else max_batches):
            slot, passing = self._flying.popleft()
            passing.done.append(slot.collected())

    def _back(self) -> Iterator[Embeddings]:
        """Yield the features of the first batches that have come back whole."""
        while self._batches and len(self._batches[0].done) == self._batches[0].parts:
            batch = self._batches.popleft()
            yield np.concatenate(batch.done)[: batch.rows]

    def _release(self) -> None:
        """Let go of all memory that batches pass through, once they have."""
        self._land()
        self._synchronize()  # what failed had been begun
        self._lanes.clear()
        if self._network.device.type == "cuda":
            torch.cuda.empty_cache()


class _Lane:
    """A network made ready for batches of one shape, and the ``slots`` in which they come and go, in turn."""

    def __init__(self, network: Network, shape: Shape) -> None:
        device, api = network.device, torch.get_device_module(network.device)
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            streams = _streams(device)
            given = {name: torch.from_numpy(np.zeros(size, dtype)).to(device) for name, dtype, size in shape}
            api.synchronize(device)
            run, result = CAPTURES.made_ready(network, given, streams[1])
            slots = [_Slot(given, result, run, streams) for _ in range(_SLOTS)]
            api.synchronize(device)
        self.slots = cycle(slots)


@cache
def _streams(device: torch.device) -> tuple[Stream, Stream, Stream]:
    """Return the streams of a device: there, compute and back. cuBLAS keeps a workspace for each that it meets."""
    api = torch.get_device_module(device)
    return api.Stream(), api.Stream(), api.Stream()


class _Slot:
    """One batch on its way. ``given``, ``result``: where ``run`` finds and leaves what it computes, shared by all."""

    def __init__(self, given: Tensors, result: Tensor, run: Run, streams: tuple[Stream, ...]):
        self._api = torch.get_device_module(result.device)
        self._given, self._result, self._run, self._streams = given, result, run, streams
        pinned = result.device.type == "cuda"
        self._here = {n: torch.empty(t.shape, dtype=t.dtype, pin_memory=pinned) for n, t in given.items()}
        self._sent = {name: torch.empty_like(tensor) for name, tensor in given.items()}
        self._computed = torch.empty_like(result)
        self._features = torch.empty(result.shape, dtype=result.dtype, pin_memory=pinned)
        self._done = self._api.Event()

    def launch(self, batch: Arrays) -> None:
        """Send a batch on its way; what was collected before is written over."""
        api, (there, compute, back) = self._api, self._streams
        write_to({name: tensor.numpy() for name, tensor in self._here.items()}, batch)
        with torch.inference_mode():
            with api.stream(there):
                _copy(self._here, self._sent)
            compute.wait_stream(there)
            with api.stream(compute):
                _copy(self._sent, self._given)
                self._run()
                self._computed.copy_(self._result)
            back.wait_stream(compute)
            with api.stream(back):
                self._features.copy_(self._computed, non_blocking=True)
        self._done.record(back)

    def collected(self) -> Embeddings:
        """Wait for the features of what was launched, and return them."""
        self._done.synchronize()
        return self._features.numpy().copy()


def _copy(these: Tensors, there: Tensors) -> None:
    for name, tensor in these.items():
        there[name].copy_(tensor, non_blocking=True)
