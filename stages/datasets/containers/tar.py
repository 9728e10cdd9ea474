"""The members of a tar file, from its headers alone: nothing is unpacked, no link is followed."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator

from frostline.stages.datasets.containers.blob import Blob
from frostline.stages.datasets.containers.components import Components
from frostline.stages.datasets.containers.members import Member, Part, Place
from frostline.stages.datasets.containers.window import Window
from frostline.stages.errors import DataError

_BLOCK = 512
_COMPRESSED = {
    b"\x1f\x8b": ("gzip", "gunzip"),
    b"BZh": ("bzip2", "bunzip2"),
    b"\xfd7zXZ\0": ("xz", "unxz"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"),
}
_DAMAGE = (tarfile.TarError, OSError, ValueError, ArithmeticError, LookupError, RecursionError)


VERSION = "tar 2"
"""What is found in a tar file, and how: another number, another look."""


def scan_tar(blob: Blob, asked: str | None = None, modality: str | None = None) -> Part:
    """Return the samples of a tar file, see ``Components``. Raises DataError that lists all that is wrong with it."""
    window = Window(blob)
    found = Components(window.content, asked, modality)
    for member in tar_members(blob, window):
        found.add(member)
    return found.part(blob.name)


def tar_content(blob: Blob, place: Place) -> bytes:
    """Return the bytes of a member by its offset and size."""
    return blob.read(int(place[0]), int(place[1]))


def tar_members(blob: Blob, window: Window) -> Iterator[Member]:
    """Yield what is in a tar file, but folders, in its order.

    Links, devices and sparse members have a fault. Raises DataError: no tar file; a compressed one; one that is cut
    off, damaged, or followed by another.
    """
    _check_kind(blob)
    try:
        with tarfile.open(fileobj=window, mode="r:", tarinfo=_Header, encoding="utf-8") as tar:
            before = -1
            while (found := tar.next()) is not None:
                if tar.offset <= before:
                    raise DataError(f"{blob.name} is damaged: a member has a negative size")
                before = tar.offset
                tar.members.clear()  # type: ignore[attr-defined]  # or it would keep them all
                if not found.isdir():
                    yield Member(found.name.removeprefix("./"), found.offset_data, found.size, _fault(found))
            _check_end(blob, window, tar.offset)
    except _DAMAGE as error:
        raise DataError(f"{blob.name} is damaged or not a tar file: {error}; create it again") from error


class _Header(tarfile.TarInfo):
    """A header of which, where it is that of a plain file, no more is read than is needed: in half the time."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Header:
        """Return what a block says. Raises what ``tarfile`` raises for it."""
        data = bytes(buf)
        name, size = data[:100].partition(b"\0")[0], data[124:136].strip(b"\0 ")
        sums = data[148:156].strip(b"\0 ")
        is_plain = len(data) == _BLOCK and data[156:157] == tarfile.REGTYPE and not data[345] and name[-1:] != b"/"
        if not (is_plain and size.isdigit() and sums.isdigit() and not {*b"89"} & {*size, *sums}):
            return super().frombuf(data, encoding, errors)
        if sum(data) - sum(data[148:156]) + 8 * 32 != int(sums, 8):
            return super().frombuf(data, encoding, errors)
        found = cls(name.decode(encoding, errors))
        found.type, found.size = tarfile.REGTYPE, int(size, 8)
        return found


def _check_kind(blob: Blob) -> None:
    start = blob.read(0, min(8, blob.size))
    for magic, (name, tool) in _COMPRESSED.items():
        if start.startswith(magic):
            raise DataError(
                f"{blob.name} is compressed by {name}: single samples can't be read from it. Unpack it: {tool} "
                f"{blob.name}"
            )
    if start.startswith(b"PK\3\4"):
        raise DataError(f"{blob.name} is a zip file; expected a tar file. Name it as zip:{blob.name}")
    if not blob.size:
        raise DataError(f"{blob.name} is empty: expected a tar file")


def _fault(member: tarfile.TarInfo) -> str:
    if member.islnk() or member.issym():
        return f"a link to {member.linkname}; use tar --dereference --hard-dereference to store the files themselves"
    if member.issparse():
        return "stored as a sparse file; create the tar file without --sparse"
    return "" if member.isreg() else "not a regular file"


def _check_end(blob: Blob, window: Window, offset: int) -> None:
    """Raise DataError unless a tar file ends here, by the mark of its end, with nothing behind it."""
    mark = window.content(offset, max(0, min(_BLOCK, blob.size - offset)))
    if len(mark) < _BLOCK:
        raise DataError(f"{blob.name} is truncated: the end marker of a tar file is missing; copy it again")
    if mark.count(0) < len(mark):
        raise DataError(f"{blob.name} is damaged: no header where a member should begin, at byte {offset:,}")
    for first in range(offset, blob.size, 1 << 20):
        rest = window.content(first, min(1 << 20, blob.size - first))
        if rest.count(0) < len(rest):
            raise DataError(
                f"{blob.name} has data after its end: is it several tar files in one? Name each of them, or join them "
                "with tar -A"
            )
