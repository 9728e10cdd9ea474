"""NumPy's files: .npy is read where it lies, and so are the arrays of an .npz that is not compressed."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
from numpy.lib import format as npy

from frostline.stages.errors import DataError
from frostline.stages.modalities.vector.stored import Layout, Spool, Stored, blamed, check_sound, mapped

_HEADERS: dict[tuple[int, int], Callable[[IO[bytes]], tuple[tuple[int, ...], bool, np.dtype[np.generic]]]] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}
_PIECE = 1 << 24
_LOCAL = 30  # bytes of a zip member's own header, before its name
_MEMBERS = 1000
_LONGEST_HEADER = 1 << 16


def open_npy(file: Path) -> Mapping[str, Stored]:
    """Return the array of an .npy file. Raises DataError for another file, and for objects."""
    with blamed(file, zipfile.BadZipFile, zlib.error), file.open("rb") as opened:
        layout = _header(file, "the array", opened)
    held = file.stat().st_size - layout.offset
    if held < layout.nbytes:
        raise DataError(f"{file} is cut short: {held:,} bytes of numbers; expected {layout.nbytes:,}")
    return {"features": mapped(file, layout)}


def open_npz(file: Path) -> Mapping[str, Stored]:
    """Return the arrays of an .npz file by name. Raises DataError for another file, and for objects."""
    with blamed(file, zipfile.BadZipFile, zlib.error), zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > _MEMBERS:
            raise DataError(f"{file} holds {len(members):,} arrays; expected at most {_MEMBERS:,}")
        return {one.filename.removesuffix(".npy"): _member(file, archive, one) for one in members}


def _member(file: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Stored:
    name = member.filename.removesuffix(".npy")
    with archive.open(member) as opened:
        layout = _header(file, name, opened)
    held, size = member.file_size - layout.offset, layout.nbytes
    if held != size:
        raise DataError(f"{file}: {name} {layout.shape} holds {held:,} bytes; expected {size:,}")
    if member.compress_type == zipfile.ZIP_STORED:
        return mapped(file, replace(layout, offset=_start(file, member) + layout.offset))
    check_sound(file, name, size, member.compress_size)
    copy = Spool(file, size, partial(_unpack, file, member.filename, layout.offset)).file
    return mapped(file, replace(layout, offset=0), copy)


def _start(file: Path, member: zipfile.ZipInfo) -> int:
    """Return where a member's bytes begin; its own header has an extra field of another length than the directory."""
    with file.open("rb") as opened:
        opened.seek(member.header_offset)
        own = opened.read(_LOCAL)
    if len(own) < _LOCAL or own[:4] != b"PK\x03\x04":
        raise DataError(f"{file}: {member.filename} is not where the archive declares it")
    return member.header_offset + _LOCAL + int.from_bytes(own[26:28], "little") + int.from_bytes(own[28:30], "little")


def _unpack(file: Path, member: str, offset: int, copy: BinaryIO) -> None:
    with blamed(file, zipfile.BadZipFile, zlib.error), zipfile.ZipFile(file) as archive, archive.open(member) as opened:
        opened.read(offset)
        while piece := opened.read(_PIECE):
            copy.write(piece)


def _bounded(file: Path, name: str, opened: IO[bytes], prefix: int) -> IO[bytes]:
    """Return a header by itself; its length, a number of ``prefix`` bytes, is looked at before that much is read."""
    said = opened.read(prefix)
    length = int.from_bytes(said, "little")
    if length > _LONGEST_HEADER:
        raise DataError(f"{file}: the header of {name} is declared as {length:,} bytes, so it is not opened")
    return io.BytesIO(said + opened.read(length))


def _header(file: Path, name: str, opened: IO[bytes]) -> Layout:
    version = npy.read_magic(opened)
    if version not in _HEADERS:
        raise DataError(f"{file}: {name} is of .npy version {version}; expected plain numbers or texts")
    shape, fortran, dtype = _HEADERS[version](_bounded(file, name, opened, 2 if version == (1, 0) else 4))
    if dtype.hasobject:
        raise DataError(
            f"{file}: {name} holds Python objects, which can run code when they are read, so it is not opened; save "
            "numbers (.astype('float32')) and texts (.astype('str'))"
        )
    if min(shape, default=0) < 0:
        raise DataError(f"{file}: {name} has the shape {shape}")
    return Layout(shape, dtype, "F" if fortran else "C", opened.tell())
