"""Whole extractions, from JPEG files to features on disk, in bf16: their steady rate, without what is set up first."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common.images import SIZES
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.datasets import Samples, open_dataset
from frostline.stages.extract.extraction import Extraction, ExtractionStats, extract
from frostline.stages.store import FeatureSet, FeatureStore, Layout, Provenance
from frostline.stages.store.key import FeatureKey
from frostline.stages.store.targets import target_file
from tools.gpu.bench import Bench
from tools.gpu.report import Found
from tools.gpu.resident import FULL, graph_name

_NETWORKS = {
    "photographs": ("vit_l_16", "vit_b_16", "resnet50"),
    "thumbnails": ("vit_b_16", "resnet50", "mobilenet_v2"),
}
Stamp = tuple[float, int]  # when, and how many rows had been done


def whole(bench: Bench, found: Found) -> None:
    for kind, names in _NETWORKS.items():
        folder = bench.images(kind)
        started = time.perf_counter()
        samples = open_dataset(f"folder:{folder}").train
        found[f"{kind}, seconds to open {len(samples)} of them"] = round(time.perf_counter() - started, 2)
        for name in names if bench.on_gpu else bench.networks:
            found[f"{name}, {kind}"] = _one(bench, bench.network(name), samples, _resident(bench, name, kind))
        if kind == "photographs":
            _without_frames(bench, found, samples)


def _without_frames(bench: Bench, found: Found, samples: Samples) -> None:
    """Note the last network's rate with photographs that processors resize."""
    name = _NETWORKS["photographs"][-1] if bench.on_gpu else bench.networks[-1]
    backbone = bench.network(name)
    frame, backbone.frame = backbone.frame, None
    try:
        found[f"{name}, photographs, resized by processors"] = _one(
            bench, backbone, samples, _resident(bench, name, "photographs")
        )
    finally:
        backbone.frame = frame


def _resident(bench: Bench, name: str, kind: str) -> object:
    """Return images/s of the same network on resident batches, if that was measured."""
    side = SIZES[kind][0] if bench.network(name).enlarges(SIZES[kind]) else FULL
    return bench.report.steps.get("resident", {}).get(graph_name(name, side, bench.batch_sizes[0]))


def _one(bench: Bench, backbone: Backbone, samples: Samples, resident: object) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as place:
        stats, stamps = _extracted(bench, backbone, samples, _begun(Path(place), backbone, samples))
    steady = _steady(stamps)
    result = {
        "steady images/s": round(steady),
        "images/s with all that is set up": round(stats.rows / stats.seconds),
        "share of time waiting for images": round(stats.loader_wait / stats.seconds, 3),
        "threads that decode": stats.workers,
    }
    return result | ({"share of resident": round(steady / resident, 3)} if isinstance(resident, int) else {})


def _begun(place: Path, backbone: Backbone, samples: Samples) -> FeatureSet:
    key = FeatureKey(samples.content, backbone.spec, "of a measurement", precision=backbone.precision)
    layout = Layout(key.fields(), samples.dataset, samples.split, len(samples), backbone.width)
    return FeatureStore(place).begin(layout, Provenance(), target_file(samples.targets, samples.ids))


def _extracted(
    bench: Bench, backbone: Backbone, samples: Samples, features: FeatureSet
) -> tuple[ExtractionStats, list[Stamp]]:
    stamps: list[Stamp] = []

    def progress(rows: int) -> None:
        stamps.append((time.perf_counter(), rows + (stamps[-1][1] if stamps else 0)))

    how = Extraction(
        samples,
        backbone,
        features,
        batch_size=bench.batch_sizes[0],
        workers=os.cpu_count() or 1,
        ahead=2,
        progress=progress,
    )
    return extract(how), stamps


def _steady(stamps: list[Stamp]) -> float:
    """Return rows/s from a quarter of the way until shortly before the end."""
    times, rows = np.array(stamps).T
    first, last = len(stamps) // 4, max(len(stamps) // 4 + 1, len(stamps) - 3)
    return float((rows[last] - rows[first]) / (times[last] - times[first]))
