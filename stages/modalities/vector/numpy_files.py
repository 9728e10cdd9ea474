"""NumPy's files: .npy is read where it lies, and so are the arrays of an .npz that is not compressed."""

from __future__ import annotations

import math
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np
from numpy.lib import format as npy

from frostline.stages.errors import DataError
from frostline.stages.modalities.vector.stored import Spool, Stored, blamed, check_sound, mapped

_HEADERS: dict[tuple[int, int], Callable[[IO[bytes]], tuple[tuple[int, ...], bool, np.dtype[np.generic]]]] = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
}
_PIECE = 1 << 24
_LOCAL = 30  # bytes of a zip member's own header, before its name
_MEMBERS = 1000


def open_npy(file: Path) -> Mapping[str, Stored]:
    """Return the array of an .npy file. Raises DataError for another file, and for objects."""
    with blamed(file, zipfile.BadZipFile, zlib.error), file.open("rb") as opened:
        shape, order, dtype = _header(file, "the array", opened)
        offset, there = opened.tell(), file.stat().st_size
    size = math.prod(shape) * dtype.itemsize
    if there < offset + size:
        raise DataError(f"{file} is cut short: {there - offset:,} bytes of numbers; expected {size:,}")
    return {"features": mapped(lambda: file, offset, shape, dtype, order)}


def open_npz(file: Path) -> Mapping[str, Stored]:
    """Return the arrays of an .npz file by name. Raises DataError for another file, and for objects."""
    with blamed(file, zipfile.BadZipFile, zlib.error), zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > _MEMBERS:
            raise DataError(f"{file} holds {len(members):,} arrays; expected {_MEMBERS:,} at most")
        return {one.filename.removesuffix(".npy"): _member(file, archive, one) for one in members}


def _member(file: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Stored:
    name = member.filename.removesuffix(".npy")
    with archive.open(member) as opened:
        shape, order, dtype = _header(file, name, opened)
        offset = opened.tell()
    size = math.prod(shape) * dtype.itemsize
    if member.file_size != offset + size:
        raise DataError(f"{file}: {name} {shape} holds {member.file_size - offset:,} bytes; expected {size:,}")
    if member.compress_type == zipfile.ZIP_STORED:
        start = _start(file, member) + offset
        if file.stat().st_size < start + size:
            raise DataError(f"{file} is cut short in {name}")
        return mapped(lambda: file, start, shape, dtype, order)
    check_sound(file, name, size, member.compress_size)
    spool = Spool(file, size, partial(_unpack, file, member.filename, offset))
    return mapped(spool.file, 0, shape, dtype, order)


def _start(file: Path, member: zipfile.ZipInfo) -> int:
    """Return where a member's bytes begin; its own header has an extra field of another length than the directory."""
    with file.open("rb") as opened:
        opened.seek(member.header_offset)
        own = opened.read(_LOCAL)
    if len(own) < _LOCAL or own[:4] != b"PK\x03\x04":
        raise DataError(f"{file}: {member.filename} is not where the archive says")
    return member.header_offset + _LOCAL + int.from_bytes(own[26:28], "little") + int.from_bytes(own[28:30], "little")


def _unpack(file: Path, member: str, offset: int, copy: BinaryIO) -> None:
    with blamed(file, zipfile.BadZipFile, zlib.error), zipfile.ZipFile(file) as archive, archive.open(member) as opened:
        opened.read(offset)
        while piece := opened.read(_PIECE):
            copy.write(piece)


def _header(file: Path, name: str, opened: IO[bytes]) -> tuple[tuple[int, ...], str, np.dtype[np.generic]]:
    version = npy.read_magic(opened)
    if version not in _HEADERS:
        raise DataError(f"{file}: {name} is of .npy version {version}; expected plain numbers or texts")
    shape, fortran, dtype = _HEADERS[version](opened)
    if dtype.hasobject:
        raise DataError(
            f"{file}: {name} holds Python objects, which can run code when they are read, so it is not opened; save "
            "numbers (.astype('float32')) and texts (.astype('str'))"
        )
    if min(shape, default=0) < 0:
        raise DataError(f"{file}: {name} has the shape {shape}")
    return shape, "F" if fortran else "C", dtype
