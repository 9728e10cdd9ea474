"""Photographs: what decoding takes beside the backbone, whole and scaled, and what scaling does to the features.

    python -m benchmarks.extraction.photographs [--images FOLDER] [--weights mobilenet_v2=FILE ...] [--json FILE]

The photographs are made here: JPEG, quality 90, 4:2:0. Each is one of IMAGES enlarged, or leaves of all sizes
that lie over each other where none are given, under noise with the spectrum of natural images. Three tables:

- an image at 224 px (shorter side 256, bilinear), in ms of one core: its SHA-256, decoding and resizing, whole
  and scaled as ``--decode scaled`` does
- a whole extraction, the store included, of whole and of scaled images, in turn, and the network alone in the
  same precision on ready batches; random weights serve
- how the fp32 features of scaled images agree with those of whole ones, at 2 to 5 times the size they are
  resized to (all at 1/4): with the weights given, which should be trained
"""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from benchmarks.common.images import images_below, write
from benchmarks.common.processes import machine
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.make import make_plan
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.settings import ExtractSettings
from frostline.pipeline.steps.features import extract_missing
from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.calibrate.precision import agreement
from frostline.stages.modalities.image.decode import decode, decoder
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.modalities.image.transform import preprocess

SIZES = ((500, 375), (4000, 3000))
HOW = Preprocessing(256, 224)
TIMES = 5  # what frostline.pipeline.plan.numeric_mode takes
BATCH = 16
FULL = 80  # images, of which a fifth is the test split: so many fill the batches of both
COMPARED = 16


def natural_noise(size: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return noise (height, width), deviation 1, whose amplitude falls with the frequency; it tiles the plane."""
    width, height = size
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((height, width))) / frequency, (height, width))
    result: NDArray[np.float32] = (noise / noise.std()).astype(np.float32)
    return result


def leaves(size: tuple[int, int], rng: np.random.Generator) -> Image.Image:
    """Return discs of all sizes and colours, one over the other: edges at every scale, as in natural images."""
    image = Image.new("RGB", size)
    draw = ImageDraw.Draw(image)
    for radius in size[1] / np.sqrt(rng.uniform(6, 60_000, 3000)):
        x, y = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        box = (x - radius, y - radius, x + radius, y + radius)
        draw.ellipse(box, fill=tuple(rng.integers(0, 256, 3).tolist()))
    return image


def photographs(size: tuple[int, int], n: int, sources: list[Path]) -> list[bytes]:
    rng = np.random.default_rng(0)
    noise, made = natural_noise(size, rng), []
    for i in range(n):
        if sources:
            image = Image.open(sources[i * len(sources) // n]).convert("RGB").resize(size, Image.Resampling.BICUBIC)
        else:
            image = leaves(size, rng)
        moved = np.roll(noise, tuple(rng.integers(0, size[::-1])), (0, 1))
        file = BytesIO()
        values = (np.asarray(image) + 10 * moved[..., None]).clip(0, 255).astype(np.uint8)
        Image.fromarray(values).save(file, "JPEG", quality=90, subsampling="4:2:0")
        made.append(file.getvalue())
    return made


def core_ms(work: Callable[[bytes], object], images: list[bytes]) -> float:
    """Return the median time of a core that an image takes, in ms."""
    times = []
    for image in images:
        started = time.process_time()
        work(image)
        times.append(time.process_time() - started)
    return 1000 * statistics.median(times)


def _resized(data: bytes, min_side: int | None) -> np.ndarray:
    return preprocess(decode(data, min_side), HOW)


def costs(images: list[bytes]) -> dict[str, float]:
    min_side = TIMES * 256
    found = {"megabytes": statistics.mean(map(len, images)) / 1e6}
    found["sha256"] = core_ms(lambda data: hashlib.sha256(data).digest(), images)
    for name, size in (("full", None), ("scaled", min_side)):
        found[f"decode {name}"] = core_ms(partial(decode, min_side=size), images)
        found[f"resize {name}"] = core_ms(partial(_resized, min_side=size), images) - found[f"decode {name}"]
    return found


def planned(data_dir: str, settings: dict[str, Any]) -> Plan:
    return make_plan(open_inputs(ExtractSettings(data_dir=Path(data_dir), **settings)))


def extraction(settings: dict[str, Any]) -> tuple[float, float]:
    """Return the seconds that one image takes in a whole extraction: of the clock, of all cores."""
    with tempfile.TemporaryDirectory() as data_dir:
        plan = planned(data_dir, settings)
        plan.load_network().embed(
            {"pixels": np.zeros((BATCH, *plan.spec.size, 3), np.uint8)}
        )  # the first pass warms up
        started, began = time.perf_counter(), time.process_time()
        rows = sum(done.computed for done in extract_missing(plan))
        return (time.perf_counter() - started) / rows, (time.process_time() - began) / rows


def alone(settings: dict[str, Any], batch: NDArray[np.uint8], batches: int) -> tuple[float, float]:
    """Return the same for the network on a ready batch."""
    with tempfile.TemporaryDirectory() as data_dir:
        backbone = planned(data_dir, settings).load_network()
    backbone.embed({"pixels": batch})
    started, began = time.perf_counter(), time.process_time()
    for _ in range(batches):
        backbone.embed({"pixels": batch})
    images = len(batch) * batches
    return (time.perf_counter() - started) / images, (time.process_time() - began) / images


def speeds(model: str, folder: Path, images: list[bytes], rounds: int) -> dict[str, Any]:
    """Return images/s and ms of a core per image, by way, medians of the rounds."""
    batch = np.stack([preprocess(decode(data), HOW) for data in (images * BATCH)[:BATCH]])
    base: dict[str, Any] = {"dataset": f"folder:{folder}", "backbone": model, "weights": "random"}
    base |= {"resize": 256, "crop": 224, "interpolation": "bilinear"}
    with tempfile.TemporaryDirectory() as data_dir:
        base["precision"] = planned(data_dir, base).picked.mode.precision
    times: dict[str, list[tuple[float, float]]] = {"backbone": [], "full": [], "scaled": []}
    for _ in range(rounds):
        times["backbone"].append(alone(base, batch, max(4, len(images) // BATCH)))
        for how in ("full", "scaled"):
            times[how].append(extraction({**base, "decode": how}))
    wall, cpu = ({how: statistics.median(t[k] for t in found) for how, found in times.items()} for k in (0, 1))
    rates = {how: 1 / t for how, t in wall.items()}
    return {"precision": base["precision"], "images/s": rates, "ms": {how: 1000 * t for how, t in cpu.items()}}


def agreements(model: str, weights: str, sources: list[Path]) -> dict[int, dict[str, Any]]:
    """Return how features agree, by how many times the size wanted the scaled images keep."""
    found = {}
    for times in (2, 3, 4, 5):
        side = 4 * times * 256
        images = photographs((side * 4 // 3, side), COMPARED, sources)
        backbone = load_backbone(BackboneRequest(model, weights), decode(images[0]))
        how = backbone.preprocessing
        if not isinstance(how, Preprocessing) or how.resize != 256:
            raise SystemExit(f"{model} has {how}; wanted weights that resize to 256")
        whole, scaled = (
            np.concatenate([backbone.embed({"pixels": preprocess(decode(data, least), how)[None]}) for data in images])
            for least in (None, times * 256)
        )
        one = agreement(whole, scaled)
        found[times] = {"least": one.least, "mean": one.mean, "error": one.error, "good": one.good}
    return found


def said(size: tuple[int, int]) -> str:
    return f"{size[0]:,} × {size[1]:,}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, help="a folder of images to enlarge")
    parser.add_argument("--models", nargs="+", default=["mobilenet_v2", "resnet50"])
    parser.add_argument("--weights", nargs="*", default=[], metavar="MODEL=FILE", help="trained, for the agreement")
    parser.add_argument("--photographs", type=int, default=80, help="of each size, rounded up to 80, 160, …")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    n = -(-args.photographs // FULL) * FULL
    sources = images_below(args.images) if args.images else []
    record: dict[str, Any] = {**machine(), "decoder": decoder(), "costs": {}, "speeds": {}, "agreement": {}}
    print(f"{record['machine']}; {record['versions']}; {record['decoder']}")
    print(f"medians, {n} photographs of each size, {args.rounds} rounds\n")
    with tempfile.TemporaryDirectory() as root:
        made = {size: photographs(size, n, sources) for size in SIZES}
        folders = {size: Path(root, str(size[0])) for size in SIZES}
        for size, images in made.items():
            write(images, folders[size])
        print_costs(record["costs"], made)
        print_speeds(record["speeds"], made, folders, args.models, args.rounds)
    if args.weights:
        print_agreements(record["agreement"], args.weights, sources)
    if args.json:
        args.json.write_text(json.dumps(record, indent=2))


def print_costs(record: dict[str, Any], made: dict[tuple[int, int], list[bytes]]) -> None:
    names = ("megabytes", "sha256", "decode full", "resize full", "decode scaled", "resize scaled")
    print(f"{'ms of a core':16}" + "".join(f"{name:>15}" for name in names))
    for size, images in made.items():
        found = record[said(size)] = costs(images)
        print(f"{said(size):16}" + "".join(f"{found[name]:15.2f}" for name in names), flush=True)


def print_speeds(
    record: dict[str, Any],
    made: dict[tuple[int, int], list[bytes]],
    folders: dict[tuple[int, int], Path],
    models: list[str],
    rounds: int,
) -> None:
    ways = ("backbone", "full", "scaled")
    heads = [f"{way} {unit}" for unit in ("/s", "ms") for way in ways] + ["full/backbone", "scaled/backbone"]
    print(f"\n{'model':14}{'photographs':16}{'':5}" + "".join(f"{head:>16}" for head in heads))
    for model in models:
        for size, images in made.items():
            found = record[f"{model}, {said(size)}"] = speeds(model, folders[size], images, rounds)
            rates, ms = found["images/s"], found["ms"]
            cells = [f"{kind[way]:16.1f}" for kind in (rates, ms) for way in ways]
            cells += [f"{rates[way] / rates['backbone']:15.2f}×" for way in ("full", "scaled")]
            print(f"{model:14}{said(size):16}{found['precision']:5}" + "".join(cells), flush=True)


def print_agreements(record: dict[str, Any], weights: list[str], sources: list[Path]) -> None:
    print(f"\n{'features, fp32':16}{'scaled to':>12}{'least cosine':>14}{'mean cosine':>13}{'error':>8}  agree")
    for given in weights:
        model, _, file = given.partition("=")
        record[model] = agreements(model, file, sources)
        for times, one in record[model].items():
            numbers = f"{one['least']:14.5f}{one['mean']:13.5f}{one['error']:8.1%}"
            print(f"{model:16}{f'{times} × 256':>12}{numbers}  {'yes' if one['good'] else 'no'}", flush=True)


if __name__ == "__main__":
    main()
