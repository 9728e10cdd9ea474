"""Sets of format 1 are known again and taken over: every row to the bit, nothing computed, nothing lost on the way."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from faults.work import begin, image, key_of, samples
from frostline.stages.datasets import Samples
from frostline.stages.errors import StoreError, UnreadableSample
from frostline.stages.extract.extraction import Extraction, extract
from frostline.stages.store import FeatureSet, FeatureStore, load, open_set
from frostline.stages.store.format_1 import is_old, migrate, old_digest, take_over
from frostline.stages.store.targets import target_file
from support.old_format import in_format_1


def unreadable_third(row: int) -> object:
    if row == 3:
        raise UnreadableSample("torn")
    return image(row)


SOME = dataclasses.replace(samples(), read=unreadable_third)


def made(root: Path, some: Samples = SOME) -> FeatureSet:
    from faults.work import backbone

    features = begin(root, some)
    extract(Extraction(some, backbone(), features, batch_size=4, workers=1))
    features.keep_pace({"rows_per_second": 7.0})
    return features


@pytest.fixture
def new(tmp_path: Path) -> FeatureSet:
    """What the old set must become."""
    return made(tmp_path / "new")


@pytest.fixture
def old(tmp_path: Path) -> FeatureSet:
    return in_format_1(made(tmp_path / "old"), SOME)


def files(features: FeatureSet) -> dict[str, bytes]:
    found = [p for p in features.folder.rglob("*") if p.is_file() and p.suffix != ".lock"]
    return {p.relative_to(features.folder).as_posix(): p.read_bytes() for p in found if p.name != "made.json"}


def store_of(features: FeatureSet) -> FeatureStore:
    return FeatureStore(features.folder.parent)


def taken(old: FeatureSet) -> FeatureSet:
    return take_over(old, store_of(old), SOME.content, target_file(SOME.targets, SOME.ids))


def test_a_set_of_format_1_is_found_by_the_key_that_it_had(old: FeatureSet) -> None:
    assert is_old(open_set(old.folder)) and old.complete
    found = store_of(old).find(old_digest(key_of(SOME), SOME.labelled_content))
    assert found is not None and found.folder == old.folder


def test_its_features_are_read_as_they_are(old: FeatureSet, new: FeatureSet) -> None:
    assert load(open_set(old.folder), SOME.targets).X.tobytes() == load(new).X.tobytes()
    assert [bad.reason for bad in old.quarantined()] == ["torn"]
    with pytest.raises(StoreError, match=r"targets\.h5"):
        load(old)


@pytest.mark.parametrize("by_name", [True, False])
def test_it_becomes_the_set_that_would_be_made_today_byte_for_byte(
    old: FeatureSet, new: FeatureSet, by_name: bool
) -> None:
    found = taken(old) if by_name else migrate(old, store_of(old), old.folder.parents[1] / "targets")
    assert files(found) == {**files(new), "speed.json": files(found)["speed.json"]}
    assert found.published and found.speed == 7.0 and found.folder.name == new.folder.name
    assert found.provenance == dataclasses.replace(old.provenance, format_1=old.layout.digest)
    assert [f.name for f in found.folder.parent.iterdir()] == [found.folder.name]


def test_an_unfinished_set_is_taken_over_as_far_as_it_goes(tmp_path: Path, new: FeatureSet) -> None:
    whole = made(tmp_path / "part")
    whole.drop(1)
    found = taken(in_format_1(whole, SOME))
    assert found.missing() == [1] and not old_sets(found)
    for shard in (0, 2):
        assert found.read(shard).features.tobytes() == new.read(shard).features.tobytes()


def old_sets(found: FeatureSet) -> list[FeatureSet]:
    return list(filter(is_old, store_of(found).sets()))


def test_a_damaged_shard_is_left_to_be_computed(old: FeatureSet) -> None:
    path = old.folder / "shards" / "00002.h5"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(StoreError, match=r"00002\.h5"):
        migrate(old, store_of(old), old.folder.parents[1] / "targets")
    assert old.folder.is_dir()
    assert taken(old).missing() == [2]


def test_rows_of_an_old_set_serve_another_set(old: FeatureSet) -> None:
    """As after labels were corrected, which gave the old set another key than its samples have now."""
    found = store_of(old).rows_like(key_of(SOME))
    assert len(found) == len(SOME) - 1


def test_targets_are_joined_by_id_and_their_values_are_those_of_the_old_labels(old: FeatureSet) -> None:
    targets = migrate(old, store_of(old), old.folder.parents[1] / "targets").targets()
    assert targets.names == SOME.targets.names and np.array_equal(targets.values, SOME.targets.values)


def test_what_a_killed_process_left_of_an_old_set_is_no_set(old: FeatureSet) -> None:
    leaving = old.folder.with_name(old.folder.name + ".tmp")
    shutil.copytree(old.folder, leaving)
    assert [s.folder for s in store_of(old).sets()] == [old.folder]
    taken(old)
    assert not leaving.exists()
