"""Bytes to an RGB image: the one meaning that each kind of file has here.

========================  =====================================================
found                     meaning
========================  =====================================================
EXIF orientation          applied
16-bit grey               the whole range 0..65535 scaled to 0..255
CMYK, YCbCr, palette, 1   converted to RGB by Pillow
alpha, transparent index  composited over white
animation, many pages     the first frame
float or 32-bit samples   refused: no fixed range
========================  =====================================================
"""

from __future__ import annotations

import warnings
from functools import cache
from io import BytesIO

import numpy as np
import PIL
from PIL import Image, ImageOps, features

from stages.errors import UnreadableImage

EXTENSIONS = frozenset(
    ".jpg .jpeg .jpe .jfif .png .apng .webp .bmp .dib .gif .tif .tiff .ppm .pgm .pbm .pnm".split()
)
MAX_PIXELS = 100_000_000
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM")

# MAX_PIXELS is the limit here, and an error rather than a warning.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@cache
def decoder() -> str:
    """Return the decoder and its version, as it stands in a feature key."""
    return f"Pillow {PIL.__version__}, libjpeg-turbo {features.version('libjpeg_turbo') or 'absent'}"


def check_header(data: bytes) -> str | None:
    """Return why an image's first bytes make it unreadable, or None. Decodes no pixel."""
    try:
        _open(data)
    except UnreadableImage as error:
        return str(error)
    return None


def decode(data: bytes) -> Image.Image:
    """Return the 8-bit RGB image that a file's bytes hold.

    Raises UnreadableImage with the reason: empty, of no known format, too large, damaged.
    """
    image = _open(data)
    try:
        image.load()
        return to_rgb(ImageOps.exif_transpose(image))
    except UnreadableImage:
        raise
    except Exception as error:  # Pillow's decoders raise many types on damaged bytes
        raise UnreadableImage(f"damaged {image.format} ({_first_line(error)})") from error


def to_rgb(image: Image.Image) -> Image.Image:
    """Return any image as 8-bit RGB by the rules above."""
    if image.mode.startswith("I;16") or image.mode == "I":
        return _grey16(image).convert("RGB")
    if image.mode == "F":
        raise UnreadableImage("float samples have no fixed range; save it with 8 or 16 bits")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _open(data: bytes) -> Image.Image:
    if not data:
        raise UnreadableImage("empty file (0 bytes)")
    try:
        image = Image.open(BytesIO(data), formats=_FORMATS)
    except PIL.UnidentifiedImageError as error:
        raise UnreadableImage("not an image of a known format") from error
    except Image.DecompressionBombError as error:
        raise UnreadableImage(f"too large ({_first_line(error)})") from error
    except Exception as error:  # a header that lies raises whatever its parser meets
        raise UnreadableImage(f"damaged header ({_first_line(error)})") from error
    if image.width * image.height > MAX_PIXELS:
        found = f"{image.width:,} × {image.height:,} pixels declared"
        raise UnreadableImage(f"too large ({found}; the limit is {MAX_PIXELS // 10**6} megapixels)")
    return image


def _grey16(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise UnreadableImage("32-bit samples have no fixed range; save it with 8 or 16 bits")
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0] or type(error).__name__
