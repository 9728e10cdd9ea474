"""Targets on disk: one small HDF5 file for the samples of a split, named by its digest.

ids       bytes (n,)   sample ids, UTF-8
names     bytes (k,)   what is predicted, such as the classes, UTF-8
labels    int64 (n,)   positions in ``names``; other kinds of targets have ``labels`` or ``values``, as
                       ``frostline.stages.targets`` says of them

groups    int64 (n,)   which group each sample is of, numbered as they first occur; absent where there are none

Attributes: ``kind``, ``column`` and ``digest``.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import StoreError
from frostline.stages.records.safe_read import read_file
from frostline.stages.store.files import make_folder, write_atomic
from frostline.stages.store.shard import encode_ids, h5_type, plain_array
from frostline.stages.targets.values import Targets, in_order


@dataclass(frozen=True, eq=False)
class StoredTargets:
    """Targets as a file has them, joined to samples by their ids."""

    targets: Targets
    ids: tuple[str, ...]

    @property
    def digest(self) -> str:
        return self.targets.digest(self.ids)


def target_file(targets: Targets, ids: Sequence[str]) -> bytes:
    """Return the file image of targets, the same each time."""
    buffer = io.BytesIO()
    arrays = {"ids": encode_ids(ids), "names": encode_ids(targets.names), array_name(targets): targets.values}
    if targets.groups is not None:
        arrays["groups"] = in_order(targets.groups)
    with h5py.File(buffer, "w", libver=("v110", "v110")) as file:
        file.attrs.update({"kind": targets.kind, "column": targets.column, "digest": targets.digest(ids)})
        for name, array in arrays.items():
            file.create_dataset(name, data=array.astype(h5_type(array)), chunks=array.shape, fletcher32=True)
    return buffer.getvalue()


def array_name(targets: Targets) -> str:
    """Return what the array of values is called in a file."""
    return "values" if targets.values.dtype.kind == "f" else "labels"


def read_targets(path: Path) -> StoredTargets:
    """Return the targets in a file. Raises StoreError if it is damaged, or none: nothing but plain arrays is read."""
    try:
        with h5py.File(io.BytesIO(read_file(path)), "r") as file:
            found = _read(file)
            digest = file.attrs["digest"]
        if found.digest != digest:
            raise ValueError("its digest is not the one that it names")
    except (OSError, KeyError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"the targets in {path} are damaged ({error})") from error
    return found


def _read(file: h5py.File) -> StoredTargets:
    values = plain_array(file, "labels" if "labels" in file else "values")
    ids, names = (plain_array(file, name) for name in ("ids", "names"))
    if len(values) != len(ids) or (ids.dtype.kind, names.dtype.kind) != ("S", "S"):
        raise ValueError("ids, names and values that disagree")
    kind, column = (str(file.attrs[name]) for name in ("kind", "column"))
    groups = plain_array(file, "groups") if "groups" in file else None
    return StoredTargets(Targets(_texts(names), values, kind, column, groups), _texts(ids))


def _texts(encoded: NDArray[np.bytes_]) -> tuple[str, ...]:
    return tuple(text.decode(errors="surrogateescape") for text in encoded.tolist())


def keep_targets(folder: Path, name: str, targets: Targets, ids: Sequence[str]) -> Path:
    """Write targets into a folder, as ``<name>-<digest12>.h5``, unless they are there; return the file."""
    path = folder / f"{name}-{targets.digest(ids)[:12]}.h5"
    if not path.exists():
        make_folder(folder)
        write_atomic(path, target_file(targets, ids))
    return path
