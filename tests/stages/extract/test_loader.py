"""Batches come in order, whole, whoever decodes them."""

from __future__ import annotations

import threading
import weakref

import numpy as np
import pytest

from frostline.stages.errors import UnreadableSample
from frostline.stages.extract import loader as loading
from frostline.stages.extract.loader import Loader
from frostline.stages.modalities.base import Item

SHAPE = (2, 2, 3)


def as_it_is(item: Item) -> Item:
    return item


def decode(row: int) -> Item:
    if row % 7 == 3:
        raise UnreadableSample(f"row {row} is odd")
    return {"pixels": np.full(SHAPE, row % 256, np.uint8)}


@pytest.mark.parametrize("rows", [0, 1, 4, 5, 300])
@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("ahead", [0, 2])
def test_every_row_comes_once_and_in_order_with_its_image_or_its_fault(
    monkeypatch: pytest.MonkeyPatch, rows: int, workers: int, ahead: int
) -> None:
    monkeypatch.setattr(loading, "_BLOCK_BYTES", 8 * 12)
    wanted = list(range(1000, 1000 + rows))
    with Loader(decode, 12, 4, workers, finish=as_it_is, ahead=ahead) as loader:
        batches = list(loader.batches([wanted[:2], wanted[2:2], wanted[2:]]))
    assert [row for batch in batches for row in batch.rows] == wanted
    for batch in batches:
        assert batch.faults == {row: f"row {row} is odd" for row in batch.rows if row % 7 == 3}
        if not batch.items:
            continue
        pixels = batch.stacked()["pixels"]
        assert pixels.shape == (4, *SHAPE)
        for place, row in enumerate(batch.rows):
            assert (pixels[place] == (0 if row % 7 == 3 else row % 256)).all()
        assert not pixels[len(batch.rows) :].any()


def test_images_of_two_shapes_in_one_batch_are_finished_and_those_of_one_are_not() -> None:
    def decode(row: int) -> Item:
        if row == 2:
            raise UnreadableSample("gone")
        return {"pixels": np.full(SHAPE if row == 5 else (1, 1, 3), row, np.uint8)}

    def finish(item: Item) -> Item:
        return {"pixels": np.broadcast_to(item["pixels"], SHAPE)}

    with Loader(decode, 12, 3, 1, finish=finish) as loader:
        one, both = (batch.stacked()["pixels"] for batch in loader.batches([[0, 1, 3], [1, 2, 5]]))
    assert one.shape == (3, 1, 1, 3)
    assert [image.max() for image in both] == [1, 0, 5]
    assert both.shape == (3, *SHAPE)


@pytest.mark.parametrize("ahead", [0, 2])
def test_items_of_several_shapes_come_by_shape_the_largest_first_and_those_without_last(ahead: int) -> None:
    def decode(row: int) -> Item:
        if row == 8:
            raise UnreadableSample("gone")
        length = (2, 4, 3)[row % 3]
        return {"ids": np.full(length, row), "mask": np.ones(length, bool)}

    with Loader(decode, 1, 2, 3, ahead=ahead) as loader:
        batches = list(loader.batches([range(12)]))
    assert [list(batch.rows) for batch in batches] == [[1, 4], [7, 10], [2, 5], [11], [0, 3], [6, 9], [8]]
    assert batches[-1].faults == {8: "gone"} and not batches[-1].items
    ids, mask = (batches[3].stacked()[name] for name in ("ids", "mask"))
    assert ids.tolist() == [[11] * 3, [0] * 3] and mask.tolist() == [[True] * 3, [False] * 3]


def test_what_decoding_raises_is_raised_and_no_thread_stays() -> None:
    def fails(row: int) -> Item:
        raise OSError("the disk is gone")

    for ahead in (0, 2):
        with pytest.raises(OSError, match="the disk is gone"), Loader(fails, 12, 4, 2, ahead=ahead) as loader:
            list(loader.batches([range(100)]))
    assert not [t for t in threading.enumerate() if t.name.startswith("frostline-decode")]


def test_what_is_decoded_before_it_is_asked_for_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_BLOCK_BYTES", 4 * 12)
    seen: list[int] = []

    def note(row: int) -> Item:
        seen.append(row)
        return {"pixels": np.zeros(SHAPE, np.uint8)}

    with Loader(note, 12, 4, 1, finish=as_it_is, ahead=2) as loader:
        batches = loader.batches([range(1000)])
        next(batches)
    assert max(seen) < 12


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("ahead", [0, 2])
def test_items_that_grow_are_held_a_few_at_a_time_however_small_the_first_ones_are(
    monkeypatch: pytest.MonkeyPatch, workers: int, ahead: int
) -> None:
    monkeypatch.setattr(loading, "_BLOCK_BYTES", 4_000)
    monkeypatch.setattr(loading, "_MOST_BYTES", 16_000)
    alive: set[int] = set()
    most = [0]

    def note(row: int) -> Item:
        found = np.zeros(1 if row < 16 else 1_000 + row, np.uint8)
        alive.add(row)
        weakref.finalize(found, alive.discard, row)
        most[0] = max(most[0], len(alive - set(range(16))))
        return {"waveform": found}

    with Loader(note, 1, 2, workers, ahead=ahead) as loader:
        rows = []
        for batch in loader.batches([range(300), range(300, 400)]):
            rows += batch.rows
            del batch
    assert sorted(rows) == list(range(400))
    assert most[0] <= (ahead + 2) * (4 + workers)  # a block that is used, blocks to come; each of 4 and one per thread


def test_items_of_which_few_are_a_block_still_fill_batches_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_BLOCK_BYTES", 1_000)
    monkeypatch.setattr(loading, "_MOST_BYTES", 3_000)
    with Loader(lambda row: {"waveform": np.zeros(900 if row < 8 else 1_500, np.uint8)}, 1, 4, 1) as loader:
        assert [list(batch.rows) for batch in loader.batches([range(12)])] == [
            [0, 1, 2, 3],
            [4, 5, 6, 7],
            [8, 9],
            [10, 11],
        ]
