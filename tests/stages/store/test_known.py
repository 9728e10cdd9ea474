"""Rows of other sets are found by digest, and missing shards by one listing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.store import FeatureSet, FeatureStore, KnownRows, Layout, Provenance, Shard, encode_ids
from frostline.stages.store.key import FeatureKey

SPEC = BackboneSpec("a network", "", "0" * 64, "fc:input", "none", Preprocessing(256, 224), (224, 224))
KEY = FeatureKey("0" * 64, SPEC, "a decoder")


def known_rows(digests: np.ndarray) -> KnownRows:
    places = np.arange(3 * len(digests), dtype=np.int32).reshape(-1, 3)
    return KnownRows((), digests, places)


@pytest.mark.parametrize("alike", [0, 8, 12])
def test_a_digest_is_found_as_in_a_dict_of_all_the_last_one_counts(alike: int) -> None:
    rng = np.random.default_rng(alike)
    digests = rng.integers(0, 256, (500, 32), np.uint8)
    digests[:60, :alike] = digests[0, :alike]  # as no SHA-256 has them, or only of ill will
    digests[400:420] = digests[20:40]
    expected = {digest.tobytes(): row for row, digest in enumerate(digests)}
    asked = np.concatenate([rng.permutation(digests), rng.integers(0, 256, (50, 32), np.uint8), digests[:60]])
    asked[-30:, -1] ^= 1  # begin as known ones do, and are others
    found = known_rows(digests).find(asked)
    assert found.tolist() == [expected.get(digest.tobytes(), -1) for digest in asked]


def test_of_no_rows_none_is_found() -> None:
    assert KnownRows().find(np.zeros((3, 32), np.uint8)).tolist() == [-1, -1, -1]
    assert not KnownRows()


class Counting(FeatureSet):
    """A set that counts how many records are read."""

    read_records = 0

    def record(self, shard: int):
        self.read_records += 1
        return super().record(shard)


@pytest.fixture
def features(tmp_path: Path) -> Counting:
    layout = Layout(KEY.fields(), "pets", "train", 82, 3, shard_rows=4)
    begun = FeatureStore(tmp_path).begin(layout, Provenance())
    for shard in begun.shards:
        span = begun.span(shard)
        rows = np.full((len(span), 3), shard, np.float32)
        ids, digests = encode_ids([f"{row:04d}" for row in span]), np.zeros((len(span), 32), np.uint8)
        begun.commit(shard, Shard(rows, ids, digests, np.zeros(len(span), np.uint8)))
    return Counting(begun.folder, layout)


def test_what_is_missing_is_known_without_the_record_of_each_shard(features: Counting) -> None:
    assert features.missing() == []
    assert features.read_records <= 4  # of a whole shard and of the last one


@pytest.mark.parametrize(("name", "cut"), [("00007.h5", 1), ("00007.json", 1), ("00020.h5", 5)])
def test_a_file_of_another_size_is_missing_among_many(features: Counting, name: str, cut: int) -> None:
    path = features.folder / "shards" / name
    path.write_bytes(path.read_bytes()[:-cut])
    assert features.missing() == [int(name[:5])]


def test_rows_are_said_to_be_there_by_a_record_alone(features: Counting) -> None:
    store = FeatureStore(features.folder.parent)
    other = FeatureKey("1" * 64, KEY.backbone, KEY.decoder)
    assert store.has_rows_like(other) and len(store.rows_like(other)) == 82
    assert not store.has_rows_like(KEY)
    assert not store.has_rows_like(FeatureKey("1" * 64, KEY.backbone, "another decoder"))
