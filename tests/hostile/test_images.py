"""Images of every kind and every damage: each is used as what it is or left out for a reason that names the cause."""

from __future__ import annotations

import os
import re
import resource
import struct
import time
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from faults.children import Child
from faults.counts import Points
from frostline.pipeline.plan.inputs import check_bad
from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.datasets import open_dataset
from frostline.stages.errors import DataError, UnreadableSample
from frostline.stages.extract.extraction import Extraction, extract
from frostline.stages.modalities.image.decode import decode, find_fault
from frostline.stages.modalities.image.spec import MAX_PIXELS
from frostline.stages.store import FeatureStore, Layout, Provenance, load
from frostline.stages.store.key import FeatureKey
from frostline.stages.store.targets import target_file
from support.pictures import encoded, picture, plant, put

MUTATIONS = 10_000


def png(width: int, height: int, data: bytes = b"", *, bits: int = 8, kind: int = 2) -> bytes:
    """Return a PNG that declares what it likes."""
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")]
    packed = (struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(picture(orientation), "JPEG", exif=exif)


def mode(name: str, kind: str = "PNG") -> bytes:
    return encoded(picture(len(name)).convert(name), kind)


def wide_grey(kind: str) -> bytes:
    return encoded(Image.fromarray(np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000), kind)


def animated(kind: str) -> bytes:
    return encoded(picture(1), kind, save_all=True, append_images=[picture(2), picture(3)])


NOISE = picture(9, (64, 48))
JPEG, PNG = encoded(NOISE, "JPEG"), encoded(NOISE)

GOOD: dict[str, bytes] = {
    **{f"mode {name}.png": mode(name) for name in ("1", "L", "LA", "P", "RGB", "RGBA")},
    **{f"mode {name}.tif": mode(name, "TIFF") for name in ("1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr")},
    **{f"mode {name}.jpg": mode(name, "JPEG") for name in ("L", "RGB", "CMYK", "YCbCr")},
    **{f"mode {name}.webp": mode(name, "WEBP") for name in ("RGB", "RGBA")},
    **{f"16 bit.{ending}": wide_grey(kind) for ending, kind in (("png", "PNG"), ("tiff", "TIFF"))},
    **{f"orientation {i}.jpg": turned(i) for i in range(1, 9)},
    **{f"animated.{kind.lower()}": animated(kind) for kind in ("GIF", "WEBP")},
    "animated.apng": animated("PNG"),
    "pages.tiff": animated("TIFF"),
    "progressive.jpg": encoded(NOISE, "JPEG", progressive=True),
    "interlaced by a viewer.bmp": encoded(NOISE, "BMP"),
    "device independent.dib": encoded(NOISE, "DIB"),
    "portable.ppm": encoded(NOISE, "PPM"),
    "a png by another name.jpg": encoded(picture(11)),
    "a jpeg by another name.PNG": encoded(picture(12), "JPEG"),
    "one pixel.png": encoded(picture(13, (1, 1))),
    "a line.png": encoded(picture(14, (300, 1))),
    "猫の写真.png": encoded(picture(15)),
    "кошка.png": encoded(picture(16)),
    "قطة.png": encoded(picture(17)),
    "🐈 with spaces.png": encoded(picture(18)),
    os.fsdecode(b"no text \xff\xfe.png"): encoded(picture(19)),
    "a line\nbreak.png": encoded(picture(20)),
    "\x1b[31mred.png": encoded(picture(21)),
    "=1+2.png": encoded(picture(22)),
    "<script>alert(1)<.png": encoded(picture(23)),
    "a jpeg with words behind it.jpg": JPEG + b"words",
}
BAD: dict[str, tuple[bytes, str]] = {
    "empty.png": (b"", "empty file"),
    "a text.jpg": (b"once upon a time", "not an image in a known format"),
    "a page.png": (b"<html></html>", "not an image in a known format"),
    "a program.jpg": (b"\x7fELF" + bytes(200), "not an image in a known format"),
    "a vector drawing.png": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image in a known format"),
    "postscript.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "not an image in a known format"),
    "an icon.png": (encoded(picture(), "ICO"), "not an image in a known format"),
    "zeros.jpg": (bytes(1000), "not an image in a known format"),
    "a jpeg cut off.jpg": (JPEG[: len(JPEG) // 2], "truncated"),
    "a jpeg without its end.jpg": (JPEG[:-30], "truncated"),
    "a jpeg's first bytes.jpg": (JPEG[:3], "not an image|damaged header"),
    "a png cut off.png": (PNG[: len(PNG) // 2], "truncated|damaged"),
    "a png's signature.png": (PNG[:8], "damaged header|not an image"),
    "a damaged png.png": (PNG[:100] + bytes(50) + PNG[150:], "damaged"),
    "a gif cut off.gif": (encoded(NOISE, "GIF")[:900], "truncated|damaged"),
    "a bmp cut off.bmp": (encoded(NOISE, "BMP")[:900], "truncated|damaged"),
    "a tiff cut off.tif": (encoded(NOISE, "TIFF")[:900], "damaged"),
    "a webp cut off.webp": (encoded(NOISE, "WEBP", lossless=True)[:900], "damaged|not an image"),
    "a bomb of 400 megapixels.png": (png(20_000, 20_000), "too large"),
    "a bomb of 81 megapixels.png": (png(9_000, 9_000), "too large"),
    "4 billion wide.png": (png(2**32 - 1, 1), "too large|damaged"),
    "no height.png": (png(8, 0), "damaged|too large|not an image"),
    "float.tif": (encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), "no fixed range"),
    "32 bit.tif": (encoded(Image.fromarray(np.ones((4, 4), np.int32)), "TIFF"), "no fixed range"),
    "less than it declares.png": (png(64, 64, b"\0" * 100), "damaged"),
}
SPECIAL = {"pipe.png": "not a regular file", "device.png": "not a regular file", "gone.png": "a broken link"}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A folder of two classes: all that is good and bad, and a tree that leads in circles."""
    root = tmp_path / "corpus"
    plant(root, {"train/plain": 2, "test/all": 1, "test/plain": 1})
    for name, data in [*GOOD.items(), *((name, data) for name, (data, _) in BAD.items())]:
        put(root / "train" / "all" / name, data)
    folder = root / "train" / "all"
    os.mkfifo(folder / "pipe.png")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "gone.png").symlink_to("nowhere")
    (folder / "circle").symlink_to("..")
    (folder / "itself").symlink_to("itself")
    return root


def test_of_every_kind_of_image_each_is_used_or_left_out_for_a_reason_that_names_the_cause(
    corpus: Path, tmp_path: Path, points: Points
) -> None:
    train = open_dataset(f"folder:{corpus}").train
    backbone = load_backbone(BackboneRequest("pixels", preprocessing={"resize": (8, 8)}), picture())
    key = FeatureKey(train.content, backbone.spec, "a decoder")
    layout = Layout(key.fields(), train.dataset, "train", len(train), backbone.width, 16)
    features = FeatureStore(tmp_path / "features").begin(layout, Provenance(), target_file(train.targets, train.ids))
    extract(Extraction(train, backbone, features, batch_size=8))
    reasons = {bad.id.removeprefix("train/all/"): bad.reason for bad in features.quarantined()}
    wanted = {name: reason for name, (_, reason) in BAD.items()} | SPECIAL
    assert set(reasons) == set(wanted)
    assert [name for name in wanted if not re.search(wanted[name], reasons[name])] == []
    read = load(features)
    assert len(read) + len(reasons) == len(train) == len(GOOD) + len(BAD) + len(SPECIAL) + 2
    assert np.isfinite(read.X).all() and len(GOOD) + len(BAD) + len(SPECIAL) >= 60
    points.add("image fixtures", len(GOOD) + len(BAD) + len(SPECIAL))


def test_a_name_can_not_steer_the_terminal_it_is_listed_on(tmp_path: Path) -> None:
    root = plant(tmp_path / "pets", {"train/a": 2, "train/b": 2, "test/a": 1})
    put(root / "train/a/\x1b]0;owned\x07\x1b[2J\n.png", b"")
    train = open_dataset(f"folder:{root}").train
    with pytest.raises(DataError) as caught:
        check_bad([f"{train.ids[row]}: {reason}" for row, reason in train.problems.items()], 0)
    said = str(caught.value)
    assert "\x1b" not in said and "\x07" not in said and r"\x1b]0;owned" in said


def mutated(sound: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes with some changed, cut out, doubled or put in, or the end cut off."""
    data = bytearray(sound)
    for _ in range(rng.integers(1, 6)):
        at, n = int(rng.integers(len(data) + 1)), int(rng.integers(1, 9))
        how = rng.integers(5)
        if how == 0:
            data[at : at + n] = rng.bytes(n)
        elif how == 1:
            data[at : at + n] = b""
        elif how == 2:
            data[at:at] = data[at : at + 4 * n]
        elif how == 3:
            data[at : at + n] = bytes([rng.choice([0, 0x7F, 0x80, 0xFF])]) * n
        elif rng.random() < 0.3:
            del data[at:]
    return bytes(data)


def examine(data: bytes) -> str:
    """Return ``ok``, or the reason to leave the image out; anything else raises."""
    fault = find_fault(data)
    try:
        image = decode(data)
    except UnreadableSample as error:
        assert str(error).strip()
        return str(error)
    assert fault is None and image.mode == "RGB" and 0 < image.width * image.height <= MAX_PIXELS
    return "ok"


def test_ten_thousand_mutated_images_crash_nothing_and_hang_nothing(points: Points) -> None:
    seeds = [data for data in GOOD.values() if len(data) < 20_000]
    seeds += [data for data, _ in BAD.values() if 8 < len(data) < 20_000]

    def go(tell: Callable[[str], object]) -> None:
        warnings.simplefilter("ignore")  # Pillow warns of much that is odd
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (2 << 30), used + (2 << 30)))
        rng, counts, slowest = np.random.default_rng(0), {"ok": 0, "left out": 0}, 0.0
        for i in range(MUTATIONS):
            data, started = mutated(seeds[i % len(seeds)], rng), time.process_time()
            counts["ok" if examine(data) == "ok" else "left out"] += 1
            slowest = max(slowest, time.process_time() - started)
        tell(f"{counts['ok']} {counts['left out']} {slowest:.1f}")

    child = Child(go)
    assert child.wait() == 0
    ok, left_out, slowest = map(float, child.told[0].split())
    assert ok + left_out == MUTATIONS and min(ok, left_out) > MUTATIONS / 20
    assert slowest < 60  # none hangs
    points.add("mutated images", MUTATIONS)
