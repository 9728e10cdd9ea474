"""Decoding JPEG files: Frostline's way, Image.open, and torchvision's decoder, by CPU time.

    python -m benchmarks.extraction.decoding [--images FOLDER] [--json FILE]

Three kinds of files: thumbnails of 32 × 32 and photographs of 500 × 375, both made up, quality 90, 4:2:0; and the
images below FOLDER, where one is given. Files are decoded one by one in one thread, in
turns of every way; the table has the median turn of each. ``Image.open`` is what decoded all files before. Of
torchvision's decoder there are the array alone, which is no sample here, and the image that Pillow makes of it.

Speed depends on where the allocator puts the buffer for a row of pixels: if its address is a multiple of 32, libjpeg
writes past the caches what Pillow reads at once. So memory of random sizes is taken between turns and kept: every
way meets both kinds of address.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torchvision.io  # noqa: F401  registers the operation
from PIL import Image
from torch import Tensor

from benchmarks.common.images import SIZES, images_below, made_up, spread
from benchmarks.common.processes import machine
from frostline.stages.modalities.image.decode import decode, decode_any

TURNS = 60
SECONDS = 0.02  # of one turn of one way, about
MADE = 40  # files of each kind


def as_array(data: bytes) -> Tensor:
    found: Tensor = torch.ops.image.decode_jpeg(torch.frombuffer(data, dtype=torch.uint8), 3, False)
    return found


def as_image(data: bytes) -> Image.Image:
    return Image.fromarray(as_array(data).permute(1, 2, 0).numpy())


WAYS: dict[str, Callable[[bytes], object]] = {
    "Image.open": decode_any,
    "Frostline": decode,
    "torchvision, as an image": as_image,
    "torchvision, the array": as_array,
}


def turn(way: Callable[[bytes], object], files: list[bytes]) -> float:
    """Return the microseconds of CPU time that one file takes."""
    started = time.process_time()
    for data in files:
        way(data)
    return (time.process_time() - started) / len(files) * 1e6


def measured(files: list[bytes]) -> dict[str, float]:
    """Return the median of each way's turns."""
    rng = np.random.default_rng(0)
    kept: list[bytearray] = []
    one = turn(decode_any, files) / 1e6
    turns: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(TURNS):
        kept.append(bytearray(int(rng.integers(600, 6000))))
        some = [files[i] for i in rng.integers(0, len(files), max(1, int(SECONDS / one)))]
        for name, way in WAYS.items():
            turns[name].append(turn(way, some))
    return {name: statistics.median(values) for name, values in turns.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", "The given buffer is not writable")
    kinds = {name: list(made_up(size, MADE)) for name, size in SIZES.items()}
    if options.images:
        kinds[str(options.images.name)] = [file.read_bytes() for file in spread(images_below(options.images), 100)]
    found = {name: measured(files) for name, files in kinds.items()}
    for name, values in found.items():
        print(name)
        for way, value in values.items():
            print(f"  {way:<26}{value:9.1f} µs  {values['Image.open'] / value:5.2f} ×")
    if options.json:
        options.json.write_text(json.dumps({"machine": machine(), "microseconds": found}, indent=1))


if __name__ == "__main__":
    main()
