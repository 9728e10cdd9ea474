"""Plain JPEG files, at less cost: Pillow's decoder without what ``Image.open`` does before it.

``Image.open`` looks into every segment of a file in Python and hands the bytes to libjpeg in pieces. That takes
more time than decoding a thumbnail. Here a strict look at the segments finds the size, and libjpeg gets the whole
file at once through ``Image.frombytes``: the same code on the same bytes, so the same pixels. Nothing else is
loaded for it.

A file is plain if it is a baseline, extended or progressive JPEG (SOF0, SOF1, SOF2) of 8 bits and 1 or 3 components,
within the limit of pixels, with no segments but these: JFIF, ICC profile, Adobe, comment, 8-bit quantisation tables,
Huffman tables, restart interval. A file with EXIF or XMP data may be turned, one with MPF data may hold several
images: neither is plain.
Any other file, and a plain one that can't be decoded, is left to ``Image.open``, whose errors count.
"""

from __future__ import annotations

import logging
from functools import cache, lru_cache
from io import BytesIO

from PIL import Image, features

from frostline.stages.modalities.image.values import MAX_PIXELS

log = logging.getLogger("frostline")

_FRAMES = (0xC0, 0xC1, 0xC2)
_SCAN = b"\xff\xda"
_LONGEST = 1 << 14  # of headers, in bytes: so the cache of headers stays small
_SKIPPED = (0xC4, 0xDD, 0xFE)  # Huffman tables, restart interval, comment
_APP0, _APP2, _APP14, _TABLES = 0xE0, 0xE2, 0xEE, 0xDB
_LEAST = {_APP0: 16, _APP2: 16, _APP14: 14}  # lengths with all that Pillow looks at
_TABLE = 65  # bytes
_MODES = {1: "L", 3: "RGB"}
_TRIED: tuple[tuple[int, int, dict[str, int]], ...] = (
    (1, 1, {}),
    (17, 9, {"subsampling": 2}),
    (8, 30, {"progressive": True}),
    (33, 16, {"subsampling": 0}),
)

_SLOWER = "Image.open decodes all files; it is slower"
Frame = tuple[str, tuple[int, int]]  # mode, (width, height)


def decode_plain(data: bytes, min_side: int | None = None) -> Image.Image | None:
    """Return a plain JPEG as an RGB image; None if it is not plain, is damaged or is to be scaled for ``min_side``."""
    frame = plain_frame(data)
    if frame is None or (min_side is not None and min(frame[1]) // min_side > 1) or not agrees():
        return None
    return _decoded(data, *frame)


def plain_frame(data: bytes) -> Frame | None:
    """Return what a plain JPEG declares; None for any other file. Nothing behind the first scan's marker is read."""
    return _frame(data[: data.find(_SCAN, 0, _LONGEST) + 2]) if data.startswith(b"\xff\xd8\xff") else None


@cache
def agrees() -> bool:
    """Whether images made here come out with the pixels that ``Image.open`` finds; asked once per process."""
    if features.check_codec("jpg") and all(map(_same, _made())):
        return True
    log.info("JPEG: Pillow's decoder, used directly, differs from Image.open; expected the same pixels. %s", _SLOWER)
    return False


@lru_cache(maxsize=256)
def _frame(header: bytes) -> Frame | None:
    """Return what a header declares that ends with the marker of a scan. One program's files share their headers."""
    try:
        return _walked(header)
    except IndexError:  # cut off
        return None


def _walked(header: bytes) -> Frame | None:
    at, frame = 2, None
    while header[at] == 0xFF and at < len(header) - 2:
        kind, length = header[at + 1], header[at + 2] << 8 | header[at + 3]
        if kind in _FRAMES:
            if frame or not (frame := _declared(header, at, length)):
                return None
        elif kind not in _SKIPPED and not _is_plain(header, at, kind, length):
            return None
        at += 2 + length
    return frame if at == len(header) - 2 else None


def _declared(header: bytes, at: int, length: int) -> Frame | None:
    bits, components = header[at + 4], header[at + 9]
    height, width = header[at + 5] << 8 | header[at + 6], header[at + 7] << 8 | header[at + 8]
    if bits != 8 or components not in _MODES or length != 8 + 3 * components or not 0 < width * height <= MAX_PIXELS:
        return None
    return _MODES[components], (width, height)


def _is_plain(header: bytes, at: int, kind: int, length: int) -> bool:
    if kind == _TABLES:
        kinds = header[at + 4 : at + 2 + length : _TABLE]
        return length > 2 and (length - 2) % _TABLE == 0 and max(kinds, default=16) < 16
    if kind == _APP2 and not header.startswith(b"ICC_PROFILE\0", at + 4):
        return False
    return kind in _LEAST and length >= _LEAST[kind]


def _decoded(data: bytes, mode: str, size: tuple[int, int]) -> Image.Image | None:
    try:
        image = Image.frombytes(mode, size, data, "jpeg", mode, "", 1, 0)
    except Exception:  # Image.open says what is wrong
        return None
    return image if mode == "RGB" else image.convert("RGB")


def _made() -> list[bytes]:
    """Return small JPEGs of several kinds, in colour and in grey."""
    files = []
    for width, height, options in _TRIED:
        for mode in _MODES.values():
            image, file = Image.radial_gradient("L").resize((width, height)).convert(mode), BytesIO()
            image.save(file, "JPEG", **options)
            files.append(file.getvalue())
    return files


def _same(data: bytes) -> bool:
    frame = plain_frame(data)
    found = frame and _decoded(data, *frame)
    with Image.open(BytesIO(data), formats=("JPEG",)) as image:
        wanted = image.convert("RGB")
    return found is not None and (found.size, found.tobytes()) == (wanted.size, wanted.tobytes())
