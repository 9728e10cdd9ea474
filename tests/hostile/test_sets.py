"""Feature sets from strangers: plain arrays and honest numbers are read, nothing else is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np
import pytest

from faults.counts import Points
from faults.strangers import bounded
from faults.work import work
from frostline.stages.errors import StoreError
from frostline.stages.records.sealed import sealed, unsealed
from frostline.stages.store import load, open_set


def forge(root: Path, make: Callable[[h5py.File, str], None]) -> Path:
    """Return a set whose shard 1 holds features made by a stranger, with a record that vouches for it."""
    features = work(root)
    path = features.folder / "shards" / "00001.h5"
    with h5py.File(path, "a") as file:
        del file["features"]
        make(file, str(root / "secret"))
    vouch(path)
    return features.folder


def vouch(path: Path) -> None:
    data, record = path.read_bytes(), path.with_suffix(".json")
    fields = {**unsealed(record.read_bytes()), "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    record.write_bytes(sealed(fields))


SHAPE = (3, 48)


def external_storage(file: h5py.File, secret: str) -> None:
    file.create_dataset("features", SHAPE, "f4", external=[(secret, 0, h5py.h5f.UNLIMITED)])


def external_link(file: h5py.File, secret: str) -> None:
    file["features"] = h5py.ExternalLink(secret, "/x")


def soft_link(file: h5py.File, secret: str) -> None:
    file["features"] = h5py.SoftLink("/ids")


def link_to_itself(file: h5py.File, secret: str) -> None:
    file["features"] = h5py.SoftLink("/features")


def virtual(file: h5py.File, secret: str) -> None:
    layout = h5py.VirtualLayout(SHAPE, "f4")
    layout[:] = h5py.VirtualSource(secret, "x", SHAPE, "f4")
    file.create_virtual_dataset("features", layout)


def texts_of_any_length(file: h5py.File, secret: str) -> None:
    file.create_dataset("features", SHAPE, h5py.string_dtype())


def arrays_of_any_length(file: h5py.File, secret: str) -> None:
    file.create_dataset("features", SHAPE, h5py.vlen_dtype(np.float32))


def references(file: h5py.File, secret: str) -> None:
    file.create_dataset("features", SHAPE, h5py.ref_dtype)


def a_compound(file: h5py.File, secret: str) -> None:
    file.create_dataset("features", SHAPE, [("a", "f4"), ("b", "S100")])


def a_group(file: h5py.File, secret: str) -> None:
    file.create_group("features")


def giant(file: h5py.File, secret: str) -> None:
    file.create_dataset("features", (2**40, 48), "f4", chunks=(1024, 48))


def giant_and_contiguous(file: h5py.File, secret: str) -> None:
    file.create_dataset("features", (2**40, 48), "f4")


def a_bomb(file: h5py.File, secret: str) -> None:
    file.create_dataset("features", (1 << 17, 48), "f4", data=None, chunks=(1 << 14, 48), compression="gzip")
    file["features"][...] = 0


def compressed_rows(file: h5py.File, secret: str) -> None:
    file.create_dataset("features", SHAPE, "f4", np.zeros(SHAPE), chunks=SHAPE, compression="gzip")


def a_plug_in(file: h5py.File, secret: str) -> None:
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk(SHAPE)
    plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))  # Zstandard, as registered with the HDF Group
    space = h5py.h5s.create_simple(SHAPE)
    h5py.h5d.create(file.id, b"features", h5py.h5t.IEEE_F32LE, space, plan)


def nothing(file: h5py.File, secret: str) -> None:
    """Leave the features out."""


HDF5 = [
    *(external_storage, external_link, soft_link, link_to_itself, virtual, texts_of_any_length, arrays_of_any_length),
    *(references, a_compound, a_group, giant, giant_and_contiguous, a_bomb, compressed_rows, a_plug_in, nothing),
]


@pytest.mark.parametrize("make", HDF5, ids=lambda make: make.__name__)
def test_a_shard_from_a_stranger_that_is_more_than_arrays_is_refused(
    tmp_path: Path, make: Callable[[h5py.File, str], None], points: Points
) -> None:
    (tmp_path / "secret").write_bytes(b"secret" * 1000)
    folder = forge(tmp_path, make)
    bounded(lambda: load(open_set(folder)), StoreError)
    assert "00001" in str(open_set(folder).damaged()[0])
    points.add("hostile files")


DESCRIPTIONS: dict[str, dict[str, object]] = {
    "more rows than the disk holds": {"rows": 10**9, "shard_rows": 10**9},
    "more shards than anyone has": {"rows": 10**12, "shard_rows": 1},
    "features wider than memory": {"width": 10**11},
    "a width that overflows": {"width": 2**63},
    "rows that are no number": {"rows": "8"},
    "half a row": {"rows": 8.5},
    "no rows": {"rows": 0},
    "a truth for a number": {"width": True},
    "a key that is no mapping": {"key": [1]},
    "a name that is a mapping": {"dataset": {"a": 1}},
    "classes that are numbers": {"classes": [1, 2]},
    "a field too many": {"run": "rm -rf /"},
}


@pytest.mark.parametrize("lie", DESCRIPTIONS)
def test_a_description_that_lies_is_refused(tmp_path: Path, lie: str, points: Points) -> None:
    features = work(tmp_path)
    path = features.folder / "key.json"
    path.write_bytes(sealed({**asdict(features.layout), **DESCRIPTIONS[lie]}))
    bounded(lambda: load(open_set(features.folder)), StoreError)
    points.add("hostile files")


RECORDS: dict[str, dict[str, object]] = {
    "quarantined rows without end": {"quarantined": 10**9},
    "a quarantined row that is none": {"quarantined": ["row"]},
    "a size that is none": {"size": "large"},
    "a digest that is none": {"sha256": None},
    "a field too many": {"path": "/etc/passwd"},
}


@pytest.mark.parametrize("lie", RECORDS)
def test_a_record_that_lies_is_refused(tmp_path: Path, lie: str, points: Points) -> None:
    features = work(tmp_path)
    path = features.folder / "shards" / "00001.json"
    path.write_bytes(sealed({**unsealed(path.read_bytes()), **RECORDS[lie]}))
    bounded(lambda: load(open_set(features.folder)), StoreError)
    assert [damage.shard for damage in features.damaged()] == [1]
    points.add("hostile files")


def test_deep_nesting_is_refused_wherever_json_is_read(tmp_path: Path, points: Points) -> None:
    features = work(tmp_path)
    deep = b"[" * 200_000
    for name in ("key.json", "made.json", "speed.json", "shards/00000.json"):
        (features.folder / name).write_bytes(deep)
    assert features.missing() == [0] and features.speed is None and open_error(features.folder)
    points.add("hostile files", 4)


def open_error(folder: Path) -> bool:
    with pytest.raises(StoreError):
        open_set(folder)
    return True
