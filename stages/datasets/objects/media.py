"""A column of samples that are objects: read by row, and known by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.files import file_bytes
from frostline.stages.datasets.index import Examined, Progress, examine
from frostline.stages.datasets.samples import Samples
from frostline.stages.errors import DataError, UnreadableSample
from frostline.stages.modalities.base import Sample
from frostline.stages.modalities.given import content_of, described, sample_of
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.targets.values import Targets

Values = Sequence[Any] | NDArray[Any]


@dataclass(frozen=True, eq=False)
class Media:
    """Samples of one modality, by row.

    Attributes:
        values: what each is: an object that ``frostline.stages.modalities.given`` reads; the bytes of a file; or
            ``{"bytes": …, "path": …}``, as Hugging Face keeps files.
        modality: of all of them.
        seen: what was seen of each when its label was read; None where they can be read without their labels.
    """

    values: Values
    modality: str
    seen: Sequence[Examined] | None = None

    def examined(self, progress: Progress | None) -> Sequence[Examined]:
        """Return the digest of every sample's content, and why some can't be read."""
        if self.seen is not None:
            return self.seen
        found = []
        for row in range(len(self.values)):
            found.append(examined(self.values[row], self.modality))
            if progress:
                progress(row + 1, len(self.values))
        return found


def examined(value: object, modality: str) -> Examined:
    """Return what is seen of a sample: of a file as of any other file, of an object by what it decodes to."""
    if is_file(value):
        return examine(partial(file_content, value, modality), MODALITIES.load(modality))
    try:
        sample = sample_of(value, modality)
    except UnreadableSample as error:
        return Examined(hashlib.sha256(str(error).encode()).digest(), str(error), False, None)
    return Examined(hashlib.sha256(content_of(sample, modality)).digest(), None, True, None)


def is_file(value: object) -> bool:
    """Return whether a value is the content of a file, or says where that lies; one of nothing is unreadable."""
    return value is None or isinstance(value, bytes) or (isinstance(value, Mapping) and "bytes" in value)


def file_content(value: Any, modality: str) -> bytes:
    """Return the bytes of a value that ``is_file``. Raises UnreadableSample: it has none."""
    kind = MODALITIES.load(modality)
    data = value.get("bytes") if isinstance(value, Mapping) else value
    path = value.get("path") if isinstance(value, Mapping) else None
    if data is not None:
        return kind.trimmed(bytes(data))
    if path is None:
        raise UnreadableSample("neither bytes nor a path: the cell is empty")
    return kind.trimmed(file_bytes(Path(path), kind.max_bytes))


def media_samples(
    name: str, media: Media, targets: Targets, ids: Sequence[str], options: Mapping[str, int], progress: Progress | None
) -> Samples:
    """Return the samples of a column.

    One that is read again and has changed raises DataError: what is stored under its digest must have come from it.
    """
    seen = media.examined(progress)
    digests = np.frombuffer(b"".join(one.digest for one in seen), np.uint8).reshape(-1, 32)
    reader = _Reader(media, [one.digest for one in seen], options)
    return Samples(
        dataset=name,
        split="all",
        targets=targets,
        ids=ids,
        digests=digests,
        read=reader.read,
        problems={row: one.fault for row, one in enumerate(seen) if one.fault},
        encoded=reader.encoded if all(map(is_file, _some(media.values))) else None,
        modality=media.modality,
        codecs={row: one.codec for row, one in enumerate(seen) if one.codec and not one.fault},
        options=_width(media) if media.modality == "vector" else options,
    )


def _width(media: Media) -> dict[str, int]:
    """Return the width of vectors. Raises DataError for several."""
    widths = sorted({len(value) for value in media.values})
    if len(widths) > 1:
        raise DataError(f"got vectors of {', '.join(map(str, widths))} numbers; expected one width")
    return {"width": widths[0]}


def _some(values: Values) -> list[Any]:
    return [values[row] for row in range(min(len(values), 8))]


class _Reader:
    """Reads rows, one at a time: nobody knows whether an object may be used by two threads."""

    def __init__(self, media: Media, digests: Sequence[bytes], options: Mapping[str, int]) -> None:
        self._values, self._modality, self._digests = media.values, media.modality, digests
        self._options, self._lock = options, Lock()

    def read(self, row: int) -> Sample:
        value = self._value(row)
        if is_file(value):
            decode: Any = MODALITIES.load(self._modality).decode
            return decode(self._checked(row, file_content(value, self._modality)), **self._options)
        sample = sample_of(value, self._modality)
        self._checked(row, content_of(sample, self._modality))
        return sample

    def encoded(self, row: int) -> bytes:
        value = self._value(row)
        if not is_file(value):
            raise DataError(f"sample {row} is {described(value)}; expected bytes, as the first samples are")
        return self._checked(row, file_content(value, self._modality))

    def _value(self, row: int) -> object:
        with self._lock:
            return self._values[row]

    def _checked(self, row: int, content: bytes) -> bytes:
        if hashlib.sha256(content).digest() != self._digests[row]:
            raise DataError(
                f"sample {row} is not what it was when it was first read; expected the same each time. Leave out "
                "random transforms, and don't change the data meanwhile"
            )
        return content
