"""What a large store costs: which shards of a set are missing, and where rows lie already.

    python -m benchmarks.store.scale [--shards 2000] [--rows 1000000]

The first makes a set of so many shards of 4 rows and asks what is missing; the second one of so many rows of 8
numbers and asks, as another set of the same computation does, where its rows lie: processor time, and the
memory of the answer.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.store import FeatureSet, FeatureStore, Layout, Provenance, Shard, encode_ids
from frostline.stages.store.key import FeatureKey

SPEC = BackboneSpec("benchmark", "", "0" * 64, "fc:input", "none", Preprocessing(256, 224), (224, 224))
WIDTH = 8


def resident() -> int:
    """Return how many bytes of memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def filled(root: Path, rows: int, shard_rows: int) -> FeatureSet:
    """Return a set whose samples have random digests. Nothing of it is made durable: it is as if that were done."""
    layout = Layout(FeatureKey("0" * 64, SPEC, "benchmark").fields(), "made", "train", rows, WIDTH, shard_rows)
    features = FeatureStore(root).begin(layout, Provenance())
    rng = np.random.default_rng(0)
    for shard in features.shards:
        span = features.span(shard)
        n = len(span)
        ids = encode_ids([f"train/class/{row:08d}.jpg" for row in span])
        digests = rng.integers(0, 256, (n, 32), np.uint8)
        features.commit(shard, Shard(np.zeros((n, WIDTH), np.float32), ids, digests, np.zeros(n, np.uint8)))
    return features


def missing(shards: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        features, times = filled(Path(folder), 4 * shards, 4), []
        for _ in range(5):
            started = time.process_time()
            assert features.missing() == []
            times.append(time.process_time() - started)
        took = median(times)
        print(f"missing() of {shards:,} shards: {took * 1e3:,.0f} ms, {took / shards * 1e6:.0f} µs a shard")


def known(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        filled(Path(folder), rows, 8192)
        gc.collect()
        before, started = resident(), time.process_time()
        found = FeatureStore(Path(folder)).rows_like(FeatureKey("1" * 64, SPEC, "benchmark"))
        took = time.process_time() - started
        gc.collect()
        assert len(found) == rows
        print(f"rows_like of {rows:,} rows: {took:.1f} s, {(resident() - before) / rows:.0f} bytes a row held")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, default=2000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    asked = parser.parse_args()
    missing(asked.shards)
    known(asked.rows)


if __name__ == "__main__":
    main()
