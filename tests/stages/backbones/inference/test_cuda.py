"""The stream for a GPU, on the processor: every batch comes once, in order, and is that of ``embed``."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from frostline.stages.backbones.inference.batches import BatchLimit
from frostline.stages.backbones.inference.cuda import overlapped
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.base import Arrays
from support.extraction import tiny_backbone

Tensors = Mapping[str, Tensor]


def noise(n: int, images: int = 8, side: int = 32) -> list[Arrays]:
    rng = np.random.default_rng(0)
    return [{"pixels": rng.integers(0, 256, (images, side, side, 3), np.uint8)} for _ in range(n)]


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 10])
def test_batches_come_once_and_in_order(n: int) -> None:
    backbone, batches = tiny_backbone(), noise(n)
    found = list(overlapped(backbone, batches, BatchLimit(8)))
    assert len(found) == n
    assert all(np.array_equal(one, backbone.embed(batch)) for one, batch in zip(found, batches, strict=True))


def test_batches_of_several_shapes_take_turns() -> None:
    backbone = tiny_backbone()
    batches = [batch for pair in zip(noise(4), noise(4, side=16), strict=True) for batch in pair]
    found = list(overlapped(backbone, batches, BatchLimit(8)))
    assert all(np.array_equal(one, backbone.embed(batch)) for one, batch in zip(found, batches, strict=True))


def test_nothing_is_kept_for_the_shapes_of_single_items_which_may_be_without_end() -> None:
    class Counted(Narrow):
        shapes: ClassVar[list[int]] = []

        def features(self, given: Tensors) -> Tensor:
            self.shapes.append(given["pixels"].shape[1])
            return super().features(given)

    backbone = Counted(8)
    batches = [batch for side in range(16, 40) for batch in (*noise(1, 1, side), *noise(1))]
    found = list(overlapped(backbone, batches, BatchLimit(8)))
    assert all(np.array_equal(one, backbone.embed(batch)) for one, batch in zip(found, batches, strict=True))
    assert set(backbone.shapes) == {32}  # the others are computed as they come


def test_batches_are_asked_for_before_the_first_result_but_not_without_end() -> None:
    asked: list[int] = []

    def batches() -> Iterator[Arrays]:
        for i, batch in enumerate(noise(20)):
            asked.append(i)
            yield batch

    results = overlapped(tiny_backbone(), batches(), BatchLimit(8))
    next(results)
    assert asked == [0, 1, 2, 3]
    next(results)
    assert asked == [0, 1, 2, 3, 4]


class Narrow:
    """The backbone, on a device with room for some images."""

    def __init__(self, most: int) -> None:
        self.backbone, self.most = tiny_backbone(), most
        self.device, self.spec, self.width = self.backbone.device, self.backbone.spec, self.backbone.width
        self.embed, self.raw = self.backbone.embed, self.backbone.raw

    def features(self, given: Tensors) -> Tensor:
        if len(given["pixels"]) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self.backbone.features(given)

    def stream(self, batches: Iterable[Arrays], limit: BatchLimit) -> Iterator[np.ndarray]:
        return overlapped(self, batches, limit)


def test_where_memory_runs_out_a_batch_goes_in_parts_and_comes_whole() -> None:
    said: list[int] = []
    limit, batches = BatchLimit(8, lambda images, why: said.append(images)), noise(5, images=8)
    found = list(overlapped(Narrow(3), batches, limit))
    assert said == [4, 2] and limit.rows == 2
    for one, batch in zip(found, batches, strict=True):
        alone = np.concatenate([tiny_backbone().embed({"pixels": batch["pixels"][i : i + 2]}) for i in range(0, 8, 2)])
        assert np.array_equal(one, alone)
    with pytest.raises(ConfigError, match="a batch of 1 image"):
        list(overlapped(Narrow(0), batches, BatchLimit(8)))


class Small(Narrow):
    """The backbone, on a device whose memory is taken by what its lanes hold: so many images in all."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.given: dict[int, weakref.ref[Tensor]] = {}

    def features(self, given: Tensors) -> Tensor:
        images = given["pixels"]
        if not self.held(images):
            self.given[id(images)] = weakref.ref(images)
        if sum(len(one) for one in map(self.alive, self.given) if one is not None) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self.backbone.features(given)

    def alive(self, place: int) -> Tensor | None:
        return self.given[place]()

    def held(self, images: Tensor) -> bool:
        return id(images) in self.given and self.alive(id(images)) is images


def test_what_one_shape_holds_is_let_go_before_another_is_tried_with_less() -> None:
    limit, backbone = BatchLimit(8), tiny_backbone()
    batches = [noise(3)[0], noise(3)[1], noise(3, side=16)[0], noise(3)[2], noise(3, side=16)[1]]
    found = list(overlapped(Small(11), batches, limit))
    assert limit.rows == 4  # 8 of one shape and 8 of another are too many, 4 and 4 are not; 8 and 4 would be
    sizes = [8, 8, 4, 4, 4]  # what was on its way came back
    for one, batch, size in zip(found, batches, sizes, strict=True):
        assert np.array_equal(
            one, np.concatenate([backbone.embed({"pixels": batch["pixels"][i : i + size]}) for i in range(0, 8, size)])
        )


class Later(Narrow):
    """The backbone, on a device that has room for 8 images at first, and for ``most`` after so many batches."""

    def __init__(self, most: int, after: int) -> None:
        super().__init__(most)
        self.left = after

    def features(self, given: Tensors) -> Tensor:
        self.left -= 1
        return super().features(given) if self.left < 0 else self.backbone.features(given)


@pytest.mark.parametrize("after", [2, 3, 4])
def test_a_network_that_runs_out_of_memory_on_the_way_goes_on_with_less(after: int) -> None:
    limit, backbone, batches = BatchLimit(8), tiny_backbone(), noise(6)
    found = list(overlapped(Later(2, after), batches, limit))
    assert limit.rows == 2 and len(found) == 6
    for i, (one, batch) in enumerate(zip(found, batches, strict=True)):
        size = 8 if i < after - 1 else 2  # the first one is spent on making ready
        assert np.array_equal(
            one, np.concatenate([backbone.embed({"pixels": batch["pixels"][j : j + size]}) for j in range(0, 8, size)])
        )


def test_what_making_batches_raises_is_raised() -> None:
    def batches() -> Iterator[Arrays]:
        yield from noise(2)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(overlapped(tiny_backbone(), batches(), BatchLimit(8)))


def test_a_device_that_is_broken_does_not_hide_what_broke_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(device: object) -> None:
        raise RuntimeError("CUDA error: the same again")

    def batches() -> Iterator[Arrays]:
        yield from noise(2)
        monkeypatch.setattr(torch.cpu, "synchronize", broken)
        raise RuntimeError("CUDA error: an illegal memory access")

    with pytest.raises(RuntimeError, match="illegal memory access"):
        list(overlapped(tiny_backbone(), batches(), BatchLimit(8)))


def test_no_mode_of_torch_is_left_on_for_whoever_takes_the_results() -> None:
    for _ in overlapped(tiny_backbone(), noise(5), BatchLimit(8)):
        assert not torch.is_inference_mode_enabled()
