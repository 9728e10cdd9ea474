"""Files of vectors: one content whatever the format, and clear errors for what they can't be."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from frostline.stages.errors import DataError
from frostline.stages.modalities.vector.names import numbered
from frostline.stages.modalities.vector.stored import Stored
from frostline.stages.modalities.vector.vector_file import open_vectors

X = np.random.default_rng(0).standard_normal((700, 6), np.float32)


def hdf5(file: Path, array: Any, **how: Any) -> None:
    with h5py.File(file, "w") as opened:
        opened.create_dataset("features", data=array, **how)


def lists(file: Path, kind: Any = None) -> None:
    column = pyarrow.array(X.tolist(), kind or pyarrow.list_(pyarrow.float32()))
    parquet.write_table(
        pyarrow.table({"id": list(map(str, range(len(X)))), "features": column}), file, row_group_size=99
    )


WAYS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "npz": ("a.npz", lambda file: np.savez(file, X=X)),
    "compressed npz": ("a.npz", lambda file: np.savez_compressed(file, X=X, other=np.arange(3))),
    "compressed, Fortran order": ("a.npz", lambda file: np.savez_compressed(file, embeddings=np.asfortranarray(X))),
    "npy": ("a.npy", lambda file: np.save(file, X)),
    "npy in Fortran order": ("a.npy", lambda file: np.save(file, np.asfortranarray(X))),
    "big-endian": ("a.npy", lambda file: np.save(file, X.astype(">f4"))),
    "float64": ("a.npy", lambda file: np.save(file, X.astype(np.float64))),
    "by splits": ("a.npz", lambda file: np.savez(file, X_train=X[:500], X_test=X[500:])),
    "HDF5": ("a.h5", lambda file: hdf5(file, X)),
    "HDF5 in compressed chunks": ("a.h5", lambda file: hdf5(file, X, chunks=(64, 6), compression="gzip")),
    "Parquet": ("a.parquet", lists),
    "Parquet of fixed lists": ("a.parquet", lambda file: lists(file, pyarrow.list_(pyarrow.float32(), 6))),
    "Parquet of doubles": ("a.parquet", lambda file: lists(file, pyarrow.large_list(pyarrow.float64()))),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_content_is_the_same_in_every_format(tmp_path: Path, way: str) -> None:
    name, write = WAYS[way]
    write(tmp_path / name)
    np.save(tmp_path / "plain.npy", X)
    rows = open_vectors(tmp_path / name).rows()
    assert np.array_equal(np.stack([rows.row(row) for row in range(len(rows))]), X)
    digests, faults = rows.contents(None)
    assert np.array_equal(digests, open_vectors(tmp_path / "plain.npy").rows().contents(None)[0]) and not faults


def test_a_row_that_differs_in_one_bit_or_in_width_has_another_digest(tmp_path: Path) -> None:
    for name, array in (("a", X), ("b", np.nextafter(X, np.float32(9))), ("c", X.reshape(-1, 3))):
        np.save(tmp_path / f"{name}.npy", array)
    a, b, c = (open_vectors(tmp_path / f"{name}.npy").rows().contents(None)[0] for name in "abc")
    assert len({*map(bytes, a), *map(bytes, b), *map(bytes, c)}) == 4 * len(X)


def test_rows_with_nan_or_infinite_numbers_are_known_with_the_reason(tmp_path: Path) -> None:
    odd = X.astype(np.float64)
    odd[3, 1], odd[5, 5], odd[600, 0] = np.nan, np.inf, 1e300
    np.save(tmp_path / "a.npy", odd)
    rows = open_vectors(tmp_path / "a.npy").rows()
    assert rows.contents(None)[1] == {
        3: "number 2 of 6 is NaN",
        5: "number 6 of 6 is infinite in float32",
        600: "number 1 of 6 is infinite in float32",
    }
    with pytest.raises(DataError, match="number 2 of 6 is NaN"):
        rows.row(3)


def bomb(file: Path, declared: int, held: bytes) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (declared, 1000)})
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("X.npy", "w", force_zip64=True) as out,
    ):
        out.write(header.getvalue())
        out.write(held)


def with_link(file: Path, link: Any) -> None:
    hdf5(file, X)
    with h5py.File(file, "a") as opened:
        opened["other"] = link


def virtual(file: Path) -> None:
    hdf5(file.with_name("b.h5"), X)
    with h5py.File(file, "w") as opened:
        layout = h5py.VirtualLayout(X.shape, X.dtype)
        layout[:] = h5py.VirtualSource("b.h5", "features", X.shape)
        opened.create_virtual_dataset("features", layout)


def ragged(file: Path) -> None:
    parquet.write_table(pyarrow.table({"features": [[1.0, 2.0], [3.0]]}), file)


HOSTILE: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "a bomb that holds less": (
        "a.npz",
        lambda f: bomb(f, 25_000_000, b"\0" * 4000),
        r"holds 4,000 bytes; expected 100,000",
    ),
    "a bomb": (
        "a.npz",
        lambda f: bomb(f, 25_000, b"\0" * 100_000_000),
        r"declares 100,000,000 bytes, but is stored in 97,\d{3};",
    ),
    "an HDF5 bomb": (
        "a.h5",
        lambda f: h5py.File(f, "w").create_dataset("X", (10**9, 100), "f4", chunks=(1, 100)),
        "is stored in 0",
    ),
    "objects": ("a.npz", lambda f: np.savez(f, X=np.array([{}], object)), "holds Python objects, which can run code"),
    "an object npy": ("a.npy", lambda f: np.save(f, np.array([[1], None], object)), "holds Python objects"),
    "one axis": ("a.npy", lambda f: np.save(f, X[0]), r"has the shape \(6,\); expected \(rows, numbers in each\)"),
    "no rows": ("a.npy", lambda f: np.save(f, X[:0]), "holds no vector"),
    "no numbers": ("a.npy", lambda f: np.save(f, X[:, :0]), r"has the shape \(700, 0\)"),
    "complex numbers": ("a.npy", lambda f: np.save(f, X.astype(complex)), "holds complex numbers; expected real"),
    "texts": ("a.npy", lambda f: np.save(f, X.astype(str)), "holds texts"),
    "a cut file": (
        "a.npy",
        lambda f: (np.save(f, X), f.write_bytes(f.read_bytes()[:-8])),
        "is cut short: 16,792 bytes",
    ),
    "a cut archive": ("a.npz", lambda f: (np.savez(f, X=X), f.write_bytes(f.read_bytes()[:-90])), "can't read"),
    "something else": ("a.npy", lambda f: f.write_bytes(b"\x80\x04N."), "can't read .*a.npy"),
    "nothing that is vectors": (
        "a.npz",
        lambda f: np.savez(f, one=X, two=X),
        r"no array of vectors .*one: float32 \(700, 6\)",
    ),
    "widths": ("a.npz", lambda f: np.savez(f, X_train=X, X_test=X[:, :5]), "vectors of several widths"),
    "a soft link": (
        "a.h5",
        lambda f: with_link(f, h5py.SoftLink("/features")),
        "other is a link, which is not followed",
    ),
    "an external link": ("a.h5", lambda f: with_link(f, h5py.ExternalLink("/etc/x", "/a")), "other is a link"),
    "virtual": ("a.h5", virtual, "are stored in other files, which are not opened"),
    "lists that differ": ("a.parquet", ragged, "row 2 of features holds 1 numbers, earlier rows 2"),
    "no list": (
        "a.parquet",
        lambda f: parquet.write_table(pyarrow.table({"a": [1.0]}), f),
        r"found\n  a: texts \(1,\)",
    ),
    "another ending": (
        "a.txt",
        lambda f: f.write_text("1 2"),
        r"expected the extension .npz, .npy, .parquet, .h5, .hdf5",
    ),
    "no file": ("a.npz", lambda _: None, r"can't read .*a.npz \(no such file\)"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_file_of_vectors_is_refused_with_what_was_found(tmp_path: Path, case: str) -> None:
    name, write, said = HOSTILE[case]
    write(tmp_path / name)
    with pytest.raises(DataError, match=f"(?s){said}"):
        open_vectors(tmp_path / name).rows().contents(None)


def test_external_storage_is_refused(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(X.tobytes())
    with h5py.File(tmp_path / "a.h5", "w") as opened:
        opened.create_dataset("features", X.shape, X.dtype, external=[(str(tmp_path / "raw"), 0, X.nbytes)])
    with pytest.raises(DataError, match="are stored in other files"):
        open_vectors(tmp_path / "a.h5")


def test_a_header_that_lies_is_found_without_taking_memory(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", X)
    data = (tmp_path / "a.npy").read_bytes().replace(b"(700, 6), }      ", b"(99999999999, 6),}")[: 128 + X.nbytes]
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(DataError, match=r"cut short|can't read"):
        open_vectors(tmp_path / "a.npy")


def test_labels_that_are_too_large_to_be_labels_are_refused(tmp_path: Path) -> None:
    opened = open_vectors(_saved(tmp_path, y=np.arange(700)))
    huge = {**opened.arrays, "y": Stored((700,), np.dtype("U1000000"), opened.arrays["y"].read)}
    object.__setattr__(opened, "arrays", huge)
    with pytest.raises(DataError, match="y takes 2,800,000,000 bytes"):
        opened.column("y")


def test_what_stands_beside_the_vectors_becomes_texts(tmp_path: Path) -> None:
    more = {"ids": np.array([f"n{row}" for row in range(700)]), "y": np.arange(700.0), "flag": np.arange(700) % 2 == 0}
    opened = open_vectors(_saved(tmp_path, **more, weight=np.where(np.arange(700) == 1, np.nan, 0.5), alone=np.eye(3)))
    assert set(opened.names) == {"ids", "y", "flag", "weight"} and opened.ids()[:2] == ["n0", "n1"]
    assert [opened.column(name)[:2] for name in ("y", "flag", "weight")] == [["0", "1"], ["1", "0"], ["0.5", ""]]


def test_the_exported_names_of_a_parquet_file_are_found(tmp_path: Path) -> None:
    from frostline.stages.modalities.vector.parquet import names_in

    said = {b"frostline": json.dumps({"outputs": ["a"]}).encode()}
    parquet.write_table(
        pyarrow.table({"a": [1.0], "features": [[1.0]]}).replace_schema_metadata(said), tmp_path / "a.parquet"
    )
    assert names_in(tmp_path / "a.parquet") == ("a",)


def _saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "a.npz", X=X, **arrays)
    return folder / "a.npz"


def test_rows_without_names_are_numbered_alike_however_many() -> None:
    assert list(numbered(3)) == ["000001", "000002", "000003"]
    many = numbered(1_000_001)
    assert [many[at] for at in (0, 99, 65_535, 65_536, 1_000_000)] == [
        "0000001",
        "0000100",
        "0065536",
        "0065537",
        "1000001",
    ]
    assert many.nbytes <= 16 * len(many)


def test_an_array_of_names_that_is_not_there_is_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", features=np.ones((2, 3), np.float32))
    with pytest.raises(DataError, match=r"x\.npz has no array called with a name for each vector"):
        open_vectors(tmp_path / "x.npz").ids("called")
