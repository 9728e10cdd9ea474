"""A whole extraction against OpenVINO and ONNX Runtime, which are fed with ready-made batches.

    python -m benchmarks.extraction.engines IMAGES [--models resnet50 …] [--precisions bf16] [--seconds 3] [--json FILE]

IMAGES is a folder of images, searched below. Ways through the same images at 224 px, in turn:

- extraction: a whole one of Frostline's, with its usual batches: reading files, digests, decoding, the network and
  the store. Listing the folder, loading the network and finding its precision are not in it
- backbone: Frostline's network alone, on ready batches
- extraction, backbone on OpenVINO: the same with --optimize openvino
- OpenVINO, ONNX Runtime: the same network, exported as Frostline exports it, on ready batches; OpenVINO in bf16 where
  the processor computes in it, and in float32, on all threads for one batch or on a stream for each

Batches ready are preprocessed images, uint8, as Frostline's network takes them. Each engine has the batch size, of a
few, at which it is fastest, all its streams at work; that is found out before, in about 8 seconds at most.
"Agreement" is that of its features with Frostline's in float32: the least cosine, and the differences over the
spread. Random weights serve: the arithmetic is the same. Beside images/s there are images per second of CPU time, all
threads together: other work on the machine disturbs them less.
`pip install openvino onnxruntime onnx onnxscript` first; an engine that isn't there is left out, and said.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common.images import images_below, link, spread
from benchmarks.common.processes import machine
from benchmarks.extraction.articles_loop import full_batches, whole_extraction
from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.calibrate.precision import agreement, fastest_precision
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.backbones.inference.batches import BatchLimit
from frostline.stages.backbones.inference.frozen import AnyBackbone
from frostline.stages.backbones.spec import Precision
from frostline.stages.datasets import Samples, open_dataset

MODELS = (
    *("resnet50", "vit_b_16", "convnext_tiny", "timm:vit_small_patch16_224"),
    *("mobilenet_v2", "efficientnet_b0"),
)
POOL = 256  # images made ready: more than stay in the processor's cache
BATCHES = (16, 4, 32, 8)  # the likeliest first: slow networks have no time for all
AHEAD = 2  # blocks that are decoded while OpenVINO works, as Frostline has it
OWN = ("extraction", "extraction on OpenVINO", "backbone", "backbone on OpenVINO")
LEAST, TRIAL, TRIALS = 16, 1.0, 8.0  # images, and seconds, of a trial of a batch size; seconds of all
Pixels = NDArray[np.uint8]
Features = NDArray[np.float32]
Key = tuple[str, str]  # name, precision
Rate = tuple[float, float]


@dataclass(frozen=True)
class Engine:
    """What computes features of batches, ``streams`` of them at a time."""

    run: Callable[[Sequence[Pixels]], list[Features]]
    streams: int = 1


@dataclass(frozen=True)
class Way:
    """One way through the images, at its best batch size: images/s, and agreement with Frostline in float32.

    ``of_cpu``: images per second of CPU time.
    """

    name: str
    precision: str
    batch: int
    speed: float
    of_cpu: float
    cosine: float
    error: float


def frostline(backbone: AnyBackbone) -> Engine:
    return Engine(lambda batches: [backbone.embed({"pixels": batch}) for batch in batches])


def on_openvino(backbone: AnyBackbone) -> Engine:
    """Return Frostline's network with --optimize openvino: it keeps a request for each thread at work by itself."""
    limit = BatchLimit(16)
    return Engine(lambda batches: list(backbone.stream(({"pixels": batch} for batch in batches), limit)))


def to_onnx(backbone: Backbone, file: Path) -> None:
    """Write the network as ONNX: images, uint8 (batch, height, width, 3), to features."""
    images = torch.zeros((2, *backbone.spec.size, 3), dtype=torch.uint8)
    with torch.no_grad():
        program = torch.export.export(backbone.module(), (images,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        exported = torch.onnx.export(program, (images,), dynamo=True, verbose=False, input_names=["images"])
    assert exported is not None
    exported.save(str(file))


def openvino(file: Path, precision: str, streams: int) -> Engine:
    """Return OpenVINO's engine: all threads on one batch, or each stream on a batch of its own."""
    from openvino import AsyncInferQueue, Core

    hint = {"bf16": "bf16", "fp32": "f32"}[precision]
    settings = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "NUM_STREAMS": streams}
    model = Core().compile_model(str(file), "CPU", {"INFERENCE_PRECISION_HINT": hint, **settings})
    queue = AsyncInferQueue(model, streams)
    done: dict[int, Features] = {}
    queue.set_callback(lambda request, place: done.__setitem__(place, request.get_output_tensor().data.copy()))

    def run(batches: Sequence[Pixels]) -> list[Features]:
        for place, batch in enumerate(batches):
            queue.start_async({0: batch}, place, share_inputs=True)
        queue.wait_all()
        return [done[place] for place in range(len(batches))]

    return Engine(run, streams)


def onnxruntime(file: Path) -> Engine:
    from onnxruntime import InferenceSession, SessionOptions

    options = SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return Engine(lambda batches: [session.run(None, {"images": batch})[0] for batch in batches])


def peers(file: Path, precisions: Sequence[str]) -> dict[Key, Engine]:
    """Return the engines that are installed."""
    found: dict[Key, Engine] = {}
    if find_spec("openvino"):
        for precision in precisions:
            for streams in sorted({1, torch.get_num_threads()}):
                name = "OpenVINO" + (f", {streams} streams" if streams > 1 else "")
                found[name, precision] = openvino(file, precision, streams)
    if find_spec("onnxruntime"):
        found["ONNX Runtime", "fp32"] = onnxruntime(file)
    return found


def batched(pool: Pixels, size: int, images: int) -> list[Pixels]:
    """Return at least so many images as full batches, taken from the pool again and again."""
    starts = range(0, len(pool), size)
    return [pool[starts[i % len(starts)] :][:size] for i in range(-(-images // size))]


def rate(engine: Engine, batches: Sequence[Pixels]) -> Rate:
    return timed(lambda: engine.run(batches), sum(map(len, batches)))


def timed(work: Callable[[], object], images: int) -> Rate:
    """Return images/s, and images per second of CPU time."""
    started, cpu = time.perf_counter(), time.process_time()
    work()
    return images / (time.perf_counter() - started), images / (time.process_time() - cpu)


def rates(engine: Engine, pool: Pixels) -> dict[int, float]:
    """Return images/s by batch size, each in a trial after a warm-up; without the sizes that there is no time for.

    Each stream computes two batches or more.
    """
    found: dict[int, float] = {}
    until = time.perf_counter() + TRIALS
    for size in BATCHES:
        batches = batched(pool, size, max(2 * size * engine.streams, LEAST))
        images = size * (len(batches) + engine.streams)
        if found and time.perf_counter() + images / max(found.values()) > until:
            continue
        engine.run(batches[: engine.streams])
        found[size] = tried(engine, batches)
    return found


def tried(engine: Engine, batches: Sequence[Pixels]) -> float:
    """Return the best rate of a trial, which goes through the batches as often as time allows, once at least."""
    until, best = time.perf_counter() + TRIAL, 0.0
    while not best or time.perf_counter() < until:
        best = max(best, rate(engine, batches)[0])
    return best


def measure(name: str, folder: Path, rounds: int, duration: float, precisions: Sequence[Precision]) -> list[Way]:
    samples = open_dataset(f"folder:{folder}", test_fraction=0.1).train
    full_batches(samples)  # there must be one
    exact = load_backbone(BackboneRequest(name, "random"), samples.read(0))
    rows = [row % len(samples) for row in range(POOL)]
    pool = np.stack([exact.preprocessing.item(samples.read(row))["pixels"] for row in rows], dtype=np.uint8)
    own: dict[str, AnyBackbone] = {p: exact if p == "fp32" else exact.at(p) for p in precisions}
    engines: dict[Key, Engine] = {("backbone", p): frostline(own[p]) for p in own}
    there: dict[Key, AnyBackbone] = {("backbone", p): own[p] for p in own}
    if find_spec("openvino"):
        first = load_backbone(BackboneRequest(name, "random"), samples.read(0), optimize="openvino")
        there |= {("backbone on OpenVINO", p): first if p == "fp32" else first.at(p) for p in precisions}
        engines |= {key: on_openvino(backbone) for key, backbone in there.items() if key not in engines}
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "network.onnx"
        to_onnx(load_backbone(BackboneRequest(name, "random"), samples.read(0), portable=True), file)
        engines |= peers(file, list(own))
    sizes: dict[Key, int] = {}
    works: dict[Key, Callable[[], Rate]] = {}
    for key, engine in engines.items():
        found = rates(engine, pool)
        size = sizes[key] = max(found, key=found.__getitem__)
        print(f"  {key[0]:22} {key[1]:5} {', '.join(f'{n}: {found[n]:.1f}' for n in sorted(found))}", flush=True)
        at_once = size * engine.streams
        images = at_once * max(round(duration * found[size] / at_once), 1)
        works[key] = partial(rate, engine, batched(pool, size, images))
        if key in there:
            some, ahead = full_batches(samples, max(images, 16)), AHEAD if "OpenVINO" in key[0] else 0
            works[key[0].replace("backbone", "extraction"), key[1]] = partial(whole_rate, there[key], some, ahead)
    speeds: dict[Key, list[Rate]] = {key: [] for key in works}
    for _ in range(rounds):
        for key, work in works.items():
            speeds[key].append(work())
    features = {key: np.concatenate(engine.run(batched(pool, 16, 32))) for key, engine in engines.items()}
    features["exact", "fp32"] = np.concatenate(frostline(exact).run(batched(pool, 16, 32)))
    return [described(key, speeds[key], features, sizes) for key in sorted(works, key=order)]


def whole_rate(backbone: AnyBackbone, some: Samples, ahead: int) -> Rate:
    """Return the rate of a whole extraction: what is in it, and what not, ``whole_extraction`` says."""
    return timed(lambda: whole_extraction(backbone, some, ahead), len(some))


def order(key: Key) -> tuple[str, int]:
    return key[1], OWN.index(key[0]) if key[0] in OWN else len(OWN)


def described(key: Key, speeds: Sequence[Rate], features: dict[Key, Features], sizes: dict[Key, int]) -> Way:
    computed = (key[0].replace("extraction", "backbone"), key[1])
    found = agreement(features["exact", "fp32"], features[computed])
    wall, of_cpu = (statistics.median(column) for column in zip(*speeds, strict=True))
    return Way(*key, sizes.get(key, 16), wall, of_cpu, found.least, found.error)


def table(ways: Sequence[Way]) -> str:
    """Return a line for each way, with the speeds of the whole extractions in its precision over it."""
    lines = []
    for way in ways:
        whole = [one for one in ways if one.name.startswith("extraction") and one.precision == way.precision]
        ratios = "  ".join(f"{one.speed / way.speed:5.2f} × ({one.of_cpu / way.of_cpu:5.2f} ×)" for one in whole)
        numbers = f"{way.batch:5} {way.speed:8.1f} {way.of_cpu:8.1f} {way.cosine:9.5f} {way.error:8.1e}"
        lines.append(f"  {way.name:22} {way.precision:5} {numbers}  {ratios}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--precisions", nargs="+", default=sorted({"fp32", fastest_precision("cpu")}))
    parser.add_argument("--seconds", type=float, default=3, help="of each way in a round, about")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    there = [package for package in ("openvino", "onnxruntime") if find_spec(package)]
    where = {**machine(), "engines": ", ".join(f"{package} {version(package)}" for package in there) or "none"}
    print("; ".join(where.values()), f"; {torch.get_num_threads()} threads", sep="")
    results: dict[str, list[Way]] = {}
    with tempfile.TemporaryDirectory() as folder:
        link(spread(images_below(args.images), 8192), Path(folder))
        for name in args.models:
            print(f"\n{name}: images/s by batch size, tried once", flush=True)
            results[name] = measure(name, Path(folder), args.rounds, args.seconds, args.precisions)
            print(
                f"{name}: batch, images/s, images per second of CPU time, agreement (cosine, error), and the speed of"
            )
            print("the whole extraction over it, with torch and with OpenVINO, in brackets by CPU time")
            print(table(results[name]), flush=True)
    if args.json:
        ways = {name: [asdict(way) for way in found] for name, found in results.items()}
        args.json.write_text(json.dumps({"machine": where, "ways": ways}, indent=2))


if __name__ == "__main__":
    main()
