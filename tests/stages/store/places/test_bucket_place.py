"""Shards in a bucket: who commits first wins, whatever replies are lost, and nothing wrong is ever read."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.buckets.mirror import look_again
from frostline.stages.errors import StoreError
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.store import FeatureSet, FeatureStore, Layout, Provenance, Shard, encode_ids, load, open_set
from frostline.stages.store.key import FeatureKey
from frostline.stages.store.places import claims, probe
from frostline.stages.store.targets import target_file
from frostline.stages.targets.values import Targets
from support.memory_bucket import LostReply, MemoryBucket, memory_bucket

pytest.importorskip("obstore", reason="no obstore; pip install -e '.[test]'")
ROWS, WIDTH, SHARD_ROWS = 10, 5, 4
SPEC = BackboneSpec("net", "", "w" * 64, "fc:input", "none", Preprocessing(256, 224), (224, 224))
KEY = FeatureKey("d" * 64, SPEC, "Pillow 1")
IDS = [f"train/é/{row}.jpg" for row in range(ROWS)]
_count = itertools.count()


@dataclass(frozen=True)
class Machine:
    """A machine with its own folder of local copies."""

    bucket: MemoryBucket
    address: str
    move: Callable[[str], None]

    def begin(self, name: str = "one") -> FeatureSet:
        """Begin, or open, the set on a machine of this name."""
        self.move(name)
        layout = Layout(KEY.fields(), "pets", "train", ROWS, WIDTH, SHARD_ROWS)
        targets = target_file(Targets(("cat", "dog", "fox"), np.arange(ROWS) % 3), IDS)
        return FeatureStore(Path(self.address) / "features").begin(layout, Provenance(made="today"), targets)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    name = f"memory-{next(_count)}"

    def move(to: str) -> None:
        monkeypatch.setenv("FROSTLINE_CACHE_DIR", str(tmp_path / to))
        look_again()

    move("one")
    return Machine(memory_bucket(name), f"s3://{name}/ws", move)


def content(span: range, add: float = 0.0) -> Shard:
    rows = np.array(span)
    features = (rows[:, None] + np.arange(WIDTH) / 10 + add).astype("float32")
    digests = np.repeat(rows.astype(np.uint8)[:, None], 32, axis=1)
    return Shard(features, encode_ids([IDS[row] for row in span]), digests, np.zeros(len(rows), np.uint8))


def fill(features: FeatureSet, add: float = 0.0) -> FeatureSet:
    for shard in features.missing():
        with features.claim(shard, wait=True) as ours:
            if ours:
                features.commit(shard, content(features.span(shard), add))
    features.publish()
    return features


def values(features: FeatureSet) -> bytes:
    return bytes(load(features).X.tobytes())


def shards_of(bucket: MemoryBucket) -> list[str]:
    return [key.rpartition("/shards/")[2] for key in bucket.names() if "/shards/" in key]


def test_a_bucket_holds_the_bytes_of_a_folder_under_names_with_their_digests(machine: Machine, tmp_path: Path) -> None:
    there = fill(machine.begin())
    layout, targets = there.layout, (there.local / "targets.h5").read_bytes()
    here = fill(FeatureStore(tmp_path / "features").begin(layout, Provenance(made="today"), targets))
    assert values(there) == values(here) and there.folder.name == here.folder.name
    assert str(there.folder).startswith(f"{machine.address}/features/")
    for shard in here.shards:
        record = here.record(shard)
        assert there.record(shard) == record
        name = f"ws/features/{there.folder.name}/shards/{shard:05d}-{record.sha256[:12]}.h5"
        assert machine.bucket.read(name) == (here.folder / "shards" / f"{shard:05d}.h5").read_bytes()
    assert not [key for key in machine.bucket.names() if "features.h5" in key or "claims" in key or "probe" in key]


def test_another_machine_reads_it_and_a_second_time_asks_for_no_shard(machine: Machine) -> None:
    wanted = values(fill(machine.begin()))
    there = machine.begin("two")
    assert there.complete and values(there) == wanted
    machine.bucket.requests.clear()
    assert values(open_set(there.folder)) == wanted
    assert not machine.bucket.said("get") and not machine.bucket.said("head")


def test_what_is_missing_is_found_by_one_listing(machine: Machine) -> None:
    fill(machine.begin())
    there = machine.begin("two")
    machine.bucket.requests.clear()
    assert not there.missing()
    assert len(machine.bucket.said("list")) == 1 and len(machine.bucket.requests) <= 3  # a record of each length


def test_the_first_of_two_writers_wins_and_both_read_the_same(machine: Machine) -> None:
    first, second = machine.begin("one"), machine.begin("two")
    assert first.missing() == second.missing() == [0, 1, 2]
    for shard in first.shards:
        ours, theirs = (first, second) if shard % 2 else (second, first)
        ours.commit(shard, content(ours.span(shard), add=0.5))
        theirs.commit(shard, content(theirs.span(shard)))
    expected = b"".join((content(first.span(shard), 0.5).features).tobytes() for shard in first.shards)
    assert values(first) == values(second) == expected
    machine.move("two")
    lost = second.unnamed()
    assert len(lost) == 3 and len(shards_of(machine.bucket)) == 9
    assert not {str(path).rpartition("/")[2] for path in lost} & {
        f"{s:05d}-{first.record(s).sha256[:12]}.h5" for s in (0, 1, 2)
    }


def test_writers_of_the_same_bytes_leave_one_object(machine: Machine) -> None:
    sets = [machine.begin("one"), machine.begin("two")]
    threads = [threading.Thread(target=_commit_all, args=(one,)) for one in sets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(shards_of(machine.bucket)) == 6 and not sets[0].unnamed()
    assert not sets[0].damaged() and sets[1].complete


def _commit_all(features: FeatureSet) -> None:
    for shard in features.shards:
        features.commit(shard, content(features.span(shard)))


@pytest.mark.parametrize("kind", ["put", "create"])
def test_a_write_that_happened_though_its_reply_was_lost_is_no_harm(machine: Machine, kind: str) -> None:
    features, lost = machine.begin(), set[str]()

    def lose(name: str, key: str) -> None:
        if name == kind and "/shards/" in key and key not in lost:
            lost.add(key)
            raise LostReply("error sending request")

    machine.bucket.after = lose
    for _ in range(7):  # the command, run again
        try:
            fill(features)
        except StoreError as error:
            assert "can't be written: no answer" in str(error) and "what is done is kept" in str(error)
    assert len(lost) == 3 and features.complete
    assert values(features) == b"".join(content(features.span(s)).features.tobytes() for s in features.shards)
    assert len(shards_of(machine.bucket)) == 6 and not features.damaged()


def test_what_a_repeated_request_created_is_known_as_our_own(machine: Machine) -> None:
    features = machine.begin()
    machine.bucket.repeats = True
    for shard in features.shards:
        with features.claim(shard, wait=False) as ours:
            assert ours
            features.commit(shard, content(features.span(shard)))
    assert features.complete and not features.damaged() and not features.unnamed()


def test_an_object_is_whole_before_a_record_names_it(machine: Machine) -> None:
    features, before = machine.begin(), []

    def note(kind: str, key: str) -> None:
        if kind == "create" and "/shards/" in key:
            before.append([name for name in shards_of(machine.bucket) if name.endswith(".h5")])

    machine.bucket.before = note
    fill(features)
    assert [len(names) for names in before] == [1, 2, 3]


def test_a_damaged_object_is_found_named_and_mended(machine: Machine) -> None:
    wanted = values(features := fill(machine.begin()))
    key = next(key for key in machine.bucket.names() if "/00001-" in key)
    data = bytearray(machine.bucket.read(key))
    data[len(data) // 2] ^= 1
    machine.bucket.store.put(key, bytes(data))
    (found,) = features.damaged()
    assert found.shard == 1 and found.path == f"{machine.address.removesuffix('/ws')}/{key}"
    features.drop(1)
    assert features.missing() == [1] and values(fill(features)) == wanted and not features.damaged()


def test_a_damaged_record_is_replaced(machine: Machine) -> None:
    wanted = values(fill(machine.begin()))
    key = next(key for key in machine.bucket.names() if key.endswith("/00001.json"))
    fields = {**json.loads(machine.bucket.read(key)), "start": 0}
    machine.bucket.store.put(key, json.dumps(fields).encode())
    assert machine.begin("two").missing() == [1]
    assert values(fill(machine.begin("two"))) == wanted


def test_a_damaged_local_copy_is_fetched_again(machine: Machine) -> None:
    wanted = values(features := fill(machine.begin()))
    for copy in features.local.glob("shards/*.h5"):
        copy.write_bytes(b"x" * copy.stat().st_size)
    assert values(features) == wanted


def test_a_server_that_creates_twice_is_refused_before_anything_is_computed(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_TRIED", set())
    machine.bucket.lies = True
    with pytest.raises(StoreError, match=r"stores an object where there is one already.*another server, or a folder"):
        machine.begin()
    assert not machine.bucket.names()


def test_only_one_claims_a_shard_until_it_is_let_go_of(machine: Machine) -> None:
    first, second = machine.begin("one"), machine.begin("two")
    with first.claim(0, wait=False) as ours, second.claim(0, wait=False) as theirs:
        assert ours and not theirs
    with second.claim(0, wait=True) as theirs:
        assert theirs
        second.commit(0, content(second.span(0)))
    with first.claim(0, wait=True) as ours:
        assert not ours


def test_a_claim_that_is_not_renewed_is_taken_over(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "DEAD_SECONDS", 0.2)
    monkeypatch.setattr(claims, "_POLL_SECONDS", 0.05)
    features = machine.begin()
    machine.bucket.store.put(f"ws/features/{features.folder.name}/claims/00000", b"of a dead process")
    with features.claim(0, wait=False) as ours:
        assert not ours
    with features.claim(0, wait=True) as ours:
        assert ours
    assert values(fill(features)) and not [key for key in machine.bucket.names() if "claims" in key]


def test_without_claims_the_work_is_done_all_the_same(machine: Machine) -> None:
    features = machine.begin()

    def refuse(_kind: str, key: str) -> None:
        if "/claims/" in key:
            raise LostReply("error sending request")

    machine.bucket.before = refuse
    for shard in features.shards:
        with features.claim(shard, wait=True) as ours:
            assert ours
            features.commit(shard, content(features.span(shard)))
    assert features.complete


def test_rows_of_another_set_are_known(machine: Machine) -> None:
    fill(machine.begin())
    machine.move("two")
    store = FeatureStore(Path(machine.address) / "features")
    assert len(store.rows_like(replace(KEY, dataset="e" * 64))) == ROWS
