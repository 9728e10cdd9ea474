"""All shards of a set as one HDF5 file that holds no data: a virtual dataset over them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from frostline.stages.store.shard import Shard, h5_type


def virtual_file(attributes: Mapping[str, Any], first: Shard, sources: Sequence[tuple[str, range]]) -> bytes:
    """Return a file image whose arrays are those of the sources, one after the other.

    ``first``: any of the shards, for the types. ``sources``: each file's name, relative to
    the image's own place, and its rows. The same bytes each time: no time is stored.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=("v110", "v110")) as file:
        for name, value in attributes.items():
            file.attrs[name] = value if isinstance(value, str | int) else json.dumps(value)
        for name, array in first.arrays().items():
            _create(file, name, array, sources)
    return buffer.getvalue()


def _create(file: h5py.File, name: str, like: NDArray[Any], sources: Sequence[tuple[str, range]]) -> None:
    # h5py's own create_virtual_dataset can't be told to leave the times out.
    tail = like.shape[1:]
    whole = h5py.h5s.create_simple((sources[-1][1].stop, *tail))
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_obj_track_times(False)
    if name == "features":
        plan.set_fill_value(np.array(np.nan, like.dtype))
    for path, rows in sources:
        shape = (len(rows), *tail)
        whole.select_hyperslab((rows.start, *(0 for _ in tail)), shape)
        plan.set_virtual(whole, path.encode(), name.encode(), h5py.h5s.create_simple(shape))
    whole.select_all()
    h5py.h5d.create(file.id, name.encode(), h5py.h5t.py_create(h5_type(like), logical=True), whole, plan)
