"""Files that libraries of their own decode: read where these are there, named where they are not; keys know of them."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frostline.stages.datasets import open_dataset
from frostline.stages.errors import DataError, UnreadableSample
from frostline.stages.modalities.image.codecs import AVIF, GREY16, HEIF, codec_of, reads_avif, reads_heif
from frostline.stages.modalities.image.decode import bits_used, decode, decoder, find_fault
from frostline.stages.modalities.image.modality import IMAGE
from support.pictures import encoded, picture, plant, put

needs_avif = pytest.mark.skipif(not reads_avif(), reason="this Pillow is built without libavif")
needs_heif = pytest.mark.skipif(not reads_heif(), reason="pillow-heif is not installed")
FLAT = Image.new("RGB", (32, 24), (200, 60, 20))
HEIC = b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(64)


def heic(image: Image.Image, **how: object) -> bytes:
    import pillow_heif

    pillow_heif.register_heif_opener()
    return encoded(image, "HEIF", **how)


def grey16(top: int, kind: str = "PNG") -> bytes:
    values = np.linspace(0, top, 64).astype(np.uint16).reshape(8, 8)
    values[-1, -1] = top
    return encoded(Image.fromarray(values), kind)


@needs_avif
def test_avif_comes_out_near_to_what_went_in():
    assert np.abs(np.asarray(decode(encoded(FLAT, "AVIF"))).astype(int) - np.asarray(FLAT)).max() < 8


@needs_avif
def test_the_orientation_of_an_avif_is_applied():
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(encoded(FLAT, "AVIF", exif=exif)).size == (24, 32)


@needs_avif
def test_a_damaged_avif_is_unreadable_with_its_name():
    with pytest.raises(UnreadableSample, match=r"AVIF|header"):
        decode(encoded(FLAT, "AVIF")[:-40])


@needs_heif
def test_heic_comes_out_near_to_what_went_in():
    found = np.asarray(decode(heic(FLAT, quality=95)))
    assert np.abs(found.astype(int) - np.asarray(FLAT)).max() < 12


@pytest.mark.skipif(reads_heif(), reason="pillow-heif is installed")
def test_heic_without_its_package_is_named_with_what_to_install():
    assert find_fault(HEIC) == "a HEIC photograph; pip install 'frostline[heic]' to read it"


def test_heic_that_is_no_more_than_a_header_is_unreadable():
    assert find_fault(HEIC)


@pytest.mark.parametrize(
    "data, codec",
    [
        (b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miafMA1B", AVIF),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", AVIF),
        (b"\0\0\0\x18ftypheix\0\0\0\0mif1heix", HEIF),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", HEIF),
        (b"\0\0\0\x18ftypisom\0\0\0\0mp41avc1", None),
        (grey16(4095), GREY16),
        (grey16(4095, "TIFF"), GREY16),
        (encoded(FLAT), None),
        (encoded(FLAT, "TIFF"), None),
        (encoded(FLAT, "JPEG"), None),
        (b"II*\0", None),
        (b"", None),
    ],
)
def test_the_first_bytes_say_which_library_decodes(data, codec):
    assert codec_of(data) == codec


def test_the_decoder_of_other_files_knows_nothing_of_these():
    assert decoder() == IMAGE.decoder(codecs=frozenset({GREY16})) == IMAGE.decoder(bit_depth=12)
    assert IMAGE.decoder(codecs=frozenset({AVIF})).startswith(f"{decoder()}, libavif ")
    assert IMAGE.decoder(codecs=frozenset({GREY16}), bit_depth=12) == f"{decoder()}, 16-bit grey of 12 bits"


@needs_avif
@pytest.mark.parametrize("name", ["x.avif", "x.jpg"])
def test_a_split_with_an_avif_has_its_decoder_in_its_key_and_no_other(tmp_path, name):
    plant(tmp_path, {"train/cat": 2, "train/dog": 2, "test/cat": 1, "test/dog": 1})
    put(tmp_path / f"train/dog/{name}", encoded(picture(), "AVIF"))
    memory = tmp_path / "memory"
    for _ in range(2):  # the second time from memory
        train, test = open_dataset(f"folder:{tmp_path}", memory=memory).splits
        assert not train.problems and dict(train.codecs) == {4: AVIF}
        assert "libavif" in train.decoder(None) and test.decoder(None) == decoder()
        assert train.take(np.array([0, 1]), "some").decoder(None) == decoder()
        assert train.read(4).size == picture().size


@pytest.mark.parametrize(
    "data, what",
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", ": a Git LFS pointer; git lfs pull fetches"),
        (b"\n<!DOCTYPE html><html>", ": a web page; download the image again"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", ": JPEG XL; save it as PNG or JPEG"),
        (b"8BPS\0\1", ": a Photoshop file"),
        (b"<svg xmlns=", ": an SVG drawing"),
        (b"anything", ""),
    ],
)
def test_what_is_no_image_is_named(data, what):
    fault = find_fault(data)
    assert fault.startswith(f"not an image in a known format{what}") and (what or fault.endswith("format"))


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_a_bit_depth_spreads_its_values_over_the_whole_range(kind, bits):
    data = grey16(2**bits - 1, kind)
    assert bits_used(data) == bits
    spread, dark = (np.asarray(decode(data, bit_depth=depth)) for depth in (bits, None))
    assert (spread.min(), spread.max()) == (0, 255) and dark.max() <= 64
    values = np.asarray(Image.open(BytesIO(data))).astype(float)
    assert np.abs(spread[..., 0] - values / (2**bits - 1) * 255).max() <= 0.5


def test_a_value_beyond_the_bit_depth_is_unreadable_and_says_which_would_do():
    with pytest.raises(UnreadableSample, match=r"a value of 4,095 where 10 bits hold 1,023; expected bit-depth 12"):
        decode(grey16(4095), bit_depth=10)


@pytest.mark.parametrize("top, said", [(1000, "--bit-depth 10"), (4095, "--bit-depth 12"), (60000, None)])
def test_sixteen_bit_images_that_use_fewer_are_noted(tmp_path, top, said):
    for i, place in enumerate(("train/cat", "train/dog", "test/cat", "test/dog")):
        put(tmp_path / place / "a.png", grey16(top - i))
    notes = "\n".join(open_dataset(f"folder:{tmp_path}").notes)
    assert (said in notes and "look dark" in notes) if said else not notes
    assert not open_dataset(f"folder:{tmp_path}", bit_depth=16).notes


def test_a_class_that_is_empty_because_its_files_cannot_be_read_says_so(tmp_path):
    plant(tmp_path, {"train/cat": 2, "test/cat": 1})
    for i in range(12):
        put(tmp_path / f"train/dog/{i:02d}.heic", HEIC)
    with pytest.raises(DataError) as caught:
        open_dataset(f"folder:{tmp_path}")
    said = str(caught.value)
    assert "12 samples can't be read:\n  train/dog/00.heic: " in said and "… and 2 more\nand without them" in said
    assert "class 'dog': no training sample, 0 test samples" in said


def test_a_class_of_files_of_other_kinds_names_one(tmp_path):
    plant(tmp_path, {"train/cat": 2, "test/cat": 1})
    put(tmp_path / "train/dog/a.jxl", b"\xff\x0a")
    with pytest.raises(DataError, match=r"train/dog: no sample; 1 file of other kinds, such as train/dog/a\.jxl"):
        open_dataset(f"folder:{tmp_path}")


def test_no_package_of_these_is_loaded_for_other_files(tmp_path: Path):
    plant(tmp_path, {"train/cat": 2, "train/dog": 2, "test/cat": 1, "test/dog": 1})
    code = (
        "import sys; from frostline.stages.datasets import open_dataset\n"
        f"open_dataset('folder:{tmp_path}').train.read(0)\n"
        "assert 'pillow_heif' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
