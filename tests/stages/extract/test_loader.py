"""Batches come in order, whole, whoever decodes them."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from frostline.stages.errors import UnreadableSample
from frostline.stages.extract import loader as loading
from frostline.stages.extract.loader import Batch, Loader

SHAPE = (2, 2, 3)


def decode(row: int) -> NDArray[np.uint8]:
    if row % 7 == 3:
        raise UnreadableSample(f"row {row} is odd")
    return np.full(SHAPE, row % 256, np.uint8)


@pytest.mark.parametrize("rows", [0, 1, 4, 5, 300])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("ahead", [0, 2])
def test_every_row_comes_once_and_in_order_with_its_image_or_its_fault(
    monkeypatch: pytest.MonkeyPatch, rows: int, workers: int, ahead: int
) -> None:
    monkeypatch.setattr(loading, "_BLOCK_BYTES", 8 * 12)
    wanted = list(range(1000, 1000 + rows))
    with Loader(decode, 12, 4, workers, ahead=ahead) as loader:
        batches = list(loader.batches([wanted[:2], wanted[2:2], wanted[2:]]))
    assert [row for batch in batches for row in batch.rows] == wanted
    for batch in batches:
        assert batch.faults == {row: f"row {row} is odd" for row in batch.rows if row % 7 == 3}
        if not batch.images:
            continue
        pixels = batch.stacked(4, lambda image: image)
        assert pixels.shape == (4, *SHAPE)
        for place, row in enumerate(batch.rows):
            assert (pixels[place] == (0 if row % 7 == 3 else row % 256)).all()
        assert not pixels[len(batch.rows) :].any()


def test_images_of_two_shapes_are_finished_and_those_of_one_are_not() -> None:
    small, large = np.ones((1, 1, 3), np.uint8), np.full(SHAPE, 2, np.uint8)

    def finish(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.broadcast_to(image, SHAPE)

    assert Batch([1, 2], {1: small, 2: small}, {}).stacked(3, finish).shape == (3, 1, 1, 3)
    both = Batch([1, 2, 5], {1: small, 5: large}, {2: "gone"}).stacked(3, finish)
    assert [image.max() for image in both] == [1, 0, 2]
    assert both.shape == (3, *SHAPE)


def test_what_decoding_raises_is_raised_and_no_thread_stays() -> None:
    def fails(row: int) -> NDArray[np.uint8]:
        raise OSError("the disk is gone")

    for ahead in (0, 2):
        with pytest.raises(OSError, match="the disk is gone"), Loader(fails, 12, 4, 2, ahead=ahead) as loader:
            list(loader.batches([range(100)]))
    assert not [t for t in threading.enumerate() if t.name.startswith("frostline-decode")]


def test_what_is_decoded_before_it_is_asked_for_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_BLOCK_BYTES", 4 * 12)
    seen: list[int] = []

    def note(row: int) -> NDArray[np.uint8]:
        seen.append(row)
        return np.zeros(SHAPE, np.uint8)

    with Loader(note, 12, 4, 1, ahead=2) as loader:
        batches = loader.batches([range(1000)])
        next(batches)
    assert max(seen) < 12
