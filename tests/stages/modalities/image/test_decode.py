"""Each kind of image file has one meaning."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.image.decode import MAX_PIXELS, decode, decoder, find_fault
from support.pictures import encoded, picture

GREY = np.array([[0, 100], [200, 255]], np.uint8)


def pixels(data: bytes) -> NDArray[np.uint8]:
    image = decode(data)
    assert image.mode == "RGB"
    return np.asarray(image)


def grey(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(values[..., None], 3, axis=2)


def png(kind: int, bits: int, rows: bytes, *extra: tuple[bytes, bytes], size: tuple[int, int] = (2, 2)) -> bytes:
    """Return a PNG written by hand; ``rows``: filter byte and samples of each row."""
    header = struct.pack(">IIBBBBB", *size, bits, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def stored_as(upright: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return the pixels that a camera writes for this orientation (EXIF 2.3, table 3)."""
    turned = np.swapaxes(upright, 0, 1) if orientation >= 5 else upright
    axes = {1: (), 2: (1,), 3: (0, 1), 4: (0,), 5: (), 6: (0,), 7: (0, 1), 8: (1,)}
    return np.flip(turned, axes[orientation])


def raise_fault(data: bytes) -> None:
    fault = find_fault(data)
    if fault:
        raise UnreadableSample(fault)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_colour_comes_out_as_it_went_in(kind):
    assert np.array_equal(pixels(encoded(picture(1), kind)), np.asarray(picture(1)))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF"])
def test_other_formats_come_out_near_to_what_went_in(kind):
    flat = Image.new("RGB", (16, 16), (200, 60, 20))
    assert np.abs(pixels(encoded(flat, kind)).astype(int) - np.asarray(flat)).max() < 8


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(kind, orientation):
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:8, :8] = 255  # the top left corner of what the photographer saw
    exif = Image.Exif()
    exif[0x0112] = orientation
    camera = Image.fromarray(np.ascontiguousarray(stored_as(upright, orientation)))
    found = pixels(encoded(camera, kind, exif=exif))
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).mean() < 8


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bit_grey_uses_its_whole_range(kind):
    wide = np.array([[0, 257 * 100], [257 * 200, 65535]], np.uint16)
    assert np.array_equal(pixels(encoded(Image.fromarray(wide), kind)), grey(GREY))


def test_sixteen_bit_pgm_uses_its_whole_range():
    data = b"P5 2 2 65535\n" + np.array([0, 257 * 100, 257 * 200, 65535], ">u2").tobytes()
    assert np.array_equal(pixels(data), grey(GREY))


def test_sixteen_bit_colour_keeps_its_high_bytes():
    row = struct.pack(">6H", 0x0102, 0x8000, 0xFFFF, 0x10FF, 0x2000, 0x3000)
    assert pixels(png(2, 16, b"\0" + row + b"\0" + row))[0].tolist() == [[1, 128, 255], [16, 32, 48]]


def test_eight_bit_grey_is_repeated_in_three_channels():
    assert np.array_equal(pixels(encoded(Image.fromarray(GREY))), grey(GREY))


def test_one_bit_images_are_black_and_white():
    assert np.array_equal(pixels(png(0, 1, b"\0\x40\0\x80")), grey(np.array([[0, 255], [255, 0]], np.uint8)))


def test_two_bit_grey_uses_its_whole_range():
    assert np.array_equal(pixels(png(0, 2, b"\0\x10\0\xb0")), grey(np.array([[0, 85], [170, 255]], np.uint8)))


def test_cmyk_becomes_rgb():
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert np.abs(pixels(encoded(red, "JPEG")).astype(int) - [255, 0, 0]).max() < 8
    assert np.array_equal(pixels(encoded(red, "TIFF"))[0, 0], [255, 0, 0])


def test_palette_becomes_rgb():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    assert pixels(encoded(image)).tolist() == [[[10, 20, 30], [200, 100, 50]]]


def test_alpha_is_composited_over_white():
    rgba = Image.fromarray(np.array([[[10, 20, 30, 0], [10, 20, 30, 255], [0, 0, 0, 51]]], np.uint8))
    assert pixels(encoded(rgba)).tolist() == [[[255, 255, 255], [10, 20, 30], [204, 204, 204]]]


def test_grey_with_alpha_is_composited_over_white():
    image = Image.fromarray(np.array([[[50, 0], [50, 255]]], np.uint8), "LA")
    assert pixels(encoded(image)).tolist() == [[[255] * 3, [50] * 3]]


def test_a_transparent_palette_entry_is_white():
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    for kind in ("PNG", "GIF"):
        assert pixels(encoded(image, kind, transparency=0)).tolist() == [[[255] * 3, [200, 100, 50]]]


def test_a_transparent_colour_is_white():
    row = b"\0" + bytes([1, 2, 3, 4, 5, 6])
    assert pixels(png(2, 8, row + row, (b"tRNS", struct.pack(">3H", 1, 2, 3)))).tolist() == [[[255] * 3, [4, 5, 6]]] * 2


def test_a_transparent_bit_is_white():
    found = pixels(png(0, 1, b"\0\x40\0\x80", (b"tRNS", b"\0\0")))
    assert np.array_equal(found, np.full((2, 2, 3), 255))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_is_its_first_frame(kind):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert Image.open(BytesIO(data)).n_frames == 2
    assert pixels(data)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("values", [np.float32([[0.5]]), np.int32([[70000]]), np.int32([[7]])])
def test_samples_without_a_fixed_range_are_refused(values):
    data = encoded(Image.fromarray(values), "TIFF")
    for refuse in (decode, raise_fault):
        with pytest.raises(UnreadableSample, match="no fixed range; save it with 8 or 16 bits"):
            refuse(data)


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "empty file"),
        (b"just some text, no image at all", "not an image in a known format"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "not an image in a known format"),
        (encoded(picture(), "ICO"), "not an image in a known format"),
        (encoded(picture(), "JPEG")[:30], "."),
        (encoded(picture())[:20], "."),
        (encoded(picture(), "JPEG", quality=95)[:-40], "damaged or unsupported JPEG"),
        (encoded(picture())[:-40], "damaged or unsupported PNG"),
        (png(2, 8, b"", size=(20_000, 20_000)), "too large"),
        (png(2, 8, b"", size=(9_000, 9_000)), r"too large \(9,000 × 9,000 pixels declared; the limit is 80 megapixels"),
    ],
    ids=["empty", "text", "eps", "ico", "jpeg-header", "png-header", "jpeg-cut", "png-cut", "bomb", "large"],
)
def test_what_is_no_image_is_refused_with_the_reason_before_and_at_decoding(data, reason):
    with pytest.raises(UnreadableSample, match=reason):
        decode(data)
    with pytest.raises(UnreadableSample, match=reason):
        raise_fault(data)


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_a_cut_off_file_of_any_format_is_refused_at_decoding(kind):
    data = encoded(picture(size=(64, 64)), kind)
    with pytest.raises(UnreadableSample):
        decode(data[: len(data) // 2])


def test_a_bomb_as_jpeg_is_refused_from_its_header():
    data = bytearray(encoded(picture(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(UnreadableSample, match="too large"):
        raise_fault(bytes(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
def test_a_whole_image_has_no_fault(kind):
    assert find_fault(encoded(picture(), kind)) is None


@pytest.mark.parametrize("options", [{"progressive": True}, {"comment": b"\xff\xd9"}, {"exif": b"Exif\0\0II*\0"}])
def test_a_whole_jpeg_of_any_make_has_no_fault(options):
    assert find_fault(encoded(picture(), "JPEG", **options)) is None


def test_a_jpeg_whose_thumbnail_alone_is_whole_is_found_out():
    thumbnail = b"Exif\0\0II*\0" + encoded(picture(), "JPEG")
    assert find_fault(encoded(picture(size=(64, 64)), "JPEG", exif=thumbnail)[:-30]) is not None


def test_the_limit_on_pixels_is_below_the_one_at_which_pillow_warns():
    assert Image.MAX_IMAGE_PIXELS is not None and MAX_PIXELS < Image.MAX_IMAGE_PIXELS


def test_the_decoder_names_its_version():
    assert decoder().startswith(f"Pillow {Image.__version__}, libjpeg-turbo ")
