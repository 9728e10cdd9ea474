"""Many steps of training: one after the other, and on a GPU each as one captured graph.

A step of a linear head is about fifteen kernels that take less time than their launches. So batches go to the GPU for
many steps at once, and a graph takes the next one there by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import groupby, islice
from typing import Any

import torch
from torch import Tensor

from frostline.stages.cuda.captures import CAPTURES, Captures

_AT_ONCE = 512  # steps whose batches go to the device together
_FIRST = 100  # steps before a capture, which waits for the device and empties its caches
Number = float | Tensor
Step = Callable[..., object]
"""Changes the state, given places (batch,) among the rows and some numbers: floats, or tensors of no axis on a GPU."""
Batch = tuple[Tensor, Sequence[float]]


def take_steps(step: Step, batches: Iterable[Batch], state: Sequence[Tensor], device: str) -> None:
    """Take a step with each batch's places and numbers. ``state``: the tensors that a step changes."""
    if torch.device(device).type != "cuda":
        for places, numbers in batches:
            step(places, *numbers)
        return
    with torch.cuda.device(device):
        Replayed(step, state, state[0].device, CAPTURES).take(batches)


class Replayed:
    """A step as a graph, after the first few; as it is written if it can't be captured, and for the odd batch.

    ``state``: the tensors that it changes. ``captures``: see there.
    """

    def __init__(self, step: Step, state: Sequence[Tensor], device: torch.device, captures: Captures) -> None:
        self._step, self._state, self._device, self._captures = step, state, device, captures
        self._fed: _Fed | None = None
        self._run: Callable[[], object] | None = None
        self._taken = 0

    def take(self, batches: Iterable[Batch]) -> None:
        """Take a step with each batch; those as long as the first one by the graph."""
        for length, alike in groupby(batches, key=lambda batch: len(batch[0])):
            while some := list(islice(alike, _AT_ONCE)):
                if self._fed is None:
                    self._fed = _Fed(length, len(some[0][1]), self._device)
                if length == self._fed.length:
                    self._take_alike(self._fed, some)
                else:
                    self._take_others(some)

    def _take_alike(self, fed: _Fed, batches: list[Batch]) -> None:
        fed.fill(batches)
        for _ in batches:
            if self._run is None and self._taken >= _FIRST:
                self._run = self._graph(fed)
            if self._run is None:
                self._next(fed)
            else:
                self._run()
            self._taken += 1

    def _take_others(self, batches: list[Batch]) -> None:
        for places, numbers in batches:
            self._step(places.to(self._device), *torch.tensor(numbers, device=self._device).unbind())

    def _next(self, fed: _Fed) -> None:
        places, numbers = fed.next()
        self._step(places, *numbers)

    def _graph(self, fed: _Fed) -> Callable[[], object]:
        """Return what takes the next step; the state is left as it is now."""
        api = torch.get_device_module(self._device)
        changed = (*self._state, fed.at)
        before, stream, current = [one.clone() for one in changed], _stream(self._device), api.current_stream()
        stream.wait_stream(current)
        with api.stream(stream):
            found: Any = self._captures.graph(lambda: self._next(fed), self._device, stream, "a training step")
        current.wait_stream(stream)
        for one, kept in zip(changed, before, strict=True):
            one.copy_(kept)
        return found[0] if found else lambda: self._next(fed)


@cache
def _stream(device: torch.device) -> Any:
    """Return the stream for captures. cuBLAS keeps a workspace for each that it meets."""
    return torch.get_device_module(device).Stream()


class _Fed:
    """The batches and numbers of the next steps on a device, and ``at``, (1,), which of them is next."""

    def __init__(self, length: int, numbers: int, device: torch.device) -> None:
        self.length = length
        self._places = torch.zeros(_AT_ONCE, length, dtype=torch.int64, device=device)
        self._numbers = torch.zeros(_AT_ONCE, numbers, device=device)
        self.at = torch.zeros(1, dtype=torch.int64, device=device)

    def fill(self, batches: list[Batch]) -> None:
        self._places[: len(batches)].copy_(torch.stack([places for places, _ in batches]))
        self._numbers[: len(batches)].copy_(torch.tensor([list(numbers) for _, numbers in batches]))
        self.at.zero_()

    def next(self) -> tuple[Tensor, tuple[Tensor, ...]]:
        places, numbers = (every.index_select(0, self.at)[0] for every in (self._places, self._numbers))
        self.at.add_(1)
        return places, numbers.unbind()
