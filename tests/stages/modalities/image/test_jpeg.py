"""Plain JPEG files have the pixels, and the errors, that Image.open gives them."""

from __future__ import annotations

import logging
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.image import jpeg
from frostline.stages.modalities.image.decode import decode, decode_any
from frostline.stages.modalities.image.jpeg import agrees, decode_plain, plain_frame
from support.pictures import encoded, picture

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
Result = tuple[str, tuple[int, int], bytes] | str


def smooth(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """Return a picture with the spectrum of a photograph, more or less: blurred noise under noise."""
    blurred = np.asarray(picture(seed, (9, 9)).resize(size, Image.Resampling.BICUBIC)).astype(int)
    noise = np.random.default_rng(seed).integers(-9, 10, blurred.shape)
    return Image.fromarray((blurred + noise).clip(0, 255).astype(np.uint8))


def result(decoder: Any, data: bytes, min_side: int | None = None) -> Result:
    try:
        image = decoder(data, min_side)
    except UnreadableSample as error:
        return str(error)
    return image.mode, image.size, image.tobytes()


def assert_same(data: bytes, min_side: int | None = None) -> None:
    assert result(decode, data, min_side) == result(decode_any, data, min_side)


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def segment(kind: int, content: bytes) -> bytes:
    return bytes([0xFF, kind]) + (len(content) + 2).to_bytes(2, "big") + content


def beginning_with(extra: bytes, data: bytes) -> bytes:
    return data[:2] + extra + data[2:]


OPTIONS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
    "progressive": {"progressive": True},
    "optimised": {"optimize": True},
    "restart intervals": {"restart_marker_blocks": 1},
    "rows of restart intervals": {"restart_marker_rows": 1, "progressive": True},
    "comment": {"comment": "a comment with \u00ff\u00da in it"},
    "density": {"dpi": (72, 300)},
    "ICC profile": {"icc_profile": ICC},
    "RGB without YCbCr": {"keep_rgb": True},
}
NOT_PLAIN: dict[str, bytes] = {
    "EXIF, upright": encoded(smooth((40, 30)), "JPEG", exif=turned(1)),
    "EXIF, turned": encoded(smooth((40, 30)), "JPEG", exif=turned(6)),
    "XMP, turned": encoded(smooth((40, 30)), "JPEG", xmp=XMP),
    "CMYK": encoded(smooth((40, 30)).convert("CMYK"), "JPEG"),
    "MPO": encoded(smooth((40, 30)), "MPO", save_all=True, append_images=[smooth((40, 30), 1)]),
    "PNG": encoded(smooth((40, 30))),
    "Photoshop": beginning_with(segment(0xED, b"Photoshop 3.0\0" + b"8BIM"), encoded(smooth((40, 30)), "JPEG")),
    "short JFIF": beginning_with(segment(0xE0, b"JFIF\0"), encoded(smooth((40, 30)), "JPEG")),
    "short Adobe": beginning_with(segment(0xEE, b"Adobe"), encoded(smooth((40, 30)), "JPEG")),
    "two frames": beginning_with(segment(0xC0, b"\x08\0\x05\0\x05\x01\x01\x11\0"), encoded(smooth((40, 30)), "JPEG")),
    "fill bytes": beginning_with(b"\xff\xff", encoded(smooth((40, 30)), "JPEG")),
    "junk": beginning_with(b"junk", encoded(smooth((40, 30)), "JPEG")),
    "a long header": beginning_with(segment(0xFE, bytes(20_000)), encoded(smooth((40, 30)), "JPEG")),
    "nothing": b"",
    "the first bytes alone": b"\xff\xd8\xff",
}


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("name", OPTIONS)
def test_plain_files_have_the_pixels_of_image_open(name: str, mode: str) -> None:
    for size in ((1, 1), (7, 70), (33, 16), (500, 375)):
        for quality in (30, 75, 100):
            data = encoded(smooth(size).convert(mode), "JPEG", quality=quality, **OPTIONS[name])
            assert plain_frame(data) == (mode, size)
            found = decode_plain(data)
            assert found is not None and (found.mode, found.size) == ("RGB", size)
            assert found.tobytes() == decode_any(data).tobytes()


@settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    quality=st.integers(1, 100),
    subsampling=st.integers(0, 2),
    flags=st.fixed_dictionaries({"progressive": st.booleans(), "optimize": st.booleans()}),
    grey=st.booleans(),
    behind=st.binary(max_size=8),
    min_side=st.none() | st.integers(1, 80),
)
def test_all_sizes_and_qualities_agree(
    size: tuple[int, int],
    quality: int,
    subsampling: int,
    flags: dict[str, bool],
    grey: bool,
    behind: bytes,
    min_side: int | None,
) -> None:
    image = smooth(size, quality).convert("L" if grey else "RGB")
    data = encoded(image, "JPEG", quality=quality, subsampling=subsampling, **flags)
    assert decode_plain(data + behind) is not None
    assert_same(data + behind, min_side)


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_all_other_files_are_left_to_image_open(name: str) -> None:
    assert plain_frame(NOT_PLAIN[name]) is None
    assert_same(NOT_PLAIN[name])


def test_a_file_that_is_to_be_scaled_is_left_to_image_open() -> None:
    data = encoded(smooth((64, 40)), "JPEG")
    assert decode_plain(data, 20) is None and decode_plain(data, 21) is not None
    for min_side in (1, 19, 20, 21, 64):
        assert_same(data, min_side)


def test_a_file_that_declares_too_many_pixels_is_left_to_image_open() -> None:
    data = encoded(smooth((16, 16)), "JPEG")
    at = data.index(b"\xff\xc0")
    larger = data[: at + 5] + b"\xff\xff\xff\xff" + data[at + 9 :]
    assert plain_frame(data) == ("RGB", (16, 16)) and plain_frame(larger) is None
    assert_same(larger)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_files_that_are_cut_off_give_the_same_errors(options: dict[str, Any]) -> None:
    data = encoded(smooth((48, 48)), "JPEG", **options)
    for end in range(0, len(data), 50):
        assert_same(data[:end])
    assert_same(data[:-1])
    assert_same(data[:-2])


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(40, 40), (500, 375)])
def test_damaged_files_come_out_alike(size: tuple[int, int], progressive: bool) -> None:
    """The larger ones are given to libjpeg in several pieces by Image.open."""
    small = size == (40, 40)
    data = encoded(smooth(size), "JPEG", quality=75 if small else 98, progressive=progressive)
    assert small or len(data) > 1 << 16
    rng = np.random.default_rng(0)
    for _ in range(500 if small else 40):
        damaged = bytearray(data)
        end = len(data) if rng.integers(2) else 700
        for at in rng.integers(2, min(end, len(data)), rng.integers(1, 4)):
            damaged[at] = rng.choice([0, 0xFF, 0xDA, 0xD9, rng.integers(256)])
        assert_same(bytes(damaged))


def test_real_images_agree(assets: Path) -> None:
    with tarfile.open(assets / "cifar10-jpg.tar.gz") as archive:
        members = (member for member in archive if member.name.endswith(".jpg"))
        opened = (archive.extractfile(next(members)) for _ in range(300))
        files = [file.read() for file in opened if file]
    files += [file.read_bytes() for file in sorted((assets / "vision").rglob("*.jpg"))[:60]]
    for data in files:
        assert_same(data)
    assert sum(decode_plain(data) is not None for data in files) > 0.9 * len(files)


def test_threads_decode_at_once() -> None:
    files = [encoded(smooth((40 + i, 30), i), "JPEG") for i in range(40)] * 10
    wanted = [decode_any(data).tobytes() for data in files]
    agrees.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        assert [image.tobytes() for image in pool.map(decode, files)] == wanted


def test_a_decoder_with_other_pixels_is_not_used(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data = encoded(smooth((40, 30)), "JPEG")
    real = Image.frombytes

    def brighter(*given: Any) -> Image.Image:
        return real(*given).point(lambda value: value + 1)

    monkeypatch.setattr(jpeg.Image, "frombytes", brighter)
    agrees.cache_clear()
    try:
        with caplog.at_level(logging.INFO, "frostline"):
            assert decode_plain(data) is None and decode_plain(data) is None
        assert [record.levelname for record in caplog.records] == ["INFO"]
        assert "expected the same pixels" in caplog.text
        assert_same(data)
    finally:
        agrees.cache_clear()


def test_a_pillow_without_this_way_still_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(smooth((40, 30)), "JPEG")

    def refused(*_: Any) -> Image.Image:
        raise TypeError("frombytes takes 3 arguments")

    monkeypatch.setattr(jpeg.Image, "frombytes", refused)
    agrees.cache_clear()
    try:
        assert not agrees() and decode(data).size == (40, 30)
    finally:
        agrees.cache_clear()
