"""A shard: a contiguous range of rows as the bytes of one HDF5 file."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from frostline.stages.records.packed_names import PackedNames, encoded_names

OK, QUARANTINED = 0, 1
ARRAYS = ("features", "ids", "digests", "status")
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, eq=False)
class Shard:
    """n rows. ``features`` (n, d) float32 or float16; ``ids`` bytes (n,); ``digests`` uint8 (n, 32);
    ``status`` uint8 (n,), 0 for a good row. The features of a quarantined row are NaN."""

    features: NDArray[Any]
    ids: NDArray[np.bytes_]
    digests: NDArray[np.uint8]
    status: NDArray[np.uint8]

    def check(self, quarantined: int) -> None:
        """Raise ValueError if the rows can't be what a record of so many quarantined rows says."""
        if _kinds(self) != "Suu" or not set(np.unique(self.status).tolist()) <= {OK, QUARANTINED}:
            raise ValueError("its ids, digests or status are of another type")
        if int((self.status == QUARANTINED).sum()) != quarantined:
            raise ValueError("other rows are quarantined than its record says")

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in ARRAYS}


def _kinds(shard: Shard) -> str:
    return "".join(array.dtype.kind for array in (shard.ids, shard.digests, shard.status))


def encode_ids(ids: Sequence[str], width: int | None = None) -> NDArray[np.bytes_]:
    """Return sample ids as UTF-8 of a fixed width: that of the longest, or the given one."""
    return np.array(list(encoded_names(ids)), dtype=f"S{width or id_width(ids)}")


def id_width(ids: Sequence[str]) -> int:
    """Return how many bytes the longest id takes, 1 at least."""
    if isinstance(ids, PackedNames):
        return int(ids.lengths.max(initial=1))
    return max(map(len, encoded_names(ids)), default=1) or 1


def h5_type(array: NDArray[Any]) -> Any:
    """Return the HDF5 type an array is stored as: UTF-8 text for bytes, else its own."""
    return h5py.string_dtype("utf-8", array.dtype.itemsize) if array.dtype.kind == "S" else array.dtype


def to_bytes(shard: Shard, attributes: Mapping[str, str | int]) -> bytes:
    """Return the shard as an HDF5 file image: checksummed, chunks of many rows, the same each time."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("v110", "v110")) as file:
        file.attrs.update(attributes)
        for name, array in shard.arrays().items():
            row_bytes = array.itemsize * int(np.prod(array.shape[1:]))
            rows = max(1, min(len(array), CHUNK_BYTES // row_bytes))
            chunks = (rows, *array.shape[1:])
            file.create_dataset(name, data=array.astype(h5_type(array)), chunks=chunks, fletcher32=True)
    return buffer.getvalue()


def from_bytes(data: bytes, rows: int, width: int, dtype: str) -> Shard:
    """Return the shard that a file image holds; the labels in one of format 1 are left alone.

    Raises ValueError if anything but plain arrays of the expected shapes and types is
    found: HDF5 can point at other files, and those are never opened.
    """
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            arrays = {name: plain_array(file, name) for name in ARRAYS}
    except (OSError, KeyError, RuntimeError, TypeError) as error:
        raise ValueError(f"not a shard ({error})") from error
    shard = Shard(**arrays)
    shapes = {name: array.shape for name, array in arrays.items()}
    wanted = {"features": (rows, width), "ids": (rows,), "digests": (rows, 32), "status": (rows,)}
    if shapes != wanted or shard.features.dtype != dtype:
        raise ValueError(f"it holds {shapes} of {shard.features.dtype}, its record says {wanted} of {dtype}")
    return shard


def plain_array(file: h5py.File, name: str) -> NDArray[Any]:
    """Return an array that an HDF5 file holds itself. Raises ValueError for links, other files and filters."""
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"{name!r} is a link")
    item = file[name]
    if not isinstance(item, h5py.Dataset) or item.is_virtual or item.external or item.dtype.kind not in "fiuS":
        raise ValueError(f"{name!r} is no plain array")
    if _filters(item) - {h5py.h5z.FILTER_FLETCHER32}:  # another could be a plug-in's code
        raise ValueError(f"{name!r} is stored through a filter")
    if item.size * item.dtype.itemsize > item.file.id.get_filesize():
        raise ValueError(f"{name!r} declares more than the file holds")
    return np.asarray(item[()])


def _filters(item: h5py.Dataset) -> set[int]:
    plan = item.id.get_create_plist()
    return {plan.get_filter(i)[0] for i in range(plan.get_nfilters())}
