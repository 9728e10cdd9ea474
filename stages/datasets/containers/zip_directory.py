"""The directory of a zip file: what is in it and where, with what is wrong with each member by its facts alone."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.datasets.containers.window import Window
from frostline.stages.errors import DataError, listing

_ENCRYPTED, _UTF8 = 0x1, 0x800
_SUSPECT, _RATIO = 64 << 20, 200
_LARGEST = 4 << 30
_TAR = 257, b"ustar"  # where a tar file says that it is one
_DAMAGE = (zipfile.BadZipFile, OSError, NotImplementedError, ValueError, LookupError, struct.error)


@dataclass(frozen=True)
class Entry:
    """One member: where its header begins, how many bytes are stored and held. ``fault``: why it can't be read."""

    name: str
    offset: int
    stored: int
    size: int
    method: int
    crc: int
    fault: str = ""


def directory(blob: Blob) -> list[Entry]:
    """Return what is in a zip file, but folders, in its directory's order.

    Raises DataError: no zip file; one that is cut off or damaged; members of one name, or in each other's place.
    """
    try:
        with zipfile.ZipFile(Window(blob, longest=blob.size)) as opened:
            entries = [_entry(info) for info in opened.infolist() if not info.is_dir()]
            end = opened.start_dir
    except _DAMAGE as error:
        if blob.size >= _TAR[0] + len(_TAR[1]) and blob.read(_TAR[0], len(_TAR[1])) == _TAR[1]:
            raise DataError(f"{blob.name} is a tar file; expected a zip file. Name it as tar:{blob.name}") from error
        raise DataError(
            f"{blob.name} is damaged, truncated or not a zip file: {error}; copy or create it again"
        ) from error
    wrong = [*_twice(entries), *_overlaps(entries, end)]
    if wrong:
        raise DataError(f"{blob.name} can't be used:\n{listing(wrong)}")
    return entries


def _entry(info: zipfile.ZipInfo) -> Entry:
    facts = info.header_offset, info.compress_size, info.file_size, info.compress_type, info.CRC
    return Entry(_name(info), *facts, _fault(info))


def _name(info: zipfile.ZipInfo) -> str:
    """Return a member's name: as UTF-8 where it is that, whatever the file says, with slashes between folders."""
    name = info.orig_filename
    if not info.flag_bits & _UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode()
    return name.replace("\\", "/").removeprefix("./")


def _fault(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & _ENCRYPTED:
        return "encrypted; unpack the zip file with its password and use the folder"
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a link"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"compressed by method {info.compress_type}; expected members that are stored or deflated"
    if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
        return f"stored as {info.compress_size:,} bytes, but declared as {info.file_size:,}"
    if info.file_size > _LARGEST or (info.file_size > _SUSPECT and info.file_size > _RATIO * info.compress_size):
        return f"{info.compress_size:,} bytes that declare {info.file_size:,} bytes of content: too many for a sample"
    return ""


def _twice(entries: Sequence[Entry]) -> Iterator[str]:
    seen: set[str] = set()
    for entry in entries:
        if entry.name in seen:
            yield f"{entry.name} appears twice"
        seen.add(entry.name)


def _overlaps(entries: Sequence[Entry], end: int) -> Iterator[str]:
    """Yield the members that reach into the next one, or into the directory at the end: none does, unless forged."""
    ordered = sorted(entries, key=lambda entry: entry.offset)
    for entry, beyond in [*((a, b.offset) for a, b in pairwise(ordered)), *((last, end) for last in ordered[-1:])]:
        if entry.offset + 30 + entry.stored > beyond:
            yield f"{entry.name} overlaps what follows it, as in a zip bomb"
