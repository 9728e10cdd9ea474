"""Extraction against the articles' own loop, and what is lost around the backbone.

    python -m benchmarks.extraction.articles_loop IMAGES [--models mobilenet_v2 resnet50 vit_b_16] [--json FILE]

IMAGES is a folder of images, searched below. Three ways through the same images at 224 px, in turn:

- articles: torchvision's transform, a DataLoader of batch 4 with two workers, eager fp32
  (before Frostline's allocator settings touch the process), on at most 512 of them
- frostline: a whole extraction: reading files, digests, decoding, the network and the store, in the precision
  that is the default here, and in fp32. Listing the folder, loading the network and finding its precision are not in it
- backbone: Frostline's network alone in the same precision, on ready batches

Random weights serve: the arithmetic is the same.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torchvision
from torchvision import transforms

from benchmarks.common.images import images_below, link, spread
from benchmarks.common.processes import machine
from frostline.pipeline.plan.machine import cores
from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.calibrate.precision import faster
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.backbones.inference.frozen import AnyBackbone
from frostline.stages.datasets import Samples, open_dataset
from frostline.stages.extract.extraction import Extraction, extract
from frostline.stages.store import FeatureStore, Layout, Provenance
from frostline.stages.store.key import FeatureKey

BATCH = 16
ARTICLES = 512  # images, at most, for the slowest of the three


def articles_loop(model: torch.nn.Module, folder: Path) -> None:
    transform = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    data = torchvision.datasets.ImageFolder(str(folder), transform)
    data.samples = data.samples[:ARTICLES]
    with torch.no_grad():
        for images, _ in torch.utils.data.DataLoader(data, batch_size=4, num_workers=2):
            model(images)


def full_batches(samples: Samples, most: int | None = None) -> Samples:
    """Return the first samples, at most so many, that fill batches; end the benchmark if there are too few for one."""
    n = min(len(samples), most or len(samples)) // BATCH * BATCH
    if not n:
        sys.exit(f"{len(samples)} images to train on, {most or 'all'} of them asked for; wanted {BATCH} or more")
    return samples.take(np.arange(n), "train")


def whole_extraction(backbone: AnyBackbone, samples: Samples, ahead: int = 0) -> None:
    """Extract: read the files, make their digests, decode them, run the network, and store the features.

    The folder has been listed before, the network loaded, and its precision found.
    """
    with tempfile.TemporaryDirectory() as root:
        key = FeatureKey(samples.content, backbone.spec, "benchmark")
        layout = Layout(key.fields(), samples.dataset, samples.split, len(samples), backbone.width)
        features = FeatureStore(Path(root)).begin(layout, Provenance())
        extract(Extraction(samples, backbone, features, batch_size=BATCH, workers=cores(), ahead=ahead))


def backbone_alone(backbone: AnyBackbone, batches: list[np.ndarray], images: int) -> None:
    for i in range(images // BATCH):
        backbone.embed({"pixels": batches[i % len(batches)]})


def ready(backbone: Backbone, samples: Samples) -> list[np.ndarray]:
    """Return batches enough that they don't stay in the processor's cache."""
    rows = [row % len(samples) for row in range(16 * BATCH)]
    images = [backbone.preprocessing.item(samples.read(row))["pixels"] for row in rows]
    return [np.stack(images[i : i + BATCH]) for i in range(0, len(images), BATCH)]


def seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(name: str, folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Return images/s by precision and way."""
    dataset = open_dataset(f"folder:{folder}", test_fraction=0.1)
    samples = full_batches(dataset.train)
    peer = torchvision.models.get_model(name, weights=None).eval()
    articles = [seconds(lambda: articles_loop(peer, folder)) for _ in range(rounds)]
    exact = load_backbone(BackboneRequest(name, "random"), samples.read(0))
    batches = ready(exact, samples)
    chosen, _ = faster(exact, [{"pixels": one} for one in batches[0]])
    speeds: dict[str, dict[str, float]] = {}
    for backbone in {b.precision: b for b in (exact, chosen)}.values():
        times: dict[str, list[float]] = {"frostline": [], "backbone": []}
        backbone_alone(backbone, batches, 256)
        for _ in range(rounds):
            times["frostline"].append(seconds(partial(whole_extraction, backbone, samples)))
            times["backbone"].append(seconds(partial(backbone_alone, backbone, batches, len(samples))))
        rates = {how: len(samples) / statistics.median(t) for how, t in times.items()}
        everything = min(ARTICLES, len(dataset.train) + len(dataset.test))
        speeds[backbone.precision] = {"articles": everything / statistics.median(articles), **rates}
    return speeds


def row(name: str, precision: str, speed: dict[str, float]) -> str:
    ratio, lost = speed["frostline"] / speed["articles"], speed["backbone"] / speed["frostline"] - 1
    speeds = " ".join(f"{speed[how]:9.1f}" for how in ("articles", "frostline", "backbone"))
    return f"{name:16} {precision:9} {speeds} {ratio:17.2f}× {lost:14.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--models", nargs="+", default=["mobilenet_v2", "resnet50", "vit_b_16"])
    parser.add_argument("--images-used", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    about = machine()
    print(f"{about['machine']}; {about['versions']}")
    print(f"images/s, medians of {args.rounds} rounds of {args.images_used} images\n")
    ways = f"{'articles':>9} {'frostline':>9} {'backbone':>9}"
    print(f"{'model':16} {'precision':9} {ways} {'against articles':>18} {'over backbone':>14}")
    speeds = {}
    with tempfile.TemporaryDirectory() as folder:
        link(spread(images_below(args.images), args.images_used), Path(folder))
        for name in args.models:
            speeds[name] = measure(name, Path(folder), args.rounds)
            for precision, speed in speeds[name].items():
                print(row(name, precision, speed), flush=True)
    if args.json:
        args.json.write_text(json.dumps({**about, "images_per_second": speeds}, indent=2))


if __name__ == "__main__":
    main()
