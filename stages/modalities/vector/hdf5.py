"""HDF5 files: datasets at the root, in the layout of TRIDENT, of ``frostline export-features``, or alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import DataError
from frostline.stages.modalities.vector.stored import Layout, Spool, Stored, blamed, check_sound, mapped

_PIECE = 1 << 24


def open_hdf5(file: Path) -> Mapping[str, Stored]:
    """Return the datasets at the root of an HDF5 file by name, groups skipped.

    Raises DataError for another file; for links and for data that lie in other files; for types that are no numbers or
    texts.
    """
    import h5py

    with blamed(file), h5py.File(file, "r") as opened:
        for name in opened:
            if not isinstance(opened.get(name, getlink=True), h5py.HardLink):
                raise DataError(f"{file}: {name} is a link, which is not followed; copy the data instead")
        found = {name: opened[name] for name in opened}
        sets = {name: one for name, one in found.items() if isinstance(one, h5py.Dataset) and one.shape is not None}
        return {name: _stored(file, name, one, opened.userblock_size) for name, one in sets.items()}


def _stored(file: Path, name: str, array: Any, before: int) -> Stored:
    import h5py

    if array.is_virtual or array.external:
        raise DataError(
            f"{file}: the numbers of {name} are stored in other files, which are not opened; `frostline "
            "export-features` writes cached features as one file"
        )
    shape, dtype = tuple(array.shape), array.dtype
    if h5py.check_string_dtype(dtype) is not None:
        return Stored(shape, np.dtype(object) if dtype.hasobject else dtype, partial(_read, file, name))
    if dtype.kind not in "biufc":
        raise DataError(f"{file}: {name} is of type {dtype}; expected numbers or texts")
    offset, as_numpy = array.id.get_offset(), array.id.get_type() == h5py.h5t.py_create(dtype)
    if offset is not None and as_numpy and not before:
        return mapped(file, Layout(shape, dtype, offset=offset))
    layout = Layout(shape, dtype)
    check_sound(file, name, layout.nbytes, array.id.get_storage_size())
    return mapped(file, layout, Spool(file, layout.nbytes, partial(_unpack, file, name)).file)


def _read(file: Path, name: str, start: int, stop: int) -> NDArray[Any]:
    import h5py

    with blamed(file), h5py.File(file, "r") as opened:
        rows: NDArray[Any] = opened[name][start:stop]
        return rows


def _unpack(file: Path, name: str, copy: BinaryIO) -> None:
    import h5py

    with blamed(file), h5py.File(file, "r") as opened:
        array = opened[name]
        step = max(1, _PIECE * len(array) // max(1, math.prod(array.shape) * array.dtype.itemsize))
        for start in range(0, len(array), step):
            copy.write(np.ascontiguousarray(array[start : start + step]).tobytes())
