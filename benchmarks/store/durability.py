"""What it costs that nothing is lost, and how fast a complete cache is recognised.

    python -m benchmarks.store.durability shards [--width 1280] [--rate 338]
    python -m benchmarks.store.durability recognition IMAGES [--data-dir data]

The first commits shards of 1,024 rows and times, of each, what serves durability alone; ``--rate`` is the
extraction, in images per second, that it is a share of. The second extracts an image folder as plain
pixels, and then asks in new processes how much of it is missing.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from unittest.mock import patch

import numpy as np

from frostline.pipeline.run.run import extract
from frostline.pipeline.settings import ExtractSettings, load_settings
from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.store import FeatureSet, FeatureStore, Layout, Provenance, Shard, encode_ids
from frostline.stages.store.key import FeatureKey

ROWS, SHARDS = 1024, 12
SPEC = BackboneSpec("benchmark", "", "0" * 64, "fc:input", "none", Preprocessing(256, 224), (224, 224))

RECOGNISE = """
import sys, time
def now(): return time.process_time(), time.perf_counter()
started = now()
from frostline.pipeline.settings import ExtractSettings, load_settings
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.lookup import required_sets
from frostline.pipeline.plan.make import cached_plan
imported = now()
inputs = open_inputs(load_settings(ExtractSettings, {settings!r}))
looked = now()
needed = required_sets(cached_plan(inputs))
assert all(one.complete and one.existing.published for one in needed), "not complete"
done = now()
assert "torch" not in sys.modules, "torch"
spans = (started, imported), (imported, looked), (looked, done), (imported, done)
print(*(later[i] - earlier[i] for i in range(2) for earlier, later in spans))
"""


def seconds(function: Callable[[], object], times: int = 10) -> float:
    """Return the median time that a call takes."""
    found = []
    for _ in range(times):
        started = time.perf_counter()
        function()
        found.append(time.perf_counter() - started)
    return median(found)


def shards(width: int, rate: float) -> None:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        features = _begun(Path(folder), width)
        content = _content(width)
        synced: list[float] = []
        real = os.fsync
        numbers = iter(features.shards)
        with patch.object(os, "fsync", lambda handle: synced.append(seconds(lambda: real(handle), 1))):
            commit = seconds(lambda: features.commit(next(numbers), content), SHARDS)
        data = (features.folder / "shards" / "00001.h5").read_bytes()
        _report(rate, commit, sum(synced) / SHARDS, data, content)


def _report(rate: float, commit: float, synced: float, data: bytes, content: Shard) -> None:
    costs = {
        "fsync, all of a shard's": synced,
        "SHA-256": seconds(lambda: hashlib.sha256(data).digest()),
        "Fletcher-32": _written(content, checked=True) - _written(content, checked=False),
    }
    costs |= {"together": sum(costs.values()), "the whole commit": commit}
    print(f"shards of {ROWS:,} rows, {len(data):,} bytes; extraction at {rate:g} images/s")
    for name, cost in costs.items():
        print(f"{name:24} {1000 * cost:6.1f} ms  {cost * rate / ROWS:6.2%}")


def _begun(root: Path, width: int) -> FeatureSet:
    key = FeatureKey("0" * 64, SPEC, "none")
    layout = Layout(key.fields(), "benchmark", "train", ROWS * SHARDS, width, ROWS)
    return FeatureStore(root).begin(layout, Provenance())


def _content(width: int) -> Shard:
    features = np.random.default_rng(0).random((ROWS, width), np.float32)
    ids = encode_ids([f"train/class/{i:08d}.jpg" for i in range(ROWS)])
    return Shard(features, ids, np.zeros((ROWS, 32), np.uint8), np.zeros(ROWS, np.uint8))


def _written(content: Shard, *, checked: bool) -> float:
    """Return how long it takes to write the features to a file in memory, with Fletcher-32 or without."""
    import h5py

    def write() -> None:
        with h5py.File("benchmark", "w", driver="core", backing_store=False) as file:
            chunks = (204, content.features.shape[1])
            file.create_dataset("features", data=content.features, chunks=chunks, fletcher32=checked)

    return seconds(write)


def recognition(images: Path, data_dir: Path) -> None:
    settings = {"dataset": f"folder:{images}", "data_dir": str(data_dir), "backbone": "pixels", "resize": "8x8"}
    extract(load_settings(ExtractSettings, settings))
    runs = [_recognised(settings) for _ in range(5)]
    print(f"{sum(1 for file in images.rglob('*') if file.is_file()):,} files, best of {len(runs)} processes")
    for i, name in enumerate(("Python's imports", "the files looked through", "the cache recognised", "the last two")):
        core, clock = (min(run[j] for run in runs) for j in (i, i + 4))
        print(f"{name:25} {core:.3f} s of a core, {clock:.3f} s of the clock")


def _recognised(settings: dict[str, str]) -> list[float]:
    """Return the seconds of a core that each step takes in a new process, and then those of the clock."""
    code = RECOGNISE.format(settings=settings)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return [float(word) for word in done.stdout.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    cost = commands.add_parser("shards")
    cost.add_argument("--width", type=int, default=1280)
    cost.add_argument("--rate", type=float, default=338.0)
    speed = commands.add_parser("recognition")
    speed.add_argument("images", type=Path)
    speed.add_argument("--data-dir", type=Path, default=Path("data"))
    given = parser.parse_args()
    if given.what == "shards":
        shards(given.width, given.rate)
    else:
        recognition(given.images, given.data_dir)


if __name__ == "__main__":
    main()
