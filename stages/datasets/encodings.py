"""The text of a file that should be UTF-8; what else it is, is named."""

from __future__ import annotations

import codecs
from pathlib import Path

from frostline.stages.buckets.address import AddressPath
from frostline.stages.buckets.failures import NoAccess, NoObject
from frostline.stages.datasets.buckets.places import open_object
from frostline.stages.errors import DataError

_LARGEST = 1 << 30
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)  # the first begins as UTF-16's does
_KINDS = {
    b"PK\x03\x04": ("an Excel or other zipped workbook", "save it as CSV UTF-8"),
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", "save it as CSV UTF-8"),
    b"PAR1": ("a Parquet file", "name it as parquet:FILE, with the extension .parquet"),
    b"\x1f\x8b": ("compressed by gzip", "unpack it: gunzip FILE"),
    b"SQLite": ("an SQLite database", "export the table as CSV"),
}


def text_of(file: Path) -> str:
    """Return a file's text, without a byte order mark. Raises DataError that says what the file is instead."""
    if isinstance(file, AddressPath):
        return decoded_text(file, _object(file))
    if file.exists() and not file.is_file():
        raise DataError(f"{file} is not a regular file; expected a CSV with the columns path and label")
    try:
        data = file.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"no file {file}; expected a table in UTF-8") from error
    except OSError as error:
        raise DataError(f"can't read the table {file} ({error.strerror}); expected a table in UTF-8") from error
    return decoded_text(file, data)


def text_if_there(file: Path) -> str | None:
    """Return a file's text, None where there is none. An object that may not be seen is none."""
    try:
        return text_of(file) if isinstance(file, AddressPath) or file.is_file() else None
    except (NoAccess, NoObject):
        return None


def _object(file: AddressPath) -> bytes:
    """Return the bytes of a table in a bucket. Raises DataError: there is none, or it is too large."""
    blob = open_object(str(file))
    if blob.size > _LARGEST:
        raise DataError(
            f"{file} has {blob.size:,} bytes; a table from a bucket is read into memory, so expected at most "
            f"{_LARGEST:,}"
        )
    return blob.read(0, blob.size)


def decoded_text(file: Path, data: bytes) -> str:
    """Return the text that a file's bytes are. Raises DataError that says what they are instead."""
    what = _other_kind(data)
    if what is not None:
        raise DataError(f"can't read the table {file}: it is {what[0]}; expected a table in UTF-8: {what[1]}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"can't read the table {file}: {_at(data, error.start)}") from error


def _other_kind(data: bytes) -> tuple[str, str] | None:
    """Return what bytes are that are no UTF-8 text, and what to do with them."""
    for start, what in _KINDS.items():
        if data.startswith(start):
            return what
    if data.startswith(_UTF32) or data[:8].count(0) == 6:
        return "UTF-32 text", _saved("UTF-32", data)
    if data.startswith(_UTF16) or (len(data) > 3 and data[:4].count(0) == 2):
        return "UTF-16 text, as PowerShell and Excel's Unicode Text write it", _saved("UTF-16", data)
    return None


def _saved(encoding: str, data: bytes) -> str:
    """Return what to do with text of wide characters; iconv takes those without a mark for little-endian ones."""
    return f'save it as "CSV UTF-8", or iconv -f {encoding}{"" if data[0] else "BE"} -t UTF-8 FILE > NEW'


def _at(data: bytes, at: int) -> str:
    """Return what is said of a byte that is no UTF-8."""
    line = data.count(b"\n", 0, at) + 1
    letter = data[at : at + 1].decode("cp1252", "replace")
    return (
        f"line {line} has the byte 0x{data[at]:02X}, which is not UTF-8; it is {letter!r} in Latin-1 or Windows-1252; "
        'expected a table in UTF-8: save it as "CSV UTF-8", or iconv -f WINDOWS-1252 -t UTF-8 FILE > NEW'
    )
