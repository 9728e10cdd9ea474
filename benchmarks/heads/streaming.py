"""Memory and time of a fit whose features do not fit in memory.

    python -m benchmarks.heads.streaming [--rows 2000000] [--width 512] [--folder .]

Makes a feature set of ten overlapping classes, in shards as extraction does, and fits logistic
regression (C chosen from three values on held-out rows) in a process of its own, which may keep
256 MiB of features in memory. Prints one JSON document: the most memory that process had
resident (VmHWM), its time, and the accuracy on held-out rows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.fit import fit
from frostline.stages.heads import head_spec
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.records.sealed import canonical_json
from frostline.stages.store import OK, FeatureSet, FeatureStore, Layout, Provenance, Shard, encode_ids, load, open_set
from frostline.stages.store.key import FeatureKey
from frostline.stages.store.targets import target_file
from frostline.stages.targets.values import Targets

CLASSES, SHARD_ROWS, IN_MEMORY = 10, 8192, 2**28
GRID = (1e-5, 1e-3, 0.1)


def begin(root: Path, rows: int, width: int) -> FeatureSet:
    spec = BackboneSpec("made-up", "", "0" * 64, "layer", "none", Preprocessing(), (1, 1))
    key = FeatureKey("0" * 64, spec, "none")
    layout = Layout(key.fields(), "made-up", "train", rows, width, SHARD_ROWS)
    starts = range(0, rows, SHARD_ROWS)
    labels = np.concatenate([_labels(range(start, min(start + SHARD_ROWS, rows))) for start in starts])
    targets = Targets(tuple("abcdefghij"[:CLASSES]), labels)
    return FeatureStore(root).begin(layout, Provenance(), target_file(targets, [f"row-{row}" for row in range(rows)]))


def _labels(span: range) -> NDArray[np.int64]:
    return np.random.default_rng(span.start).integers(0, CLASSES, len(span))


def fill(features: FeatureSet) -> None:
    """Commit every shard: class means of length 2, noise that falls off along 512 directions, offsets."""
    width = features.layout.width
    means = np.random.default_rng(0).normal(size=(CLASSES, width)) * 2 / width**0.5
    scale = np.geomspace(1, 0.05, width)
    for shard in features.shards:
        features.commit(shard, _shard(features.span(shard), means, scale))


def _shard(span: range, means: NDArray[np.float64], scale: NDArray[np.float64]) -> Shard:
    rng, n = np.random.default_rng((1, span.start)), len(span)
    X = ((means[_labels(span)] + rng.normal(size=(n, len(scale)))) * scale + 0.5).astype(np.float32)
    ids = encode_ids([f"row-{row}" for row in span])
    return Shard(X, ids, rng.integers(0, 256, (n, 32), np.uint8), np.full(n, OK, np.uint8))


def measured(folder: Path) -> dict[str, Any]:
    """Fit in this process, and say what it took."""
    started = time.perf_counter()
    features = load(open_set(folder), in_memory=IN_MEMORY)
    loaded = time.perf_counter()
    _, selection = fit([features], head_spec("logreg", GRID))
    status = Path("/proc/self/status").read_text().split()
    return {
        "rows": len(features),
        "width": features.X.shape[1],
        "features_gib": round(features.X.shape[0] * features.X.shape[1] * 4 / 2**30, 2),
        "resident_gib": round(int(status[status.index("VmHWM:") + 1]) / 2**20, 2),
        "load_s": round(loaded - started, 1),
        "fit_s": round(time.perf_counter() - loaded, 1),
        "C": selection.value,
        "held_out_accuracy": round(max(selection.accuracy), 4),
        "converged": [*selection.converged, selection.final_converged],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.fit:
        print(canonical_json(measured(args.fit)).decode())
        return
    with tempfile.TemporaryDirectory(dir=args.folder) as root:
        features = begin(Path(root), args.rows, args.width)
        fill(features)
        child = [sys.executable, __file__, "--fit", str(features.folder)]
        found = subprocess.run(child, check=True, capture_output=True, text=True).stdout
        print(json.dumps(json.loads(found), indent=2))


if __name__ == "__main__":
    main()
