"""What a file of audio says of its own length, where libsndfile would take less without a word."""

from __future__ import annotations

import re
import struct

_UNKNOWN = (0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFFFFF - 36)  # what is written where a stream's length is not known yet
_MOST_CHUNKS = 10_000
_PAGE_HEAD = 27  # bytes of a page in Ogg: RFC 3533, section 6
_LAST_PAGE = 4  # of a page's flags in Ogg
_FIRST_PAGE, _LATER_PAGE = (
    re.compile(b"OggS\x00" + flags) for flags in (rb"[\x02\x03\x06\x07]", rb"[\x00\x01\x04\x05]")
)
_MP3_TAGS = (b"Xing", b"Info", b"VBRI")
_MP3_HEAD = 1 << 12


def missing_part(data: bytes) -> str | None:
    """Return in which way the end of a file is not there; None if that can't be seen, or it is.

    WAV: the chunk of audio is longer than the file. Ogg: the last page is not marked as such, or cut off.
    """
    if data[:4] in (b"RIFF", b"RIFX", b"RF64"):
        return _of_wav(data)
    return _of_ogg(data) if data[:4] == b"OggS" else None


def is_chained(data: bytes) -> bool:
    """Whether an Ogg holds several streams one after the other, as radio does: a first page comes after a later one."""
    later = _LATER_PAGE.search(data) if data[:4] == b"OggS" else None
    return later is not None and _FIRST_PAGE.search(data, later.end()) is not None


def counts_frames(data: bytes, kind: str) -> bool:
    """Whether a file says how many frames it has: MP3 does with a tag alone, else its length is an estimate."""
    return kind != "MP3" or any(tag in data[: _after_id3(data) + _MP3_HEAD] for tag in _MP3_TAGS)


def _after_id3(data: bytes) -> int:
    """Return where the audio of an MP3 file begins, behind its title, artist and the like."""
    if data[:3] != b"ID3" or len(data) < 10:
        return 0
    size = 0
    for byte in data[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size


def _of_ogg(data: bytes) -> str | None:
    page = data[data.rfind(b"OggS") :]
    if len(page) < _PAGE_HEAD or not page[5] & _LAST_PAGE:
        return "the last page of the Ogg stream is missing"
    sizes = page[_PAGE_HEAD : _PAGE_HEAD + page[_PAGE_HEAD - 1]]
    said, there = page[_PAGE_HEAD - 1] + sum(sizes), len(page) - _PAGE_HEAD
    return f"its last page says {said:,} bytes, {there:,} are there" if there < said else None


def _of_wav(data: bytes) -> str | None:
    order = ">" if data[:4] == b"RIFX" else "<"
    at, long_size = 12, None
    for _ in range(_MOST_CHUNKS):
        if at + 8 > len(data):
            return None
        name, size = data[at : at + 4], struct.unpack_from(f"{order}I", data, at + 4)[0]
        if name == b"ds64" and at + 24 <= len(data):
            long_size = struct.unpack_from("<Q", data, at + 16)[0]
        if name == b"data":
            return _of_data(size, long_size, len(data) - at - 8)
        at += 8 + size + size % 2
    return None


def _of_data(size: int, long_size: int | None, there: int) -> str | None:
    said = long_size if long_size is not None and size == _UNKNOWN[0] else size
    if said <= there or (long_size is None and size in _UNKNOWN):
        return None
    return f"its header says {said:,} bytes of audio, {there:,} are there"
