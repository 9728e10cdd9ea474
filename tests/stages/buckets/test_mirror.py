"""Local copies of small files in a bucket: what is sent is there, what changed is fetched, nothing lies elsewhere."""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from frostline.pipeline.plan import one_reader as one_reader_module
from frostline.pipeline.workspace import existing_workspace, open_workspace, opened_folder
from frostline.stages.buckets import failures, mirror
from frostline.stages.buckets.address import AddressPath
from frostline.stages.buckets.cache import address_at, local, named
from frostline.stages.buckets.mirror import is_there, look_again, opened, remove_objects
from frostline.stages.datasets.memo import load_memo, save_memo
from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.records.safe_read import read_file
from frostline.stages.serve.table_file import check_table_file
from frostline.stages.store import write_atomic
from support.buckets import Bucket
from support.memory_bucket import LostReply, MemoryBucket, memory_bucket

pytest.importorskip("obstore", reason="no obstore; pip install -e '.[test]'")
_count = itertools.count()


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[MemoryBucket, str]:
    """A bucket in memory, and the address of a workspace in it."""
    monkeypatch.setenv("FROSTLINE_CACHE_DIR", str(tmp_path / "cache"))
    name = f"mirror-{next(_count)}"
    return memory_bucket(name), f"s3://{name}/ws"


def test_a_copy_stands_for_its_object_and_any_other_path_for_itself(there: tuple[MemoryBucket, str]) -> None:
    copy = local(f"{there[1]}/heads/one")
    assert str(named(copy)) == f"{there[1]}/heads/one"
    assert local(str(named(copy))) == copy and local(Path(str(named(copy)))) == copy
    assert named(Path("data")) == Path("data") and address_at(Path("data")) is None


def test_a_file_is_in_the_bucket_before_it_is_here(there: tuple[MemoryBucket, str]) -> None:
    bucket, place = there
    file = opened(place) / "head.json"
    file.parent.mkdir(parents=True)

    def refuse(kind: str, _key: str) -> None:
        if kind == "put":
            raise LostReply("error sending request")

    bucket.before = refuse
    with pytest.raises(Exception, match=r"head.json can't be written: no answer"):
        write_atomic(file, b"1")
    assert not file.exists()
    bucket.before = lambda _kind, _key: None
    write_atomic(file, b"1")
    assert bucket.read("ws/head.json") == file.read_bytes() == b"1"


def test_only_what_changed_is_fetched_and_what_is_gone_goes(there: tuple[MemoryBucket, str]) -> None:
    bucket, place = there
    for name in ("a", "b", "c"):
        bucket.store.put(f"ws/runs/{name}/run.json", name.encode())
    here = opened(place)
    bucket.store.put("ws/runs/a/run.json", b"new")
    bucket.store.delete("ws/runs/b/run.json")
    bucket.requests.clear()
    assert (here / "runs/a/run.json").read_bytes() == b"a"  # a process looks once
    look_again()
    opened(place)
    assert bucket.said("get") == ["ws/runs/a/run.json"]
    assert (here / "runs/a/run.json").read_bytes() == b"new" and not (here / "runs/b/run.json").exists()


def test_shards_downloads_and_claims_are_not_fetched_unasked(there: tuple[MemoryBucket, str]) -> None:
    bucket, place = there
    for key in ("features/s/key.json", "features/s/shards/00000.json", "features/s/claims/00000", "downloads/x/y"):
        bucket.store.put(f"ws/{key}", b"1")
    here = opened(place)
    assert [path.name for path in here.rglob("*") if path.is_file()] == ["key.json"]
    look_again()
    assert opened(f"{place}/features").is_dir() and opened(f"{place}/features/s").is_dir()
    assert bucket.said("get") == ["ws/features/s/key.json"]


def test_what_else_lies_in_a_bucket_is_left_alone(there: tuple[MemoryBucket, str]) -> None:
    bucket, place = there
    for key in ("a.jpg", "pets/b.jpg", "pets/cats/c.jpg", "other.json", "ws/photo.jpg", "ws/pets/d.jpg"):
        bucket.store.put(key, b"1")
    for wrong in (place, place.removesuffix("/ws")):
        with pytest.raises(ConfigError, match=f"no workspace at {wrong}; "):
            existing_workspace(AddressPath(wrong))
    bucket.store.put("ws/runs/a/run.json", b"1")
    look_again()
    assert existing_workspace(AddressPath(place)).root.is_dir() and opened_folder(f"{place}/runs/a").is_dir()
    assert bucket.said("get") == ["ws/runs/a/run.json"]


def test_a_large_file_is_fetched_when_it_is_read(
    there: tuple[MemoryBucket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, place = there
    monkeypatch.setattr(mirror, "_SMALL", 10)
    bucket.store.put("ws/heads/one/head.safetensors", b"x" * 11)
    file = opened(place) / "heads/one/head.safetensors"
    assert not file.exists() and read_file(file) == b"x" * 11 and file.exists()
    look_again()
    opened(place)
    assert bucket.said("get") == ["ws/heads/one/head.safetensors"]


def test_a_file_sent_in_parts_is_known_again(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROSTLINE_CACHE_DIR", str(tmp_path / "cache"))
    here = opened(f"s3://{bucket.name}/ws") / "heads"
    here.mkdir(parents=True)
    write_atomic(here / "large", data := bytes(range(256)) * (6 << 12))
    look_again()
    opened(f"s3://{bucket.name}/ws")
    (here / "large").unlink()
    look_again()
    opened(f"s3://{bucket.name}/ws")
    assert read_file(here / "large") == data


def test_a_key_that_leads_out_of_the_copies_is_left_alone(there: tuple[MemoryBucket, str], tmp_path: Path) -> None:
    bucket, place = there
    bucket.store.put("ws/runs/good/run.json", b"1")
    listed = bucket.list

    def with_hostile(prefix: str | None = None, **how: object) -> object:
        return [[*page, {**page[0], "path": "ws/runs/../../../../../out"}] for page in listed(prefix, **how)]

    bucket.list = with_hostile  # type: ignore[method-assign]
    here = opened(place)
    assert (here / "runs/good/run.json").is_file() and not list(tmp_path.rglob("out"))


@pytest.mark.parametrize("place", ["s3://bucket/a/../b", "s3://bucket/a//b", "https://host/a"])
def test_a_place_that_can_have_no_copies_is_refused(place: str, there: tuple[MemoryBucket, str]) -> None:
    with pytest.raises(ConfigError, match=r"is no place of a workspace; expected s3://bucket/prefix"):
        opened(place)


def test_a_removed_set_loses_its_description_first(there: tuple[MemoryBucket, str]) -> None:
    bucket, place = there
    for name in ("a.h5", "key.json", "shards/00000.json"):
        bucket.store.put(f"ws/features/s/{name}", b"1")
    remove_objects(opened(place) / "features/s")
    assert bucket.said("delete")[0] == "ws/features/s/key.json" and not bucket.names()


def test_a_folder_of_local_copies_that_cannot_be_made_is_named_with_its_variable(
    there: tuple[MemoryBucket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, place = there
    bucket.store.put("ws/runs/a/run.json", b"1")
    monkeypatch.setenv("FROSTLINE_CACHE_DIR", "/proc/nope")
    with pytest.raises(StoreError, match=r"can't write /proc/nope/.*: name one by the variable FROSTLINE_CACHE_DIR"):
        opened(place)


@pytest.mark.parametrize("place", ["s4://x/y", "s3://", "s3:///x", "file:///data", "s3://bucket/fl?x=1", "s3://b/f#1"])
def test_what_looks_like_an_address_and_is_none_makes_no_folder(place: str, work: Path) -> None:
    assert main(["extract", "--dataset", "folder:not there", "--data-dir", place]) == 2
    with pytest.raises(ConfigError, match=r"is no place of a workspace; expected s3://bucket/prefix"):
        open_workspace(place)
    assert not list(work.parent.glob("s*:*"))


@pytest.mark.parametrize("out", ["s3://bucket/out.csv", "gs://bucket/out.parquet", "s4://bucket/out.csv"])
def test_a_file_is_written_on_this_machine(out: str) -> None:
    with pytest.raises(ConfigError, match=r"can't write s?.*out.*: expected a file on this machine"):
        check_table_file(Path(out))


def test_what_is_remembered_of_a_dataset_is_remembered_for_all_machines(
    there: tuple[MemoryBucket, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, place = there
    save_memo(open_workspace(place).index("folder:pets", None), "v1", {"paths": []}, {})
    monkeypatch.setenv("FROSTLINE_CACHE_DIR", str(tmp_path / "another machine"))
    monkeypatch.setattr(mirror, "_SMALL", 10)  # too large to be fetched unasked
    look_again()
    index = open_workspace(place).index("folder:pets", None)
    assert is_there(index) and not index.exists() and load_memo(index, "v1") == ({"paths": []}, {})

    def refuse(kind: str, _key: str) -> None:
        raise LostReply("error sending request")

    bucket.before = refuse
    save_memo(index, "v2", {"paths": []}, {})  # read-only credentials: a memory is not worth an error


def test_one_task_reads_a_new_dataset_and_the_others_wait_for_what_it_leaves_in_the_bucket(
    there: tuple[MemoryBucket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, place = there
    monkeypatch.setattr(one_reader_module, "_LOOK_AT_BUCKET", 0.05)
    index, order = open_workspace(place).index("folder:pets", None), list[str]()
    reading, may_end = threading.Event(), threading.Event()

    def first() -> None:
        with one_reader_module.one_reader(index):
            reading.set()
            may_end.wait(60)
            order.append("written")
            bucket.store.put(f"ws/index/{index.name}", b"1")

    def second() -> None:
        with one_reader_module.one_reader(index):
            order.append("read" if is_there(index) else "without an index")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert reading.wait(60)
    threads[1].start()
    while not [key for kind, key in bucket.requests if kind == "get" and "claims" in key]:
        time.sleep(0.01)
    may_end.set()
    for thread in threads:
        thread.join()
    assert order == ["written", "read"] and not [name for name in bucket.names() if "claims" in name]


def test_a_server_that_does_not_answer_is_named_without_credentials_while_it_is_tried_again(
    there: tuple[MemoryBucket, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket, place = there
    said = threading.Event()
    monkeypatch.setattr(failures, "LATE_SECONDS", 0.01)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://user:secret@store.example:9000/?token=hidden")
    spoken = list[str]()
    monkeypatch.setattr(failures.log, "warning", lambda *words: (spoken.append(words[0] % words[1:]), said.set()))

    def stalls(_kind: str, _key: str) -> None:
        assert said.wait(60)
        raise LostReply("error sending request")

    bucket.before = stalls
    with pytest.raises(StoreError, match=r"no answer from store.example:9000, tried again and again") as error:
        opened(place)
    assert spoken == [f"no answer for {place[:-3]} from store.example:9000 yet; still trying, Ctrl-C ends this"]
    assert "secret" not in str(error.value) + spoken[0] and "hidden" not in str(error.value) + spoken[0]
