"""Bytes to an RGB image: the one meaning that each kind of file has here.

==========================  ==================================================
found                       meaning
==========================  ==================================================
EXIF orientation            applied
16-bit grey                 the whole range 0..65535, or that of fewer bits,
                            scaled to 0..255
16-bit colour or alpha      the high byte of each sample
CMYK, YCbCr, palette, 1 bit converted to RGB by Pillow
alpha, transparent colour   composited over white
animation, many pages       the first frame
float or 32-bit samples     refused: no fixed range
==========================  ==================================================

The bytes decide what a file is, not the ending of its name. AVIF and HEIC files are read by libraries of their own,
see ``codecs``. Plain JPEG files take a shorter way to the same pixels, see ``jpeg``. A JPEG that is damaged in the
middle decodes without an error, as in every libjpeg program. A JPEG alone can be decoded at
1/2, 1/4 or 1/8 of its size, for less: see ``decode``.
"""

from __future__ import annotations

import warnings
from functools import cache
from io import BytesIO

import numpy as np
import PIL
from PIL import Image, ImageOps, features

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.image.codecs import formats_for, what_it_is
from frostline.stages.modalities.image.jpeg import decode_plain
from frostline.stages.modalities.image.values import MAX_PIXELS

EXTENSIONS = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp", ".dib", ".gif"),
        *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm", ".avif", ".heic", ".heif", ".hif"),
    }
)
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM")

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@cache
def decoder(min_side: int | None = None) -> str:
    """Return the decoder and its version, as it stands in a feature key; ``min_side`` is that of ``decode``."""
    scaled = f", JPEG scaled to {min_side} or more" if min_side else ""
    return f"Pillow {PIL.__version__}, libjpeg-turbo {features.version('libjpeg_turbo') or 'absent'}{scaled}"


def find_fault(data: bytes) -> str | None:
    """Return why a file can't be decoded, as far as that is seen at little cost, or None.

    Finds what is empty, of no known format, too large or of a kind that is refused; and
    JPEG and PNG files that are cut off.
    """
    size = _size_of_whole(data)
    if size and 0 < size[0] * size[1] <= MAX_PIXELS:
        return None
    try:
        if _open(data).format in ("JPEG", "PNG"):
            decode(data)
    except UnreadableSample as error:
        return str(error)
    return None


def decode(data: bytes, min_side: int | None = None, bit_depth: int | None = None) -> Image.Image:
    """Return the 8-bit RGB image that a file's bytes hold.

    With ``min_side`` a JPEG is decoded at the smallest of 1/8, 1/4, 1/2 and 1 whose shorter side
    keeps at least so many pixels; anything else comes whole. ``bit_depth``: how many bits 16-bit grey
    makes use of, 16 by default. Raises UnreadableSample with the
    reason: empty, of no known format, too large, damaged, values beyond the bits.
    """
    plain = decode_plain(data, min_side)
    return decode_any(data, min_side, bit_depth) if plain is None else plain


def decode_any(data: bytes, min_side: int | None = None, bit_depth: int | None = None) -> Image.Image:
    """Return what ``decode`` does, always by ``Image.open``."""
    image = _open(data)
    try:
        _scale(image, min_side)
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        return to_rgb(image, bit_depth)
    except UnreadableSample:
        raise
    except Exception as error:  # Pillow's decoders raise many types on damaged bytes
        raise UnreadableSample(f"damaged or unsupported {image.format} ({_first_line(error)})") from error


def is_scaled(data: bytes, min_side: int) -> bool:
    """Return whether ``decode`` scales an image for ``min_side``; decodes no pixel. Raises UnreadableSample."""
    image = _open(data)
    whole = image.size
    _scale(image, min_side)
    return image.size != whole


def to_rgb(image: Image.Image, bit_depth: int | None = None) -> Image.Image:
    """Return any image as 8-bit RGB by the rules above; ``bit_depth``: see ``decode``.

    Raises UnreadableSample where they refuse it.
    """
    if image.mode == "F":
        raise UnreadableSample("float samples have no fixed range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        return _grey16(image, bit_depth or 16).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _size_of_whole(data: bytes) -> tuple[int, int] | None:
    """Return the (height, width) that a JPEG or PNG declares; None if it is cut off, or anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return (_number(data, 20, 4), _number(data, 16, 4)) if data.rfind(b"IEND") > 0 else None
    at = 2 if data.startswith(b"\xff\xd8\xff") else len(data)
    while data[at : at + 1] == b"\xff":
        if data[at + 1 : at + 2] in (b"\xc0", b"\xc1", b"\xc2"):  # a frame; behind it, the end of the image
            return (_number(data, at + 5, 2), _number(data, at + 7, 2)) if data.rfind(b"\xff\xd9") > at else None
        at += 2 + _number(data, at + 2, 2)
    return None


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _open(data: bytes) -> Image.Image:
    if not data:
        raise UnreadableSample("empty file (0 bytes)")
    try:
        image = Image.open(BytesIO(data), formats=(*_FORMATS, *formats_for(data)))
    except UnreadableSample:
        raise
    except PIL.UnidentifiedImageError as error:
        raise UnreadableSample(what_it_is(data)) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadableSample(f"too large ({_first_line(error)})") from error
    except Exception as error:  # a header that lies raises whatever its parser meets
        raise UnreadableSample(f"damaged header ({_first_line(error)})") from error
    if image.width * image.height > MAX_PIXELS:
        found = f"{image.width:,} × {image.height:,} pixels declared"
        raise UnreadableSample(f"too large ({found}; the limit is {MAX_PIXELS // 10**6} megapixels)")
    if image.mode == "F" or (image.mode == "I" and image.format != "PPM"):
        raise UnreadableSample("32-bit samples have no fixed range; save it with 8 or 16 bits")
    return image


def _scale(image: Image.Image, min_side: int | None) -> None:
    """Have an image that is not loaded yet load at a fraction of its size."""
    if min_side is not None:
        image.draft(None, (min_side, min_side))  # JPEG's alone does anything, and only by 2, 4 and 8


def _grey16(image: Image.Image, bits: int) -> Image.Image:
    values, top = np.asarray(image).astype(np.int64), 2**bits - 1
    if values.min() < 0 or values.max() > 65535:
        raise UnreadableSample("32-bit samples have no fixed range; save it with 8 or 16 bits")
    if values.max() > top:
        needed = int(values.max()).bit_length()
        raise UnreadableSample(
            f"a value of {values.max():,} is above the {top:,} of {bits} bits; expected bit-depth {needed}"
        )
    return Image.fromarray(((values * 255 + top // 2) // top).astype(np.uint8))


def bits_used(data: bytes) -> int:
    """Return how many bits the largest value of a 16-bit grey image takes. Raises UnreadableSample."""
    image = _open(data)
    try:
        image.load()
    except Exception as error:
        raise UnreadableSample(f"damaged or unsupported {image.format} ({_first_line(error)})") from error
    return int(np.asarray(image).max(initial=0)).bit_length()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
