"""The order in which one of several processes takes the shards of a set."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults.work import backbone, begin, samples
from frostline.stages.extract import order
from frostline.stages.extract.extraction import Extraction, extract, extract_shards
from frostline.stages.extract.order import in_turn
from frostline.stages.store import FeatureSet

SHARDS = 10


@pytest.fixture
def extraction(tmp_path: Path) -> Extraction:
    some = samples(range(4 * SHARDS))
    return Extraction(some, backbone(), begin(tmp_path, some, shard_rows=4), batch_size=4, workers=1)


def commit(extraction: Extraction, *shards: int) -> None:
    extract_shards(extraction, shards, wait=False)


@pytest.mark.parametrize("start_at", [0.0, 0.3, 0.55, 0.99])
def test_every_missing_shard_is_taken_once_from_a_place_on_and_around(extraction: Extraction, start_at: float) -> None:
    assert isinstance(extraction.features, FeatureSet)
    first = int(start_at * SHARDS)
    assert list(in_turn(extraction.features, start_at)) == [*range(first, SHARDS), *range(first)]


def test_a_place_is_among_the_shards_that_are_missing(extraction: Extraction) -> None:
    commit(extraction, 0, 1, 2, 3, 4, 5)
    assert list(in_turn(extraction.features, 0.5)) == [8, 9, 6, 7]


def test_what_others_commit_meanwhile_is_left_out(extraction: Extraction, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "_SHARE", -1)  # a listing after each
    turn = in_turn(extraction.features, 0.4)
    assert [next(turn), next(turn)] == [4, 5]
    commit(extraction, 6, 7, 8, 1)
    assert list(turn) == [9, 0, 2, 3]


def test_the_order_changes_no_byte(extraction: Extraction, tmp_path: Path) -> None:
    other = begin(tmp_path / "other", extraction.samples, shard_rows=4)
    extract(extraction)
    extract(Extraction(extraction.samples, extraction.backbone, other, batch_size=4, workers=1, start_at=0.7))
    assert isinstance(extraction.features, FeatureSet)
    assert [extraction.features.record(i) for i in range(SHARDS)] == [other.record(i) for i in range(SHARDS)]


def test_shards_by_number_are_computed_and_no_other_and_nothing_is_published(extraction: Extraction) -> None:
    assert isinstance(extraction.features, FeatureSet)
    assert extract_shards(extraction, [2, 7], wait=False).rows == 8
    assert (
        extraction.features.missing() == [0, 1, 3, 4, 5, 6, 8, 9]
        and not extraction.features.folder.joinpath("features.h5").exists()
    )
    assert extract_shards(extraction, [2, 3], wait=True).rows == 4


def test_a_shard_that_another_process_holds_is_left_to_it(extraction: Extraction) -> None:
    with extraction.features.claim(3, wait=False) as ours:
        assert ours and extract_shards(extraction, [3, 4], wait=False).rows == 4
    assert 3 in extraction.features.missing() and 4 not in extraction.features.missing()
