"""One pass over the samples in files of rows: their digests, what they are called, and what is wrong with them."""

from __future__ import annotations

from array import array
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.arrow.chunks import Stored
from frostline.stages.datasets.arrow.media import Media
from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.datasets.containers.members import Part, Place
from frostline.stages.datasets.index import Progress, check_size, examine
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.records.packed_names import PackedNames

_TOLD = 100


class MediaFiles:
    """The samples of one column of several files, as ``containers`` knows samples: each file holds some.

    A place is a row of its file; of one whose bytes lie elsewhere, -1 - row.
    """

    def __init__(self, media: Media, modality: str, stored: Stored, progress: Progress | None = None) -> None:
        """``stored``: the files that ``media`` is a column of. ``progress`` is told (done, total) of their rows."""
        self._media, self._modality, self._progress = media, modality, progress
        self._total = stored.chunks.rows
        firsts = stored.chunks.first_rows(len(stored.blobs)).tolist()
        self._rows = {blob.name: range(*ends) for blob, ends in zip(stored.blobs, pairwise(firsts), strict=True)}

    def content(self, blob: Blob, place: Place) -> bytes:
        """Return a sample's bytes. Raises UnreadableSample, DataError."""
        at = int(place[0])
        return self._media.content(self._rows[blob.name][at if at >= 0 else -1 - at])

    def scan(self, blob: Blob) -> Part:
        """Return what is known of a file's samples, each read once."""
        kind, rows = MODALITIES.load(self._modality), self._rows[blob.name]
        part = _Columns(len(rows))
        for row, stored in enumerate(rows):
            data, path = self._media.read(stored)
            own = partial(self._media.content, stored) if data is None else partial(_given, data, kind.max_bytes)
            seen = examine(own, kind)
            part.add(path or "", data is None and path is not None, seen.digest)
            seen.tell(row, part.problems, part.codecs)
            if self._progress and (stored % _TOLD == 0 or stored + 1 == rows.stop):
                self._progress(stored + 1, self._total)
        return part.part(self._modality)


class _Columns:
    """What is known of samples, in columns that grow."""

    def __init__(self, count: int) -> None:
        self._names, self._ends, self._digests = bytearray(), array("q"), bytearray()
        self._places = np.arange(count, dtype=np.int64)
        self.problems: dict[int, str] = {}
        self.codecs: dict[int, str] = {}

    def add(self, name: str, outside: bool, digest: bytes) -> None:
        self._digests += digest
        if outside:
            self._places[len(self._ends)] = -1 - len(self._ends)
        self._names += name.encode(errors="surrogateescape")
        self._ends.append(len(self._names))

    def part(self, modality: str) -> Part:
        names = PackedNames(np.frombuffer(bytes(self._names), np.uint8), np.array(self._ends, np.int64))
        digests = np.frombuffer(bytes(self._digests), np.uint8).reshape(-1, 32)
        return Part(names, self._places.reshape(-1, 1), digests, modality, self.problems, self.codecs)


def _given(data: bytes, most: int | None) -> bytes:
    check_size(len(data), most)
    return data


def outside_rows(places: NDArray[np.int64]) -> list[int]:
    """Return the rows whose bytes lie in files of their own: no memory of the file of rows tells if those changed."""
    return np.flatnonzero(places[:, 0] < 0).tolist()
