"""Cached features as one self-contained file for other programs: HDF5, NumPy or Parquet."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from frostline.stages.errors import ConfigError
from frostline.stages.store import Features

_ROWS = 8192  # written at once


def write_features(features: Features, about: Mapping[str, Any], file: Path) -> None:
    """Write features with ids and labels into one file; its ending chooses what kind.

    ``.h5`` and ``.npz``: ``features``, float (n, d) as stored; ``ids`` and ``labels``, n texts each;
    ``label_positions``, int64 (n,), positions in ``classes``; ``about``, JSON (in HDF5 an attribute). ``.parquet``:
    the columns ``id``, ``label``, ``label_position`` and ``features``, a list of d numbers each; ``classes`` and
    ``about`` lie in the schema's metadata under ``frostline``. What is no UTF-8 in a name is written out (``\\xff``).
    A file that is there stays until the new one is whole. Raises ConfigError: another ending, no such folder, a full
    disk, pyarrow is not installed.
    """
    kind = file.suffix.lower()
    if kind not in _WRITERS:
        raise ConfigError(f"can't export to {file.name!r}; wanted a name that ends in {', '.join(_WRITERS)}")
    if not file.absolute().parent.is_dir():
        raise ConfigError(f"can't write {file}: there is no folder {file.absolute().parent}")
    if kind == ".parquet" and find_spec("pyarrow") is None:
        raise ConfigError("a Parquet file needs pyarrow; `pip install 'frostline[parquet]'`")
    try:
        with TemporaryDirectory(prefix=".", dir=file.absolute().parent) as place:
            part = Path(place, f"features{kind}")
            _WRITERS[kind](features, _texts(features), dict(about), part)
            part.replace(file)
    except OSError as error:
        raise ConfigError(f"can't write {file}: {error.strerror or error}") from error


def _texts(features: Features) -> dict[str, list[str]]:
    classes = list(map(_text, features.classes))
    labels = [classes[position] for position in features.y.tolist()]
    return {"ids": list(map(_text, features.ids)), "labels": labels, "classes": classes}


def _text(name: str) -> str:
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace").replace("\0", "\\x00")


def _to_hdf5(features: Features, texts: dict[str, list[str]], about: dict[str, Any], file: Path) -> None:
    import h5py

    with h5py.File(file, "w") as target:
        rows = target.create_dataset("features", features.X.shape, features.X.dtype)
        for start in range(0, len(features), _ROWS):
            rows[start : start + _ROWS] = features.X[start : start + _ROWS]
        for name, values in texts.items():
            target.create_dataset(name, data=values, dtype=h5py.string_dtype())
        target["label_positions"] = features.y
        target.attrs["about"] = json.dumps(about)


def _to_numpy(features: Features, texts: dict[str, list[str]], about: dict[str, Any], file: Path) -> None:
    arrays: dict[str, Any] = {name: np.array(values, np.str_) for name, values in texts.items()}
    X = features.X[: len(features)]
    np.savez(file, features=X, label_positions=features.y, about=np.array(json.dumps(about)), **arrays)


def _to_parquet(features: Features, texts: dict[str, list[str]], about: dict[str, Any], file: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    width = features.X.shape[1]
    numbers = pyarrow.from_numpy_dtype(features.X.dtype)
    fields = {"id": pyarrow.string(), "label": pyarrow.string(), "label_position": pyarrow.int64()}
    told = {"frostline": json.dumps({**about, "classes": texts["classes"]})}
    schema = pyarrow.schema({**fields, "features": pyarrow.list_(numbers, width)}, metadata=told)
    with parquet.ParquetWriter(file, schema) as writer:
        for start in range(0, len(features), _ROWS):
            rows = slice(start, start + _ROWS)
            values = pyarrow.array(np.ascontiguousarray(features.X[rows]).reshape(-1), numbers)
            lists = pyarrow.FixedSizeListArray.from_arrays(values, width)
            columns = [texts["ids"][rows], texts["labels"][rows], features.y[rows], lists]
            writer.write_table(pyarrow.table(dict(zip(schema.names, columns, strict=True)), schema=schema))


_WRITERS: dict[str, Callable[[Features, dict[str, list[str]], dict[str, Any], Path], None]] = {
    ".h5": _to_hdf5,
    ".npz": _to_numpy,
    ".parquet": _to_parquet,
}
