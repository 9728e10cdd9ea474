"""Kinds of files that a library of their own decodes, and what files are that hold no image."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from io import BytesIO

from PIL import Image, features

from frostline.stages.errors import UnreadableSample

AVIF, HEIF, GREY16 = "AVIF", "HEIF", "16-bit grey"
_AVIF = frozenset({b"avif", b"avis"})
_HEIF = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})
_PNG_GREY16 = b"\x10\x00"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NO_IMAGE = "not an image in a known format"
_SAVE = "save it as PNG or JPEG"
_OTHERS = {
    b"version https://git-lfs": "a Git LFS pointer; git lfs pull fetches the image",
    b"\x00\x00\x00\x0cJXL ": f"JPEG XL; {_SAVE}",
    b"\xff\x0a": f"JPEG XL; {_SAVE}",
    b"\x00\x00\x00\x0cjP  ": f"JPEG 2000; {_SAVE}",
    b"8BPS": f"a Photoshop file; {_SAVE}",
    b"%PDF": f"a PDF file; {_SAVE}",
    b"PK\x03\x04": "a zip archive; unpack it",
    b"<!DOCTYPE": "a web page; download the image again",
    b"<!doctype": "a web page; download the image again",
    b"<html": "a web page; download the image again",
    b"<svg": f"an SVG drawing; {_SAVE}",
    b"<?xml": f"XML, maybe an SVG drawing; {_SAVE}",
}


def codec_of(data: bytes) -> str | None:
    """Return ``AVIF``, ``HEIF`` or ``16-bit grey`` for a file of that kind, by its first bytes; None for any other."""
    if data[4:8] == b"ftyp":
        size = min(int.from_bytes(data[:4], "big"), 1024)
        brands = {data[8:12], *(data[at : at + 4] for at in range(16, size, 4))}
        return AVIF if brands & _AVIF else HEIF if brands & _HEIF else None
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return GREY16 if data[24:26] == _PNG_GREY16 else None
    return GREY16 if data.startswith(_TIFF) and _is_wide(data) else None


def _is_wide(data: bytes) -> bool:
    try:
        with Image.open(BytesIO(data), formats=("TIFF",)) as image:
            return image.mode.startswith("I;16")
    except Exception:  # a damaged header raises whatever its parser meets
        return False


def what_it_is(data: bytes) -> str:
    """Return what a file is that holds no image of a known format, and what to do."""
    start = data[:64].lstrip()
    found = next((what for head, what in _OTHERS.items() if data.startswith(head) or start.startswith(head)), None)
    return f"{_NO_IMAGE}: {found}" if found else _NO_IMAGE


@cache
def reads_avif() -> bool:
    """Return whether Pillow is built with libavif."""
    try:
        from PIL import AvifImagePlugin
    except ImportError:
        return False
    return bool(AvifImagePlugin.SUPPORTED)


@cache
def reads_heif() -> bool:
    """Return whether pillow-heif is installed."""
    return heif_version() is not None


@cache
def heif_version() -> str | None:
    """Return the version of pillow-heif, or None without it. It is not loaded for that."""
    try:
        return version("pillow-heif")
    except PackageNotFoundError:
        return None


def formats_for(data: bytes) -> tuple[str, ...]:
    """Return the further formats that Pillow is to try. Raises UnreadableSample for those that can't be read here."""
    found = codec_of(data) if data[4:8] == b"ftyp" else None
    if found == AVIF and not reads_avif():
        raise UnreadableSample("an AVIF image, which this build of Pillow does not support; pip install -U pillow")
    if found == HEIF:
        _register_heif()
    return (found,) if found else ()


@cache
def _register_heif() -> None:
    try:
        from pillow_heif import register_heif_opener
    except ImportError as error:
        raise UnreadableSample("a HEIC photograph; pip install 'frostline[heic]' to read it") from error
    register_heif_opener()


@cache
def version_of(codec: str) -> str:
    """Return the library of its own that decodes a kind of file, with its version, as it stands in a feature key."""
    if codec == AVIF:
        return f", libavif {features.version('avif') or 'absent'}"
    if codec == HEIF and reads_heif():
        import pillow_heif

        return f", pillow-heif {heif_version()} with libheif {pillow_heif.libheif_version()}"
    return ""
