"""Samples in buckets, on a real local server: the same bytes as on disk, or an error that says what is wrong."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from threading import Timer

import numpy as np
import pytest

from frostline.stages.buckets import client, stores
from frostline.stages.buckets.address import Address, address_of, path_of
from frostline.stages.buckets.client import head
from frostline.stages.datasets import Dataset, Request, open_dataset, open_samples
from frostline.stages.datasets.buckets import blob, objects
from frostline.stages.datasets.buckets.blob import ObjectBlob
from frostline.stages.datasets.buckets.blocks import BLOCK, BLOCKS, Blocks
from frostline.stages.datasets.containers.places import expand
from frostline.stages.errors import DataError, UnreadableSample
from frostline.stages.extract.extraction import extract
from frostline.stages.modalities.base import IMAGE, Sample
from frostline.stages.store import FeatureSet
from support.bucket_fixtures import skip_without_server
from support.buckets import ENVIRONMENT, Bucket, bucket_at, s3_server, site_of, tar_of
from support.extraction import begin, job
from support.pictures import encoded, picture, plant


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Two classes in two splits, with a table of them."""
    root = plant(tmp_path / "pets", {f"{split}/{name}": 6 for split in ("train", "test") for name in ("cat", "dog")})
    files = sorted(file.relative_to(root).as_posix() for file in root.rglob("*.png"))
    lines = [f"{file},{file.split('/')[1]},{file.split('/')[0]}" for file in files]
    (root / "labels.csv").write_text("\n".join(["path,label,split", *lines, ""]))
    return root


def same(one: Dataset, other: Dataset) -> bool:
    """Whether two datasets have the same samples, labels and splits."""
    pairs = list(zip(one.splits, other.splits, strict=True))
    return all(a.content == b.content and a.labelled_content == b.labelled_content for a, b in pairs)


def pixels(dataset: Dataset) -> bytes:
    return b"".join(
        np.asarray(samples.read(row)).tobytes() for samples in dataset.splits for row in range(len(samples))
    )


def test_a_folder_a_table_and_a_tar_file_in_a_bucket_hold_what_they_hold_on_disk(pets: Path, bucket: Bucket) -> None:
    local = open_dataset(f"folder:{pets}")
    there = bucket.upload(pets, "sets/pets/")
    (pets.parent / "pets.tar").write_bytes(data := tar_of(pets))
    tar = bucket.put("sets/pets.tar", data)
    far = [open_dataset(name) for name in (f"folder:{there}", f"csv:{there}labels.csv", f"tar:{tar}")]
    assert same(open_dataset(f"csv:{pets / 'labels.csv'}"), far[1])
    assert same(open_dataset(f"tar:{pets.parent / 'pets.tar'}"), far[2])
    assert [same(local, one) for one in far] == [True, True, True]
    assert {pixels(one) for one in far} == {pixels(local)}


def test_a_table_on_disk_names_objects_by_their_addresses(pets: Path, bucket: Bucket, tmp_path: Path) -> None:
    there = bucket.upload(pets, "sets/")
    table = tmp_path / "far.csv"
    table.write_text((pets / "labels.csv").read_text().replace("\ntr", f"\n{there}tr").replace("\nte", f"\n{there}te"))
    found = open_dataset(f"csv:{table}")
    assert pixels(found) == pixels(open_dataset(f"csv:{pets / 'labels.csv'}"))
    assert found.train.ids[0] == f"{there}train/cat/0000.png"
    assert same(open_dataset(f"csv:{pets / 'labels.csv'}", root=path_of(there)), open_dataset(f"folder:{pets}"))


def test_objects_that_are_unchanged_are_not_read_again(pets: Path, bucket: Bucket, tmp_path: Path) -> None:
    table, read = f"csv:{bucket.upload(pets, 'sets/')}labels.csv", list[tuple[int, int]]()
    how = {"memory": tmp_path / "index", "progress": lambda *done: read.append(done)}
    first = open_dataset(table, **how)
    assert len(read) == 24
    bucket.put("sets/train/cat/0003.png", encoded(picture(1234)))
    read.clear()
    second = open_dataset(table, **how)
    assert read == [(1, 1)]
    assert (first.train.digests != second.train.digests).any(axis=1).sum() == 1


def test_a_first_pass_that_breaks_off_goes_on_where_it_was(
    pets: Path, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, read = f"csv:{bucket.upload(pets, 'sets/')}labels.csv", list[tuple[int, int]]()

    def some(address: Address, facts: client.Facts, start: int, length: int) -> bytes:
        if address.key == "sets/train/cat/0004.png":
            raise DataError("no answer")
        return client.read_range(address, facts, start, length)

    with monkeypatch.context() as breaking:
        breaking.setattr(objects, "read_range", some)
        with pytest.raises(DataError, match="no answer"):
            open_dataset(table, memory=tmp_path / "index")
    found = open_dataset(table, memory=tmp_path / "index", progress=lambda *done: read.append(done))
    assert len(read) == 8
    assert same(found, open_dataset(f"csv:{pets / 'labels.csv'}"))


@pytest.mark.parametrize("kind", ["csv", "tar"])
def test_an_object_that_changes_is_an_error_not_another_sample(kind: str, pets: Path, bucket: Bucket) -> None:
    there = bucket.upload(pets, "sets/")
    place = f"{there}labels.csv" if kind == "csv" else bucket.put("pets.tar", tar_of(pets))
    found = open_dataset(f"{kind}:{place}")
    key = "sets/train/cat/0000.png" if kind == "csv" else "pets.tar"
    bucket.put(key, encoded(picture(99)) if kind == "csv" else tar_of(pets / "train"))
    BLOCKS.forget()
    with pytest.raises(DataError, match=f"{key} changed while it was being used") as caught:
        found.train.read(0)
    assert not isinstance(caught.value, UnreadableSample)


def test_every_read_asks_for_what_the_index_saw(bucket: Bucket) -> None:
    place = bucket.put("a.bin", bytes(100))
    seen = ObjectBlob(address_of(place))
    assert seen.read(10, 5) == bytes(5)
    bucket.put("a.bin", bytes(100) + b"more")
    BLOCKS.forget()
    with pytest.raises(DataError, match=rf"{place} changed while it was being used; leave it alone and run again"):
        seen.read(10, 5)


def test_an_endpoint_without_encryption_has_to_be_allowed(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(DataError, match=r"its endpoint in the environment is http://; AWS_ALLOW_HTTP=true allows that"):
        open_dataset(f"tar:s3://{bucket.name}/a.tar")


def test_patterns_list_and_braces_do_not(bucket: Bucket) -> None:
    for key in ("a/x-00.tar", "a/x-01.tar", "a/y.tar", "a/b/x-02.tar", "c.tar"):
        bucket.put(key, b"data")
    top = f"s3://{bucket.name}"

    def keys(pattern: str) -> list[str]:
        return [blob.name.removeprefix(f"{top}/") for blob in expand(pattern)]

    assert keys(f"{top}/a/x-*.tar") == ["a/x-00.tar", "a/x-01.tar"]
    assert keys(f"{top}/a/**/x-*.tar") == ["a/b/x-02.tar", "a/x-00.tar", "a/x-01.tar"]
    assert keys(f"{top}/a/[!x]*.tar") == ["a/y.tar"]
    assert keys(f"{top}/a/x-{{00..01}}.tar") == ["a/x-00.tar", "a/x-01.tar"]
    with pytest.raises(DataError, match=r"1 object of .* not found:\n  s3://.*x-02.tar"):
        expand(f"{top}/a/x-{{00..02}}.tar")
    with pytest.raises(DataError, match=r"no object matches s3://.*/z-\*.tar; check the names"):
        expand(f"{top}/z-*.tar")


def test_what_is_not_there_is_told_by_name(bucket: Bucket, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no object s3://bucket-.*/none.csv; check the bucket and the key"):
        open_dataset(f"csv:s3://{bucket.name}/none.csv")
    with pytest.raises(DataError, match="no bucket s3://nobody; check its name, and the endpoint"):
        open_dataset("tar:s3://nobody/*.tar")
    rows = "".join(f"s3://{bucket.name}/{i}.png,{'ab'[i % 2]}\n" for i in range(20))
    (tmp_path / "t.csv").write_text(f"path,label\n{rows}")
    with pytest.raises(DataError, match=r"line 2: no object s3://.*/0.png") as caught:
        open_dataset(f"csv:{tmp_path / 't.csv'}")
    assert str(caught.value).count("no object") == 20


def test_a_table_says_which_paths_it_can_not_mean(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f"path,label\ns3://{bucket.name}/a.png,x\nb.png,y\n")
    with pytest.raises(
        DataError, match=r"line 3: b.png: a local file among addresses; expected only addresses, or --root"
    ):
        open_dataset(f"csv:{tmp_path / 't.csv'}")
    there = bucket.put("sets/t.csv", b"path,label\n../a.png,x\na.png,y\n./a.png,y\n")
    with pytest.raises(
        DataError, match=r"line 2: ../a.png leads outside s3(?s:.*)line 4: a.png appears twice, first on line 3"
    ):
        open_dataset(f"csv:{there}")


def test_without_obstore_the_error_names_the_extra(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['obstore'] = None\n"
        "import importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'obstore' else find(name, *more)\n"
        "from frostline.stages.datasets import open_dataset\nopen_dataset('tar:s3://bucket/a.tar')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ConfigError" in done.stderr
    assert "`pip install 'frostline[buckets]'`" in done.stderr


@pytest.mark.parametrize("dataset", ["vectors:s3://bucket/a.npz", "hf-disk:gs://bucket/a"])
def test_what_is_read_from_disks_alone_says_so(dataset: str) -> None:
    with pytest.raises(
        DataError, match="is an address, but this kind of dataset is read only from local disks; copy it"
    ):
        open_dataset(dataset)


def test_parquet_in_a_bucket_is_read_once_in_few_requests(
    pets: Path, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="no pyarrow; pip install -e '.[test]'")
    from pyarrow import parquet

    noise = [encoded(picture(seed, (200, 200))) for seed in range(60)]
    images = [{"bytes": data, "path": f"{i}.png"} for i, data in enumerate(noise)]
    table = pyarrow.table({"image": images, "label": ["cat", "dog"] * 30})
    parquet.write_table(table, tmp_path / "pets.parquet", row_group_size=10)
    data, asked = (tmp_path / "pets.parquet").read_bytes(), list[int]()

    def counted(address: Address, facts: client.Facts, start: int, length: int) -> bytes:
        asked.append(length)
        return client.read_range(address, facts, start, length)

    monkeypatch.setattr(blob, "read_range", counted)
    far = open_dataset(f"parquet:{bucket.put('sets/pets.parquet', data)}")
    assert same(open_dataset(f"parquet:{tmp_path / 'pets.parquet'}"), far)
    assert len(data) > 6_000_000
    assert sum(asked) < 1.2 * len(data)
    assert len(asked) < 20


def test_samples_without_labels_are_read_from_buckets(pets: Path, bucket: Bucket) -> None:
    there = bucket.upload(pets, "sets/")
    names = [f"folder:{there}", f"csv:{there}labels.csv", f"tar:{bucket.put('pets.tar', tar_of(pets))}"]
    found = [open_samples(name, Request("", modality=IMAGE))[0] for name in names]
    assert len({tuple(sorted(map(bytes, samples.digests))) for samples in found}) == 1
    assert [len(samples) for samples in found] == [24, 24, 24]


def test_a_host_gives_parts_of_files_over_https_or_on_this_machine(pets: Path, tmp_path: Path) -> None:
    pytest.importorskip("obstore", reason="no obstore; pip install -e '.[test]'")
    files = {f"/sets/{file.relative_to(pets).as_posix()}": file.read_bytes() for file in pets.rglob("*.*")}
    with site_of({**files, "/pets.tar": tar_of(pets), "/large.bin": bytes(2 * BLOCK)}) as site:
        far = [open_dataset(name) for name in (f"csv:{site.top}/sets/labels.csv", f"tar:{site.top}/pets.tar")]
        assert [same(open_dataset(f"csv:{pets / 'labels.csv'}"), one) for one in far] == [True, True]
        BLOCKS.forget()
        site.ranges = False
        assert same(open_dataset(f"csv:{site.top}/sets/labels.csv"), far[0])
        with pytest.raises(DataError, match=r"the server gives no parts of files"):
            ObjectBlob(address_of(f"{site.top}/large.bin")).read(0, 10)
    with pytest.raises(DataError, match=r"is not encrypted; expected https://, or http:// on this machine alone"):
        open_dataset("tar:http://example.org/pets.tar")


def test_a_signature_is_used_and_never_said(pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore", reason="no obstore; pip install -e '.[test]'")
    monkeypatch.setattr(stores, "PATIENCE_SECONDS", 0.5)
    files = {f"/{file.relative_to(pets).as_posix()}": file.read_bytes() for file in pets.rglob("*.png")}
    with site_of(files) as site:
        signed = [f"{site.top}{name}?X-Sig=SECRET{i},{name.split('/')[2]}" for i, name in enumerate(sorted(files))]
        (tmp_path / "signed.csv").write_text("\n".join(["path,label", *signed, ""]))
        found = open_dataset(f"csv:{tmp_path / 'signed.csv'}", memory=tmp_path / "index")
        assert any("?X-Sig=SECRET" in line for line in site.requests)
        assert not any("SECRET" in name for name in (*found.train.ids, *found.test.ids))
        assert b"SECRET" not in (tmp_path / "index").read_bytes()
        for status in (403, 404, 412, 503):
            site.status = status
            with pytest.raises(DataError) as caught:
                found.train.read(0)
            assert "SECRET" not in str(caught.value)
            assert "SECRET" not in str(caught.value.__cause__)
    with pytest.raises(DataError, match="is followed by a query, and what a dataset is called is written down") as told:
        open_dataset("tar:https://example.org/a.tar?X-Sig=SECRET")
    assert "SECRET" not in str(told.value)


@pytest.mark.parametrize(
    ("status", "said"), [(403, "access is refused"), (404, "no object"), (500, "answers 500"), (503, "answers 503")]
)
def test_what_a_server_answers_instead_is_an_error_in_bounded_time(
    status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("obstore", reason="no obstore; pip install -e '.[test]'")
    monkeypatch.setattr(stores, "PATIENCE_SECONDS", 0.5)
    with site_of({"/a.tar": bytes(100)}) as site:
        blob = ObjectBlob(address_of(f"{site.top}/a.tar"))
        site.status = status
        with pytest.raises(DataError, match=said) as caught:
            blob.read(0, 10)
        assert not isinstance(caught.value, UnreadableSample)
        site.status = 0
        assert blob.read(0, 10) == bytes(10)


def test_a_server_that_says_nothing_is_waited_for_and_then_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore", reason="no obstore; pip install -e '.[test]'")
    monkeypatch.setattr(stores, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(stores, "REQUEST_SECONDS", 0.3)
    said = "can't be read: no answer, tried again and again; run again when it"
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(DataError, match=said):
        head(address_of(f"http://127.0.0.1:{silent.getsockname()[1]}/a.tar"))


def test_passing_failures_are_tried_again(pets: Path) -> None:
    pytest.importorskip("obstore", reason="no obstore; pip install -e '.[test]'")
    with site_of({"/a.tar": bytes(100)}) as site:
        blob, site.status = ObjectBlob(address_of(f"{site.top}/a.tar")), 503
        Timer(0.5, lambda: setattr(site, "status", 0)).start()
        assert blob.read(0, 10) == bytes(10)


def test_reads_side_by_side_fetch_blocks_and_others_what_they_ask_for() -> None:
    data = np.random.default_rng(0).bytes(20 * BLOCK + 77)
    asked = list[tuple[int, int]]()

    def fetch(offset: int, length: int) -> bytes:
        asked.append((offset, length))
        return data[offset : offset + length]

    blocks = Blocks()
    name = ("a", "1")
    assert blocks.read(name, len(data), 15 * BLOCK, 100, fetch) == data[15 * BLOCK :][:100]
    assert blocks.read(name, len(data), 3 * BLOCK + 5, 100, fetch) == data[3 * BLOCK + 5 :][:100]
    assert asked == [(15 * BLOCK, 100), (3 * BLOCK + 5, 100)]
    found = b"".join(
        blocks.read(name, len(data), at, min(70_000, len(data) - at), fetch)
        for at in range(3 * BLOCK, len(data), 70_000)
    )
    assert found == data[3 * BLOCK :]
    assert len(asked) == 2 + 18
    assert blocks.read(name, len(data), 0, len(data), fetch) == data


def test_what_is_held_of_objects_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks, size = Blocks(), 200 * BLOCK
    for at in range(0, size, BLOCK // 2):
        blocks.read(("a", "1"), size, at, 10, lambda _offset, length: bytes(length))
    assert sum(len(future.result()) for future in blocks._held.values()) <= 64 << 20


def test_objects_are_fetched_ahead_in_order_and_what_is_held_of_them_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetched = list[str]()

    def read(address: Address, facts: client.Facts, start: int, length: int) -> bytes:
        fetched.append(address.key)
        return bytes(length)

    monkeypatch.setattr(objects, "read_range", read)
    size, rows = 1 << 20, range(300)
    many = objects.Objects([Address("s3", "b", str(row)) for row in rows], [client.Facts(size, "1")] * len(rows))
    many.announce(rows)
    for row in rows:
        assert many.read(row) == bytes(size)
        assert len(fetched) <= row + 1 + 65
    assert sorted(fetched, key=int) == [str(row) for row in rows]


def test_a_server_that_stops_and_comes_back_loses_nothing(
    tmp_path: Path, pets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    skip_without_server()
    monkeypatch.setattr(stores, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(objects, "_AHEAD", 8)
    rows = plant(tmp_path / "many", {f"train/{name}": 60 for name in ("cat", "dog")} | {"test/cat": 2, "test/dog": 2})
    with ExitStack() as running:
        endpoint = running.enter_context(s3_server())
        for name, value in {**ENVIRONMENT, "AWS_ENDPOINT_URL": endpoint}.items():
            monkeypatch.setenv(name, value)
        samples = open_dataset(f"folder:{bucket_at(endpoint, 'stops').upload(rows)}").train
        features, seen = begin(tmp_path / "far", samples), list[int]()

        def read(row: int) -> Sample:
            seen.append(row)
            if len(seen) == 70:
                running.close()
            return samples.read(row)

        with pytest.raises(DataError, match=r"s3://stops/train/\w+/00\d\d.png can't be read: .*; run again when"):
            extract(job(replace(samples, read=read), features))
    assert len(features.missing()) in range(1, 8)
    with s3_server(int(endpoint.rpartition(":")[2])) as endpoint:
        bucket_at(endpoint, "stops").upload(rows)
        extract(job(samples, features))
    local = open_dataset(f"folder:{rows}").train
    beside = begin(tmp_path / "near", local)
    extract(job(local, beside))
    one, other = files_of(features), files_of(beside)
    assert len(one) == 8
    assert one == other


def files_of(features: FeatureSet) -> dict[str, bytes]:
    """Return a set's shards, by their names."""
    return {file.name: file.read_bytes() for file in features.folder.rglob("*/*.h5")}
