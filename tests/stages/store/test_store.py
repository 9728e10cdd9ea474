"""The feature store: what is committed stays, what is damaged is seen, nothing else is read."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.errors import DamagedShard, StoreError
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.records.sealed import sealed, unsealed
from frostline.stages.store import (
    OK,
    QUARANTINED,
    Bad,
    FeatureSet,
    FeatureStore,
    Layout,
    Provenance,
    Shard,
    encode_ids,
    load,
    write_atomic,
)
from frostline.stages.store.key import FeatureKey
from frostline.stages.store.targets import target_file
from frostline.stages.targets.values import Targets
from support.project import REPOSITORY

ROWS, WIDTH, SHARD_ROWS = 10, 5, 4
SPEC = BackboneSpec("net", "", "w" * 64, "fc:input", "none", Preprocessing(256, 224), (224, 224))
KEY = FeatureKey("d" * 64, SPEC, "Pillow 1")


def content(start: int, stop: int, dtype: str = "float32") -> Shard:
    rows = np.arange(start, stop)
    features = (rows[:, None] + np.arange(WIDTH) / 10).astype(dtype)
    digests = np.repeat(rows.astype(np.uint8)[:, None], 32, axis=1)
    ids = encode_ids([f"train/é/{row}.jpg" for row in rows])
    return Shard(features, ids, digests, np.zeros(len(rows), np.uint8))


def begin(root: Path, key: FeatureKey = KEY) -> FeatureSet:
    layout = Layout(key.fields(), "pets", "train", ROWS, WIDTH, SHARD_ROWS)
    return FeatureStore(root).begin(layout, Provenance(made="today"), targets(ROWS))


def targets(rows: int) -> bytes:
    ids = [f"train/é/{row}.jpg" for row in range(rows)]
    return target_file(Targets(("cat", "dog", "fox"), np.arange(rows) % 3), ids)


@pytest.fixture
def features(tmp_path: Path) -> FeatureSet:
    """A complete set of three shards: rows 0-3, 4-7, 8-9."""
    made = begin(tmp_path / "features")
    for shard in made.shards:
        span = made.span(shard)
        made.commit(shard, content(span.start, span.stop))
    made.publish()
    return made


def test_what_was_committed_is_read_back_in_dataset_order(features: FeatureSet) -> None:
    read = load(features)
    assert np.array_equal(read.X, content(0, ROWS).features)
    assert np.array_equal(read.y, np.arange(ROWS) % 3)
    assert read.ids[3] == "train/é/3.jpg"
    assert read.classes == ("cat", "dog", "fox")


def test_a_shard_without_a_record_is_not_committed(features: FeatureSet) -> None:
    (features.folder / "shards" / "00001.json").unlink()
    assert features.missing() == [1]
    with pytest.raises(StoreError, match=r"00001\.json"):
        load(features)


def test_a_truncated_shard_is_missing_again(features: FeatureSet) -> None:
    path = features.folder / "shards" / "00002.h5"
    path.write_bytes(path.read_bytes()[:-1])
    assert features.missing() == [2]


def test_no_flipped_bit_is_read_as_a_number(features: FeatureSet) -> None:
    expected = load(features).X
    rng = np.random.default_rng(0)
    for path in sorted((features.folder / "shards").iterdir()):
        sound = path.read_bytes()
        for position in rng.integers(0, len(sound), 60):
            flipped = bytearray(sound)
            flipped[position] ^= 1 << int(rng.integers(8))
            path.write_bytes(flipped)
            try:
                assert np.array_equal(load(features).X, expected), f"{path.name} at {position}"
            except StoreError as error:
                assert path.stem in str(error)
        path.write_bytes(sound)
    assert np.array_equal(load(features).X, expected)


def test_quarantined_rows_are_kept_apart(tmp_path: Path) -> None:
    features = begin(tmp_path)
    for shard in features.shards:
        span = features.span(shard)
        part = content(span.start, span.stop)
        if shard == 1:
            part.features[2], part.status[2] = np.nan, QUARANTINED
            features.commit(shard, part, (Bad(6, "6.jpg", "empty file"),))
        else:
            features.commit(shard, part)
    assert [bad.row for bad in features.quarantined()] == [6]
    read = load(features)
    assert len(read) + len(features.quarantined()) == ROWS
    assert "train/é/6.jpg" not in read.ids and np.isfinite(read.X).all()


def test_any_hdf5_tool_reads_the_split_as_one_file_even_after_a_move(features: FeatureSet, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.move(features.folder, moved)
    with h5py.File(moved / "features.h5") as file:
        assert np.array_equal(file["features"][:], content(0, ROWS).features)
        assert file["ids"].asstr()[9] == "train/é/9.jpg"
        assert file["labels"][4] == 1
        assert file.attrs["backbone"] == "net" and json.loads(file.attrs["classes"]) == ["cat", "dog", "fox"]


def test_the_bytes_of_a_shard_are_the_same_each_time(features: FeatureSet, tmp_path: Path) -> None:
    again = begin(tmp_path / "again")
    again.commit(0, content(0, 4))
    first, second = (f.folder / "shards" / "00000.h5" for f in (features, again))
    assert first.read_bytes() == second.read_bytes()


def test_a_shard_holds_many_rows_to_a_chunk_and_a_checksum(features: FeatureSet) -> None:
    with h5py.File(features.folder / "shards" / "00000.h5") as file:
        assert file["features"].chunks == (4, WIDTH)
        assert file["features"].fletcher32


def forge(features: FeatureSet, make: Callable[[h5py.File], None]) -> None:
    """Replace shard 0 by a file with a record that vouches for it."""
    path = features.folder / "shards" / "00000.h5"
    path.unlink()
    with h5py.File(path, "w") as file:
        for name, array in content(0, 4).arrays().items():
            if name != "features":
                file[name] = array
        make(file)
    record = path.with_suffix(".json")
    fields = unsealed(record.read_bytes())
    data = path.read_bytes()
    record.write_bytes(sealed({**fields, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}))


def external_storage(file: h5py.File) -> None:
    file.create_dataset("features", (4, WIDTH), "f4", external=[("/etc/passwd", 0, 4 * WIDTH * 4)])


def external_link(file: h5py.File) -> None:
    file["features"] = h5py.ExternalLink("/etc/hosts", "/x")


def soft_link(file: h5py.File) -> None:
    file["other"] = content(0, 4).features
    file["features"] = h5py.SoftLink("/other")


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4, WIDTH), "f4")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "x", (4, WIDTH), "f4")
    file.create_virtual_dataset("features", layout)


def objects(file: h5py.File) -> None:
    file.create_dataset("features", (4, WIDTH), h5py.string_dtype())


def giant(file: h5py.File) -> None:
    file.create_dataset("features", (2**40, WIDTH), "f4", chunks=(1024, WIDTH))


def other_shape(file: h5py.File) -> None:
    file["features"] = np.zeros((4, WIDTH + 1), np.float32)


def other_type(file: h5py.File) -> None:
    file["features"] = np.zeros((4, WIDTH), np.float64)


FORGERIES = [external_storage, external_link, soft_link, virtual, objects, giant, other_shape, other_type]


@pytest.mark.parametrize("make", FORGERIES, ids=lambda make: make.__name__)
def test_a_forged_shard_is_refused_though_its_record_agrees(
    features: FeatureSet, make: Callable[[h5py.File], None]
) -> None:
    forge(features, make)
    with pytest.raises(DamagedShard, match=r"00000\.h5"):
        features.read(0)


def test_a_record_of_another_feature_set_does_not_count(features: FeatureSet, tmp_path: Path) -> None:
    other = begin(tmp_path / "other", dataclasses.replace(KEY, precision="bf16"))
    shutil.copytree(features.folder / "shards", other.folder / "shards")
    assert other.missing() == [0, 1, 2]


def test_a_set_is_found_by_its_key_and_by_no_other(features: FeatureSet) -> None:
    store = FeatureStore(features.folder.parent)
    found = store.find(KEY.digest)
    assert found is not None and found.folder == features.folder
    assert store.find(dataclasses.replace(KEY, dtype="float16").digest) is None


def test_the_nearest_set_says_which_field_differs(features: FeatureSet) -> None:
    store = FeatureStore(features.folder.parent)
    spec = dataclasses.replace(SPEC, preprocessing=Preprocessing(232, 224))
    assert store.nearest(dataclasses.replace(KEY, backbone=spec), "pets", "train") == ["resize 256 → 232"]


def test_rows_of_another_set_are_offered_only_for_the_same_computation(features: FeatureSet) -> None:
    store = FeatureStore(features.folder.parent)
    grown = dataclasses.replace(KEY, dataset="e" * 64)
    assert len(store.rows_like(grown)) == ROWS
    assert not store.rows_like(dataclasses.replace(grown, precision="bf16"))


def test_only_one_claims_a_shard_and_a_committed_one_is_left_alone(features: FeatureSet) -> None:
    features.drop(1)
    with features.claim(1, wait=False) as ours, features.claim(1, wait=False) as second:
        assert ours and not second
    with features.claim(0, wait=False) as ours:
        assert not ours


def test_what_a_killed_write_left_is_removed_by_the_next_claim(features: FeatureSet) -> None:
    features.drop(1)
    leftover = features.folder / "shards" / "00001.h5.123-abcd.tmp"
    leftover.write_bytes(b"half")
    with features.claim(1, wait=False):
        assert not leftover.exists()


def test_a_write_that_fails_half_way_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    code = (
        "import resource, signal, sys; from pathlib import Path; from frostline.stages.store import write_atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_atomic(Path(sys.argv[1]), b'x' * 5000)"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert "StoreError: can't write" in done.stderr and "File too large" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["file"] and path.read_bytes() == b"old"


def test_a_missing_parent_is_an_explained_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="--data-dir"):
        write_atomic(tmp_path / "no" / "file", b"")


def test_a_damaged_description_is_written_anew_and_the_shards_are_kept(features: FeatureSet) -> None:
    path = features.folder / "key.json"
    sound = path.read_bytes()
    path.write_bytes(sound.replace(b"pets", b"pits"))
    assert FeatureStore(features.folder.parent).find(KEY.digest) is None
    again = begin(features.folder.parent)
    assert again.complete and path.read_bytes() == sound


def test_an_edited_record_does_not_count(features: FeatureSet) -> None:
    path = features.folder / "shards" / "00001.json"
    path.write_bytes(path.read_bytes().replace(b'"quarantined":[]', b'"quarantined":[{"id":"x","reason":"","row":4}]'))
    assert features.missing() == [1]


def test_a_shard_lost_from_a_finished_set_is_damage_and_from_an_unfinished_one_is_not(features: FeatureSet) -> None:
    features.drop(1)
    assert [error.shard for error in features.damaged()] == [1]
    (features.folder / "features.h5").unlink()
    assert features.damaged() == []


def test_a_record_that_is_a_link_to_nothing_is_damage_in_an_unfinished_set_too(features: FeatureSet) -> None:
    features.drop(1)
    (features.folder / "features.h5").unlink()
    (features.folder / "shards" / "00001.json").symlink_to("nowhere")
    assert [error.shard for error in features.damaged()] == [1]


def test_a_giant_in_place_of_the_published_file_is_not_read(features: FeatureSet) -> None:
    os.truncate(features.folder / "features.h5", 1 << 28)
    tracemalloc.start()
    assert not features.published
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


def test_a_set_whose_files_are_removed_meanwhile_is_not_published(features: FeatureSet) -> None:
    (features.folder / "key.json").unlink()
    with pytest.raises(StoreError, match="removed while it was being made"):
        features.publish()


def test_a_half_float_set_keeps_its_type(tmp_path: Path) -> None:
    key = dataclasses.replace(KEY, dtype="float16")
    layout = Layout(key.fields(), "pets", "train", 4, WIDTH)
    features = FeatureStore(tmp_path).begin(layout, Provenance(), targets(4))
    features.commit(0, content(0, 4, "float16"))
    assert load(features).X.dtype == np.float16
    assert features.read(0).status.tolist() == [OK] * 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": np.full(4, QUARANTINED, np.uint8)}, "other rows are quarantined than its record says"),
        ({"status": np.zeros(4)}, "of another type"),
    ],
)
def test_rows_that_can_not_be_are_damage_whoever_sealed_them(tmp_path: Path, change: dict, said: str) -> None:
    layout = Layout(KEY.fields(), "pets", "train", 4, WIDTH)
    features = FeatureStore(tmp_path).begin(layout, Provenance(), targets(4))
    features.commit(0, dataclasses.replace(content(0, 4), **change))
    with pytest.raises(DamagedShard, match=said):
        features.read(0)
