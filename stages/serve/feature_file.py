"""Cached features as one self-contained file for other programs: HDF5, NumPy or Parquet."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import ConfigError
from frostline.stages.store import Features
from frostline.stages.targets.base import DEFAULT

_ROWS = 8192  # written at once


@dataclass(frozen=True, eq=False)
class _Content:
    """Features and what stands next to them: texts for each row, numbers for each row, and names.

    ``columns``: what a table of one column for each has of the targets.
    """

    X: NDArray[Any]
    texts: Mapping[str, Sequence[str]]
    numbers: Mapping[str, NDArray[Any]]
    names: Mapping[str, Sequence[str]]
    columns: Mapping[str, Any]


def write_features(features: Features, about: Mapping[str, Any], file: Path) -> None:
    """Write features with ids and targets into one file; its ending chooses what kind.

    ``.h5`` and ``.npz``: ``features``, float (n, d) as stored; ``ids``, n texts; ``about``, JSON (in HDF5 an
    attribute). Of single labels ``labels``, n texts, and ``label_positions``, int64 (n,), positions in ``classes``;
    of several labels ``label_values``, int8 (n, labels) of 1, 0 and -1 for not known, by ``classes``; of numbers
    ``values``, float64 (n, outputs), NaN for not known, by ``outputs``. Without labels there is none of these.
    ``.parquet``: the columns ``id``, ``label`` and ``label_position``, or one for each label or output, and
    ``features``, a list of d numbers each; names and ``about`` lie in the schema's metadata under ``frostline``.
    What is no UTF-8 in a name is written out (``\\xff``). A file that is there stays until the new one is whole.
    Raises ConfigError: another ending, no such folder, a full disk, pyarrow is not installed.
    """
    kind = file.suffix.lower()
    if kind not in _WRITERS:
        raise ConfigError(f"can't export to {file.name!r}; expected a name that ends in {', '.join(_WRITERS)}")
    if not file.absolute().parent.is_dir():
        raise ConfigError(f"can't write {file}: there is no folder {file.absolute().parent}")
    if kind == ".parquet" and find_spec("pyarrow") is None:
        raise ConfigError("a Parquet file needs pyarrow; `pip install 'frostline[parquet]'`")
    try:
        with TemporaryDirectory(prefix=".", dir=file.absolute().parent) as place:
            part = Path(place, f"features{kind}")
            _WRITERS[kind](_content(features), dict(about), part)
            part.replace(file)
    except OSError as error:
        raise ConfigError(f"can't write {file}: {error.strerror or error}") from error


def _content(features: Features) -> _Content:
    ids, names, y = list(map(_text, features.ids)), list(map(_text, features.classes)), features.y
    if features.targets.kind == DEFAULT:
        labels, positions = [names[position] for position in y.tolist()], {"label_positions": y}
        columns: dict[str, Any] = {"label": labels, "label_position": y}
        return _Content(features.X, {"ids": ids, "labels": labels}, positions, {"classes": names}, columns)
    if not names:
        return _Content(features.X, {"ids": ids}, {}, {}, {})
    known = y >= 0 if y.dtype.kind == "i" else ~np.isnan(y)
    columns = {name: _or_none(*both) for name, *both in zip(names, y.T.tolist(), known.T.tolist(), strict=True)}
    as_numbers = y.dtype.kind == "f"
    values, called = ("values", "outputs") if as_numbers else ("label_values", "classes")
    return _Content(features.X, {"ids": ids}, {values: y}, {called: names}, columns)


def _or_none(values: Sequence[Any], known: Sequence[bool]) -> list[Any]:
    return [value if is_known else None for value, is_known in zip(values, known, strict=True)]


def _text(name: str) -> str:
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace").replace("\0", "\\x00")


def _to_hdf5(content: _Content, about: dict[str, Any], file: Path) -> None:
    import h5py

    X = content.X
    with h5py.File(file, "w") as target:
        rows = target.create_dataset("features", X.shape, X.dtype)
        for start in range(0, len(X), _ROWS):
            rows[start : start + _ROWS] = X[start : start + _ROWS]
        for name, values in {**content.texts, **content.names}.items():
            target.create_dataset(name, data=values, dtype=h5py.string_dtype())
        for name, numbers in content.numbers.items():
            target[name] = numbers
        target.attrs["about"] = json.dumps(about)


def _to_numpy(content: _Content, about: dict[str, Any], file: Path) -> None:
    texts = {name: np.array(values, np.str_) for name, values in {**content.texts, **content.names}.items()}
    arrays: dict[str, Any] = {**texts, **content.numbers, "about": np.array(json.dumps(about))}
    np.savez(file, features=content.X[: len(content.X)], **arrays)


def _to_parquet(content: _Content, about: dict[str, Any], file: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    width, numbers = content.X.shape[1], pyarrow.from_numpy_dtype(content.X.dtype)
    columns = {"id": content.texts["ids"], **content.columns}
    types = {"id": pyarrow.string(), "label": pyarrow.string(), "label_position": pyarrow.int64()}
    usual = pyarrow.float64() if "values" in content.numbers else pyarrow.int8()
    fields = {name: types.get(name, usual) if "labels" in content.texts or name == "id" else usual for name in columns}
    described = {"frostline": json.dumps({**about, **content.names})}
    schema = pyarrow.schema({**fields, "features": pyarrow.list_(numbers, width)}, metadata=described)
    with parquet.ParquetWriter(file, schema) as writer:
        for start in range(0, len(content.X), _ROWS):
            rows = slice(start, start + _ROWS)
            values = pyarrow.array(np.ascontiguousarray(content.X[rows]).reshape(-1), numbers)
            lists = pyarrow.FixedSizeListArray.from_arrays(values, width)
            own = [pyarrow.array(column[rows], fields[name]) for name, column in columns.items()]
            writer.write_table(pyarrow.table(dict(zip(schema.names, [*own, lists], strict=True)), schema=schema))


_WRITERS: dict[str, Callable[[_Content, dict[str, Any], Path], None]] = {
    ".h5": _to_hdf5,
    ".npz": _to_numpy,
    ".parquet": _to_parquet,
}
