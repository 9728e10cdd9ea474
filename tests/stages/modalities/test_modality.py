"""A modality that a distribution adds: files of it are found, indexed, read and shown without a word of images."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frostline.stages.datasets.memo import GRAIN_NS
from frostline.stages.modalities.base import Transform
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.modalities.registry import MODALITIES
from support.distributions import install
from support.pictures import encoded, picture

WORDS = """
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import Modality, Preview

class Words(Modality[str]):
    name, extensions = "words", frozenset({".txt"})

    def decode(self, data, min_side=None):
        try:
            return data.decode("ascii")
        except UnicodeDecodeError as error:
            raise UnreadableSample("not ASCII") from error

    def find_fault(self, data):
        return None if data.isascii() else "not ASCII"

    def decoder(self, min_side=None):
        return "ASCII 1"

    def preview(self, sample):
        return Preview(text=sample[:5])

    def read_transform(self, fields):
        raise ValueError("no network takes words")

WORDS = Words()
"""
USED = """
import json, sys
from pathlib import Path
import numpy as np
from frostline.pipeline.report.html.thumbnails import Thumbnails
from frostline.stages.datasets import file_samples, index_files, walk
from frostline.stages.targets.values import Targets
root, memory = Path(sys.argv[1]), Path(sys.argv[2])
tree = walk(root, ".", "words")
index = index_files(root, tree.files, memory, modality="words")
again = index_files(root, tree.files, memory, lambda *at: sys.exit("read again"), "words")
targets = Targets(("a", "b"), np.zeros(len(tree.files), np.int64))
samples = file_samples("notes", "all", targets, root, index, "words")
taken = samples.take(np.array([1]), "train").scaled(100)
print(json.dumps({
    "found": tree.files.paths, "others": tree.others, "problems": [*index.problems.values()],
    "same": again.problems == index.problems, "read": taken.read(0), "modality": taken.modality,
    "scaled": taken.any_scaled([0], 1), "shown": Thumbnails(samples, Path()).of("./c.txt", "a note").text,
    "PIL": "PIL" in sys.modules, "torch": "torch" in sys.modules,
}))
"""


def test_files_of_another_modality_are_found_indexed_read_and_shown(tmp_path: Path) -> None:
    install(tmp_path / "site", "words", "frostline.modalities", "words = words:WORDS", WORDS)
    notes = tmp_path / "notes"
    notes.mkdir()
    for name, content in (("a.txt", "ä".encode()), ("c.txt", b"hello world"), ("d.png", b"")):
        (notes / name).write_bytes(content)
    time.sleep(1.1 * GRAIN_NS / 1e9)  # younger files are not remembered
    command = [sys.executable, "-c", USED, str(notes), str(tmp_path / "memory")]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path / "site")}, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["found"] == ["./a.txt", "./c.txt"] and found["others"] == ["./d.png"]
    assert found["problems"] == ["not ASCII"] and found["same"]
    assert (found["read"], found["modality"], found["scaled"]) == ("hello world", "words", False)
    assert found["shown"] == "hello" and not found["torch"]


def test_an_item_of_an_image_is_its_pixels_and_its_shape_the_samples_alone() -> None:
    how: Transform[Image.Image] = Preprocessing(resize=8, crop=(6, 5))
    items = [how.item(picture(seed, size)) for seed, size in enumerate([(20, 30), (64, 9), (4, 4)])]
    assert [list(item) for item in items] == [["pixels"]] * 3
    assert {(item["pixels"].shape, item["pixels"].dtype) for item in items} == {((6, 5, 3), np.dtype(np.uint8))}
    plain, flipped = (how.item(picture(7, (20, 30)), view)["pixels"] for view in ("plain", "hflip"))
    assert np.array_equal(plain[:, ::-1], flipped) and not np.array_equal(plain, flipped)


@pytest.mark.parametrize(
    ("size", "kind", "tiny"), [((8, 6), "png", True), ((48, 48), "png", True), ((200, 49), "jpeg", False)]
)
def test_a_preview_of_an_image_is_small_and_leaves_the_image_alone(
    size: tuple[int, int], kind: str, tiny: bool
) -> None:
    image = picture(0, size)
    shown = MODALITIES.load("image").preview(image)
    assert shown.picture.startswith(f"data:image/{kind};base64,") and shown.tiny is tiny and not shown.text
    assert image.size == size and len(shown.picture) < 10_000


def test_the_modality_of_images_decodes_what_its_endings_promise() -> None:
    image = MODALITIES.load("image")
    data = encoded(picture(0, (640, 480)), "JPEG")
    assert image.decode(data).size == (640, 480) and image.decode(data, 60).size == (80, 60)
    assert image.is_scaled(data, 60) and not image.is_scaled(data, 400)
    assert image.find_fault(data[:100]) and image.find_fault(data) is None
    assert ".jpg" in image.extensions and image.decoder(60) == f"{image.decoder()}, JPEG scaled to 60 or more"
