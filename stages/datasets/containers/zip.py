"""The members of a zip file, by its directory: each is read by its place, and inflated no further than it says."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial

from frostline.stages.datasets.clutter import is_clutter
from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.datasets.containers.members import TABLES, Part, PartBuilder, Place
from frostline.stages.datasets.containers.window import Window
from frostline.stages.datasets.containers.zip_directory import Entry, directory
from frostline.stages.datasets.index import check_size
from frostline.stages.datasets.walk import FILE_MODALITIES, ending, endings_of
from frostline.stages.errors import DataError, UnreadableSample
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.registry import MODALITIES

VERSION = "zip 1"
"""What is found in a zip file, and how: another number, another look."""
_HEADER = struct.Struct("<4s22xHH")
_BEGINS = b"PK\3\4"
_MODALITY_OF = {end: name for name in FILE_MODALITIES for end in endings_of(name)}


def scan_zip(blob: Blob) -> Part:
    """Return the images or recordings in a zip file, in the order of its directory, and where the tables in it lie.

    Raises DataError: no zip file; one that is cut off or damaged; members of one name, or in each other's place.
    """
    window = Window(blob)
    entries = [entry for entry in directory(blob) if not _is_hidden(entry.name)]
    samples = [entry for entry in entries if ending(entry.name) in _MODALITY_OF]
    tables = {entry.name: _place(blob, window, entry) for entry in entries if ending(entry.name) in TABLES}
    builder = PartBuilder(_modality(blob, samples), width=4)
    most = MODALITIES.load(builder.modality).max_bytes
    for entry in samples:
        place = _place(blob, window, entry)
        builder.add(entry.name, place, partial(_sound, window, entry, place, most))
    others = Counter(
        ending(entry.name) if "." in entry.name.rpartition("/")[2] else "no ending"
        for entry in entries
        if entry.name not in tables and ending(entry.name) not in _MODALITY_OF
    )
    said = ", ".join(f"{end} ({n:,})" for end, n in sorted(others.items()))
    return builder.part({}, [f"members skipped: {said}"] if said else [], tables)


def zip_content(blob: Blob, place: Place | Sequence[int]) -> bytes:
    """Return the bytes of a member by its place: the offset, how many bytes are stored and held there, the method.

    Raises UnreadableSample where they can't be inflated to what the directory says.
    """
    offset, stored, size, method = map(int, place)
    data = blob.read(offset, stored)
    return data if method == zipfile.ZIP_STORED else _inflated(data, size)


def _inflated(data: bytes, size: int) -> bytes:
    """Return what deflated bytes hold: so many bytes, and no more are made of them."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        found = inflater.decompress(data, size + 1)
    except zlib.error as error:
        raise UnreadableSample(f"can't be inflated ({error})") from error
    if len(found) != size or not inflater.eof:
        raise UnreadableSample(f"does not hold the {size:,} bytes that the zip file declares")
    return found


def _sound(window: Window, entry: Entry, place: Sequence[int], most: int | None) -> bytes:
    """Return a member's bytes. Raises UnreadableSample: why it has none, or is not what the directory says."""
    if entry.fault:
        raise UnreadableSample(entry.fault)
    check_size(entry.size, most)
    data = window.content(place[0], entry.stored)
    data = data if entry.method == zipfile.ZIP_STORED else _inflated(data, entry.size)
    if zlib.crc32(data) != entry.crc:
        raise UnreadableSample("damaged: its checksum does not match")
    return data


def _place(blob: Blob, window: Window, entry: Entry) -> tuple[int, int, int, int]:
    """Return where a member's bytes begin, behind its own header. Raises DataError where that is no header."""
    begins, name, extra = _HEADER.unpack(window.content(entry.offset, _HEADER.size))
    if begins != _BEGINS:
        raise DataError(f"{blob.name} is damaged: no header of {entry.name} at byte {entry.offset:,}")
    return entry.offset + _HEADER.size + name + extra, entry.stored, entry.size, entry.method


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") or is_clutter(part) for part in name.split("/"))


def _modality(blob: Blob, samples: Sequence[Entry]) -> str:
    counts: Mapping[str, int] = Counter(_MODALITY_OF[ending(entry.name)] for entry in samples)
    if len(counts) > 1:
        said = " and ".join(f"{n:,} {MODALITIES.load(name).noun}s" for name, n in counts.items())
        raise DataError(f"{blob.name} holds {said}: which are the samples? Keep only one kind in it")
    return next(iter(counts), IMAGE)
