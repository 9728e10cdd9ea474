"""All shards of a set as one HDF5 file that holds no data: a virtual dataset over them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from frostline.stages.store.shard import h5_type

_UNKNOWN = {"f": np.nan, "i": -1}


Sources = Sequence[tuple[str, range]]


@dataclass(frozen=True, eq=False)
class VirtualArray:
    """An array whose rows are those of others, one after the other.

    Attributes:
        name: its own and that of the arrays in the sources.
        like: an array of its type and row shape.
        sources: each file's name, relative to the image's own place, and its rows.
    """

    name: str
    like: NDArray[Any]
    sources: Sources


def spread_over(sources: Sources, arrays: Mapping[str, NDArray[Any]]) -> list[VirtualArray]:
    """Return arrays that all lie in the same files; ``arrays``: those of one of the files, by name."""
    return [VirtualArray(name, array, sources) for name, array in arrays.items()]


def virtual_file(attributes: Mapping[str, Any], arrays: Sequence[VirtualArray]) -> bytes:
    """Return a file image of virtual arrays. The same bytes each time: no time is stored.

    What a missing source would hold reads as NaN, or as -1: no label is mistaken for another.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("v110", "v110")) as file:
        for name, value in attributes.items():
            file.attrs[name] = value if isinstance(value, str | int) else json.dumps(value)
        for array in arrays:
            _create(file, array)
    return buffer.getvalue()


def _create(file: h5py.File, array: VirtualArray) -> None:
    # h5py's own create_virtual_dataset can't be told to leave the times out.
    name, like, sources = array.name, array.like, array.sources
    tail = like.shape[1:]
    whole = h5py.h5s.create_simple((sources[-1][1].stop, *tail))
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_obj_track_times(False)
    if like.dtype.kind in _UNKNOWN:
        plan.set_fill_value(np.array(_UNKNOWN[like.dtype.kind], like.dtype))
    for path, rows in sources:
        shape = (len(rows), *tail)
        whole.select_hyperslab((rows.start, *(0 for _ in tail)), shape)
        plan.set_virtual(whole, path.encode(), name.encode(), h5py.h5s.create_simple(shape))
    whole.select_all()
    h5py.h5d.create(file.id, name.encode(), h5py.h5t.py_create(h5_type(like), logical=True), whole, plan)
