"""Texts: a whole extraction beside ``SentenceTransformer.encode``, in turn, and whether the features are the same.

    python -m benchmarks.extraction.texts --table FILE --encoder FOLDER [--rows N] [--rounds N] [--json FILE]

``encode`` has its usual batches of 32, sorted by length, in fp32; its encoder is loaded beforehand. The extraction is
from the table to shards on disk: reading, tokens, the trials of precision and batch size, the store; its encoder is
loaded beforehand as well. Ratios are of the medians of all rounds; the machine's load is in both.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.processes import machine
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.make import make_plan
from frostline.pipeline.settings import ExtractSettings
from frostline.pipeline.steps.features import extract_missing
from frostline.stages.backbones.spec import Precision
from frostline.stages.store import load, open_set


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return how many seconds work takes, and what it gives."""
    started = time.perf_counter()
    found = work()
    return time.perf_counter() - started, found


def written(table: Path, rows: int, folder: Path) -> tuple[Path, list[str]]:
    """Return a table of the first rows, a tenth of them the test split, and their texts."""
    with table.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][:rows]
    target = folder / "texts.csv"
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label", "split"))
        writer.writerows((text, "ab"[i % 2], "test" if i % 20 < 2 else "train") for i, text in enumerate(texts))
    return target, texts


def extracted(table: Path, encoder: str, precision: Precision, folder: Path) -> tuple[float, np.ndarray]:
    """Return the seconds of a whole extraction but for loading the encoder, and the features in the table's order."""
    settings = ExtractSettings(dataset=f"csv:{table}", backbone=f"st:{encoder}", data_dir=folder, precision=precision)
    opening, inputs = timed(lambda: open_inputs(settings))
    plan = make_plan(inputs)
    plan.load_network()
    seconds, done = timed(lambda: extract_missing(plan))
    sets = [load(open_set(one.folder)) for one in done]
    rows = {name: row for one in sets for name, row in zip(one.ids, np.asarray(one.X), strict=True)}
    return opening + seconds, np.stack([rows[name] for name in sorted(rows, key=lambda name: int(name.split()[1]))])


def main() -> None:
    """Print the table, and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(args.encoder, device="cpu")
    seconds: dict[str, list[float]] = {"encode": [], "fp32": [], "bf16": []}
    differences: dict[str, float] = {}
    precisions: tuple[Precision, ...] = ("fp32", "bf16")
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as name:
            table, texts = written(args.table, args.rows, Path(name))
            took, wanted = timed(lambda: peer.encode(texts, batch_size=32, show_progress_bar=False))  # noqa: B023
            seconds["encode"].append(took)
            for precision in precisions:
                took, found = extracted(table, args.encoder, precision, Path(name) / precision)
                seconds[precision].append(took)
                differences[precision] = float(np.abs(found - wanted).max())
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        ratio, most = medians["encode"] / median, differences.get(name, 0.0)
        print(f"{name:8} {args.rows / median:8.0f} texts/s   {ratio:5.2f} x   largest difference {most:.1e}")
    if args.json:
        figures = {"machine": machine(), "rows": args.rows, "seconds": seconds, "differences": differences}
        args.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
