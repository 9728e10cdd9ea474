"""Extraction against the articles' own loop, and what is lost around the backbone.

    python benchmarks/extraction.py IMAGES [--models mobilenet_v2 resnet50] [--json FILE]

IMAGES is a folder of images, searched below. Three ways through the same images at 224 px, in turn:

- articles: torchvision's transform, a DataLoader of batch 4 with two workers, eager fp32
  (before Frostline's allocator settings touch the process)
- frostline: a whole extraction, decoding, digests and the store included
- backbone: Frostline's network alone, on one ready batch again and again

Random weights serve: the arithmetic is the same.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torchvision
from torchvision import transforms

from pipeline.plan import cores
from stages.backbones import BackboneRequest, load_backbone, preprocess
from stages.backbones.backbone import Backbone
from stages.datasets import Samples, open_dataset
from stages.extract import Extraction, extract
from stages.specs import FeatureKey
from stages.store import FeatureStore, Layout


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
    with torch.no_grad():
        for images, _ in torch.utils.data.DataLoader(data, batch_size=4, num_workers=2):
            model(images)


def whole_extraction(backbone: Backbone, samples: Samples) -> None:
    with tempfile.TemporaryDirectory() as root:
        key = FeatureKey(samples.content, backbone.spec, "benchmark")
        layout = Layout(key.fields(), samples.dataset, samples.split, samples.classes, len(samples), backbone.width)
        features = FeatureStore(Path(root)).begin(key, layout, {})
        extract(Extraction(samples, backbone, features, workers=cores()))


def backbone_alone(backbone: Backbone, samples: Samples) -> None:
    image = preprocess(samples.read(0), backbone.spec.preprocessing)
    batch = np.stack([image] * 32)
    for _ in range(len(samples) // 32):
        backbone.embed(batch)


def seconds(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def some_images(source: Path, target: Path, n: int) -> None:
    """Link n images, evenly spread, as one folder of two classes."""
    files = sorted(p for p in source.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    for i, file in enumerate(files[:: max(1, len(files) // n)][:n]):
        folder = target / f"class{i % 2}"
        folder.mkdir(exist_ok=True)
        (folder / f"{i:05d}{file.suffix}").symlink_to(file.absolute())


def measure(name: str, folder: Path, rounds: int) -> dict[str, float]:
    dataset = open_dataset(f"folder:{folder}", test_fraction=0.1)
    samples = dataset.train.take(np.arange(len(dataset.train) // 32 * 32), "train")  # full batches
    peer = torchvision.models.get_model(name, weights=None).eval()
    times: dict[str, list[float]] = {"articles": [], "frostline": [], "backbone": []}
    everything = len(dataset.train) + len(dataset.test)
    n = {"articles": everything, "frostline": len(samples), "backbone": len(samples)}
    for _ in range(rounds):
        times["articles"].append(seconds(lambda: articles_loop(peer, folder)))
    backbone = load_backbone(BackboneRequest(name, "random"), samples.read(0))
    backbone_alone(backbone, samples.take(np.arange(64), "train"))
    for _ in range(rounds):
        times["frostline"].append(seconds(lambda: whole_extraction(backbone, samples)))
        times["backbone"].append(seconds(lambda: backbone_alone(backbone, samples)))
    return {how: n[how] / statistics.median(t) for how, t in times.items()}


def row(name: str, speed: dict[str, float]) -> str:
    ratio, lost = speed["frostline"] / speed["articles"], 1 - speed["frostline"] / speed["backbone"]
    speeds = " ".join(f"{speed[how]:9.1f}" for how in ("articles", "frostline", "backbone"))
    return f"{name:16} {speeds} {ratio:17.2f}× {lost:12.1%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("images", type=Path)
    parser.add_argument("--models", nargs="+", default=["mobilenet_v2", "resnet50"])
    parser.add_argument("--images-used", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    versions = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    machine = f"{platform.machine()}, {cores()} cores, {versions}"
    print(f"{machine}; images/s, medians of {args.rounds} rounds of {args.images_used} images\n")
    print(f"{'model':16} {'articles':>9} {'frostline':>9} {'backbone':>9} {'against articles':>18} {'lost around':>12}")
    speeds = {}
    with tempfile.TemporaryDirectory() as folder:
        some_images(args.images, Path(folder), args.images_used)
        for name in args.models:
            speeds[name] = measure(name, Path(folder), args.rounds)
            print(row(name, speeds[name]), flush=True)
    if args.json:
        args.json.write_text(json.dumps({"machine": machine, "images_per_second": speeds}, indent=2))


if __name__ == "__main__":
    main()
