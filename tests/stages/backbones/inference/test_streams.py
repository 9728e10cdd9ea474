"""The stream of a GPU on streams that really are asynchronous: work is done late, in any order that the waits allow.

A copy or a pass that is launched within ``api.stream(s)`` is put into the queue of ``s``. It is done when chance, or
whoever waits for it, decides. What the host writes, it writes at once. So whatever no wait has ordered is seen.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch.overrides import TorchFunctionMode

from frostline.stages.backbones.inference import cuda
from frostline.stages.backbones.inference.batches import BatchLimit
from frostline.stages.cuda.captures import CAPTURES, Run
from frostline.stages.modalities.base import Arrays
from frostline.stages.modalities.items import Stack
from support.extraction import tiny_backbone


@dataclass(eq=False)
class Stream:
    device: Device
    queue: deque[tuple[str, Any]] = field(default_factory=deque)

    def wait_stream(self, other: Stream) -> None:
        event = Event(self.device)
        event.record(other)
        self.queue.append(("wait", (event, event.mark)))

    def synchronize(self) -> None:
        while self.queue:
            self.device.step_towards(self)


class Event:
    def __init__(self, device: Device) -> None:
        self.device, self.mark, self.reached = device, None, set[object]()

    def record(self, stream: Stream) -> None:
        self.mark = object()
        stream.queue.append(("mark", (self, self.mark)))

    def synchronize(self) -> None:
        mark = self.mark
        while mark is not None and mark not in self.reached:
            self.device.step()


class Device:
    """A device module: streams in whose queues the work waits. ``eager``: how likely a launch is followed by work."""

    def __init__(self, seed: int, eager: float) -> None:
        self.random, self.eager = random.Random(seed), eager
        self.streams: list[Stream] = []
        self.current: Stream | None = None
        self.Stream, self.Event = self.made, lambda: Event(self)

    def made(self) -> Stream:
        self.streams.append(Stream(self))
        return self.streams[-1]

    @contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        before, self.current = self.current, stream
        try:
            with Later(self):
                yield
        finally:
            self.current = before

    def launch(self, work: Callable[[], object]) -> None:
        assert self.current is not None
        self.current.queue.append(("work", work))
        while self.random.random() < self.eager and self.ready():
            self.step()

    def ready(self) -> list[Stream]:
        def free(stream: Stream) -> bool:
            kind, what = stream.queue[0]
            return kind != "wait" or what[1] is None or what[1] in what[0].reached

        return [stream for stream in self.streams if stream.queue and free(stream)]

    def step(self) -> None:
        ready = self.ready()
        assert ready, "all streams wait for each other"
        self.do(self.random.choice(ready))

    def step_towards(self, stream: Stream) -> None:
        if stream in self.ready():
            self.do(stream)
        else:
            self.step()

    @staticmethod
    def do(stream: Stream) -> None:
        kind, what = stream.queue.popleft()
        if kind == "mark":
            what[0].reached.add(what[1])
        elif kind == "work":
            with torch._C.DisableTorchFunction(), torch.inference_mode():
                what()

    def synchronize(self, _: object = None) -> None:
        for stream in self.streams:
            stream.synchronize()


class Later(TorchFunctionMode):
    """Within: copies are launched, not done."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self.device = device

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.copy_:
            self.device.launch(lambda: torch.Tensor.copy_(args[0], args[1]))
            return args[0]
        return func(*args, **(kwargs or {}))


@pytest.fixture(params=[(seed, eager) for eager in (0.0, 0.3, 0.7) for seed in range(5)])
def device(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    found = Device(*request.param)
    made_ready = CAPTURES.made_ready

    def later(network: Any, given: Any, compute: Any) -> tuple[Run, torch.Tensor]:
        with monkeypatch.context() as at_once:
            at_once.setattr(torch, "get_device_module", lambda _: torch.cpu)
            _, result = made_ready(network, given, torch.cpu.Stream())
        return lambda: found.launch(lambda: result.copy_(network.features(given))), result

    monkeypatch.setattr(CAPTURES, "made_ready", later)
    monkeypatch.setattr(torch, "get_device_module", lambda _: found)
    cuda._streams.cache_clear()
    yield found
    cuda._streams.cache_clear()


def noise(n: int, images: int = 4, side: int = 32) -> list[Arrays]:
    rng = np.random.default_rng(0)
    return [{"pixels": rng.integers(0, 256, (images, side, side, 3), np.uint8)} for _ in range(n)]


def test_whatever_the_order_each_batch_has_its_own_features(device: Device) -> None:
    backbone, batches = tiny_backbone(), noise(9)
    wanted = [backbone.embed(batch) for batch in batches]
    found = list(cuda.overlapped(backbone, iter(batches), BatchLimit(4)))
    assert all(np.array_equal(one, two) for one, two in zip(found, wanted, strict=True))


def test_a_batch_that_the_caller_writes_over_is_not_lost(device: Device) -> None:
    backbone, batches = tiny_backbone(), noise(7)
    wanted = [backbone.embed(batch) for batch in batches]

    def same_memory() -> Iterator[Arrays]:
        memory = np.empty_like(batches[0]["pixels"])
        for batch in batches:
            memory[...] = batch["pixels"]
            yield {"pixels": memory}

    found = list(cuda.overlapped(backbone, same_memory(), BatchLimit(4)))
    assert all(np.array_equal(one, two) for one, two in zip(found, wanted, strict=True))


def test_batches_that_are_stacked_in_the_slots_are_not_mixed_up(device: Device) -> None:
    backbone = tiny_backbone()
    rows = [1, 2, 3, 4, 1, 3, 2]  # what an earlier batch left in a slot is seen, if it stays there
    stacks = [
        Stack({i: {"pixels": one["pixels"][i]} for i in range(n)}, 4) for one, n in zip(noise(7), rows, strict=True)
    ]
    wanted = [backbone.embed(dict(Stack(stack._items, 4))) for stack in stacks]
    found = list(cuda.overlapped(backbone, stacks, BatchLimit(4)))
    assert all(np.array_equal(one, two) for one, two in zip(found, wanted, strict=True))
    assert not any("_arrays" in vars(stack) for stack in stacks)


def test_parts_and_shapes_take_turns(device: Device) -> None:
    backbone = tiny_backbone()
    batches = [batch["pixels"] for pair in zip(noise(3), noise(3, side=16), strict=True) for batch in pair]
    wanted = [np.concatenate([backbone.embed({"pixels": batch[i : i + 2]}) for i in (0, 2)]) for batch in batches]
    found = list(cuda.overlapped(backbone, ({"pixels": batch} for batch in batches), BatchLimit(2)))
    assert all(np.array_equal(one, two) for one, two in zip(found, wanted, strict=True))


def test_a_stream_left_early_leaves_nothing_under_way(device: Device) -> None:
    results = cuda.overlapped(tiny_backbone(), iter(noise(6)), BatchLimit(4))
    next(results)
    results.close()
    assert not any(stream.queue for stream in device.streams)


def test_all_shapes_and_streams_of_a_device_share_three_streams(device: Device) -> None:
    for side in (32, 16, 24):
        list(cuda.overlapped(tiny_backbone(), noise(2, side=side), BatchLimit(4)))
    assert len(device.streams) == 3
