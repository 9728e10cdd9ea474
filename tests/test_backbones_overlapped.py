"""The stream for a GPU, on the processor: every batch comes once, in order, and is that of ``embed``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest
import torch
from extraction import tiny_backbone
from torch import Tensor

from stages.backbones.overlapped import overlapped
from stages.backbones.streaming import Pixels, Room
from stages.errors import ConfigError


def noise(n: int, images: int = 8, side: int = 32) -> list[Pixels]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (images, side, side, 3), np.uint8) for _ in range(n)]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 10])
def test_batches_come_once_and_in_order(n: int) -> None:
    backbone, batches = tiny_backbone(), noise(n)
    found = list(overlapped(backbone, batches, Room(8)))
    assert len(found) == n
    assert all(np.array_equal(one, backbone.embed(batch)) for one, batch in zip(found, batches, strict=True))


def test_batches_of_several_shapes_take_turns() -> None:
    backbone = tiny_backbone()
    batches = [batch for pair in zip(noise(4), noise(4, side=16), strict=True) for batch in pair]
    found = list(overlapped(backbone, batches, Room(8)))
    assert all(np.array_equal(one, backbone.embed(batch)) for one, batch in zip(found, batches, strict=True))


def test_batches_are_asked_for_before_the_first_result_but_not_without_end() -> None:
    asked: list[int] = []

    def batches() -> Iterator[Pixels]:
        for i, batch in enumerate(noise(20)):
            asked.append(i)
            yield batch

    results = overlapped(tiny_backbone(), batches(), Room(8))
    next(results)
    assert asked == [0, 1, 2, 3]
    next(results)
    assert asked == [0, 1, 2, 3, 4]


class Narrow:
    """The backbone, on a device with room for some images."""

    def __init__(self, most: int) -> None:
        self.backbone, self.most = tiny_backbone(), most
        self.device, self.spec, self.width = self.backbone.device, self.backbone.spec, self.backbone.width
        self.embed, self.enlarges = self.backbone.embed, self.backbone.enlarges

    def features(self, images: Tensor) -> Tensor:
        if len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self.backbone.features(images)

    def stream(self, batches: Iterable[Pixels], room: Room) -> Iterator[np.ndarray]:
        return overlapped(self, batches, room)


def test_where_memory_runs_out_a_batch_goes_in_parts_and_comes_whole() -> None:
    said: list[int] = []
    room, batches = Room(8, lambda images, why: said.append(images)), noise(5, images=8)
    found = list(overlapped(Narrow(3), batches, room))
    assert said == [4, 2] and room.images == 2
    for one, batch in zip(found, batches, strict=True):
        alone = np.concatenate([tiny_backbone().embed(batch[i : i + 2]) for i in range(0, 8, 2)])
        assert np.array_equal(one, alone)
    with pytest.raises(ConfigError, match="a batch of 1 image"):
        list(overlapped(Narrow(0), batches, Room(8)))


def test_what_making_batches_raises_is_raised() -> None:
    def batches() -> Iterator[Pixels]:
        yield from noise(2)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(overlapped(tiny_backbone(), batches(), Room(8)))


def test_no_mode_of_torch_is_left_on_for_whoever_takes_the_results() -> None:
    for _ in overlapped(tiny_backbone(), noise(5), Room(8)):
        assert not torch.is_inference_mode_enabled()
