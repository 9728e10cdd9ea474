"""A JPEG can be decoded at a fraction of its size; everything else about it stays as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frostline.stages.datasets.files import file_samples
from frostline.stages.datasets.index import index_files
from frostline.stages.datasets.samples import Samples
from frostline.stages.datasets.walk import walk
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.image.decode import MAX_PIXELS, decode, decoder, is_scaled
from frostline.stages.targets.values import Targets
from support.pictures import encoded, picture


def smooth(size: tuple[int, int], seed: int = 0) -> Image.Image:
    """Return a picture that looks much the same at a fraction of its size."""
    return picture(seed, (4, 3)).resize(size, Image.Resampling.BICUBIC)


def split(folder: Path, **files: bytes) -> Samples:
    """Return files as one split, in the order of their names."""
    (folder / "x").mkdir()
    for name, data in files.items():
        (folder / "x" / name).write_bytes(data)
    index = index_files(folder, walk(folder, "x").files, None)
    return file_samples("some", "train", Targets(("x",), np.zeros(len(index.paths), np.int64)), folder, index)


@pytest.mark.parametrize(
    ("size", "min_side", "found"),
    [
        ((400, 320), 40, (50, 40)),
        ((400, 320), 41, (100, 80)),
        ((320, 400), 80, (80, 100)),
        ((400, 320), 81, (200, 160)),
        ((400, 320), 161, (400, 320)),
        ((4000, 32), 16, (2000, 16)),
        ((401, 323), 40, (51, 41)),
        ((97, 83), 20, (25, 21)),
        ((9, 17), 1, (2, 3)),
        ((7, 5), 40, (7, 5)),
        ((1, 1), 1, (1, 1)),
    ],
    ids=str,
)
@pytest.mark.parametrize("progressive", [False, True])
def test_the_smallest_scale_is_taken_whose_shorter_side_is_long_enough(
    size: tuple[int, int], min_side: int, found: tuple[int, int], progressive: bool
) -> None:
    data = encoded(smooth(size), "JPEG", progressive=progressive)
    image = decode(data, min_side)
    assert (image.size, image.mode) == (found, "RGB")
    assert is_scaled(data, min_side) == (found != size)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_scaled_jpeg_is_the_same_picture(mode: str) -> None:
    data = encoded(smooth((800, 600)).convert(mode), "JPEG", quality=95)
    whole = decode(data).resize((200, 150), Image.Resampling.BOX)
    assert np.abs(np.asarray(decode(data, 150)).astype(int) - np.asarray(whole)).mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_scaled_jpeg_is_turned_as_the_whole_one_is(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(smooth((320, 240), orientation), "JPEG", exif=exif)
    whole, small = decode(data), decode(data, 60)
    assert small.size == (whole.width // 4, whole.height // 4)
    assert np.abs(np.asarray(small).astype(int) - np.asarray(whole.resize(small.size))).mean() < 4


def test_the_first_of_a_phones_several_pictures_is_scaled() -> None:
    first, second = smooth((320, 240), 1), smooth((320, 240), 2)
    data = encoded(first, "MPO", save_all=True, append_images=[second])
    found = np.asarray(decode(data, 60)).astype(int)
    near, far = (np.abs(found - np.asarray(image.resize((80, 60)))).mean() for image in (first, second))
    assert near < 4 < far


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "GIF", "BMP", "PPM"])
def test_no_other_kind_of_file_is_ever_scaled(kind: str) -> None:
    data = encoded(smooth((400, 320)), kind)
    assert not is_scaled(data, 40)
    assert np.array_equal(np.asarray(decode(data, 40)), np.asarray(decode(data)))


def test_a_jpeg_that_is_not_scaled_has_the_pixels_of_the_whole_one() -> None:
    data = encoded(picture(3, (70, 50)), "JPEG")
    assert np.array_equal(np.asarray(decode(data, 30)), np.asarray(decode(data)))


def test_a_jpeg_that_is_cut_off_or_too_large_is_refused_at_any_scale() -> None:
    data = encoded(picture(3, (400, 320)), "JPEG")
    with pytest.raises(UnreadableSample, match="truncated"):
        decode(data[: len(data) // 2], 40)
    bomb = bytearray(encoded(picture(), "JPEG"))
    frame = bomb.index(b"\xff\xc0")
    bomb[frame + 5 : frame + 9] = (10_000).to_bytes(2) + (MAX_PIXELS // 10_000 + 1).to_bytes(2)
    for read in (decode, is_scaled):
        with pytest.raises(UnreadableSample, match="too large"):
            read(bytes(bomb), 40)


def test_a_decoder_that_scales_has_another_name_for_each_size() -> None:
    assert len({decoder(), decoder(64), decoder(128)}) == 3
    assert decoder() == decoder(None) and decoder(64).startswith(decoder())


def test_samples_of_files_are_read_scaled_in_any_order_and_part(tmp_path: Path) -> None:
    sizes = [(400, 320), (200, 160), (100, 80)]
    samples = split(tmp_path, **{f"{i}.jpg": encoded(smooth(size), "JPEG") for i, size in enumerate(sizes)})
    part = samples.take(np.array([2, 0]), "part")
    assert [part.scaled(80).read(row).size for row in (0, 1)] == [(100, 80), (100, 80)]
    assert [part.read(row).size for row in (0, 1)] == [(100, 80), (400, 320)]
    assert part.any_scaled([0, 1], 80) and not part.any_scaled([0], 80)
    assert part.scaled(None) is part


def test_samples_that_cannot_be_read_are_not_scaled_and_keep_their_reason(tmp_path: Path) -> None:
    samples = split(tmp_path, **{"0.jpg": b"", "1.jpg": encoded(smooth((400, 320)), "JPEG")})
    assert not samples.any_scaled([0], 80) and samples.any_scaled([0, 1], 80)
    with pytest.raises(UnreadableSample, match="empty"):
        samples.scaled(80).read(0)
