"""Texts: a whole extraction beside ``SentenceTransformer.encode``, in turn, and whether the features are the same.

Where ``onnxruntime`` and ``openvino`` are installed, ``encode`` runs on them, too: its tokens and its pooling, the
network exported from the same weights by ``torch.onnx``: the library's own ``backend=`` needs ``optimum``, which takes
no transformers 5. ``auto``: the precision that a run takes by itself; finding it out is part of its time.

    python -m benchmarks.extraction.texts --table FILE --encoder FOLDER [--rows N] [--rounds N] [--json FILE]

``encode`` has its usual batches of 32, sorted by length, in fp32; its encoder is loaded beforehand. The extraction is
from the table to shards on disk: reading, tokens, the trials of precision, batch size and short batches, the store; its
encoder is loaded beforehand as well. Ratios are of the medians of all rounds; the machine's load is in both.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.processes import machine
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.make import make_plan
from frostline.pipeline.settings import ExtractSettings
from frostline.pipeline.steps.features import extract_missing
from frostline.stages.store import load, open_set


def peers(encoder: str, library: Any) -> dict[str, Any]:
    """Return encoders by name: the library's, and the same on each runtime that is installed."""
    found = {"encode": library(encoder, device="cpu")}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model.onnx"
        for runtime, opened in (("onnxruntime", on_onnxruntime), ("openvino", on_openvino)):
            if find_spec(runtime):
                if not path.exists():
                    exported(found["encode"][0].auto_model, path)
                found[runtime] = library(encoder, device="cpu")
                replace_model(found[runtime], opened(path))
    return found


def exported(model: Any, path: Path) -> None:
    """Write a network of tokens as ONNX, for any number of texts and tokens."""
    import torch

    class Hidden(torch.nn.Module):
        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            return model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state

    mask = (torch.arange(9) < torch.tensor([[9], [5]])).long()
    texts, tokens = torch.export.Dim("texts", min=1), torch.export.Dim("tokens", min=2)
    free = {name: {0: texts, 1: tokens} for name in ("input_ids", "attention_mask")}
    program = torch.onnx.export(Hidden().eval(), (torch.ones_like(mask), mask), dynamic_shapes=free, dynamo=True)
    assert program is not None
    program.save(str(path))


def on_onnxruntime(path: Path) -> Callable[[dict[str, Any]], Any]:
    """Return what computes hidden states on ONNX Runtime, in its own threads."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return lambda given: session.run(None, given)[0]


def on_openvino(path: Path) -> Callable[[dict[str, Any]], Any]:
    """Return what computes hidden states on OpenVINO, in fp32 and for the least time."""
    import openvino

    wanted = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.Core().compile_model(path, "CPU", wanted)
    return lambda given: compiled(given)[0]


def replace_model(encoder: Any, hidden: Callable[[dict[str, Any]], Any]) -> None:
    """Have an encoder's first module compute its hidden states otherwise."""
    import torch

    def forward(features: dict[str, Any], **_: Any) -> dict[str, Any]:
        given = {name: features[name].numpy() for name in ("input_ids", "attention_mask")}
        return {**features, "token_embeddings": torch.from_numpy(hidden(given))}

    encoder[0].forward = forward


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


def extracted(table: Path, encoder: str, precision: str, folder: Path) -> tuple[float, np.ndarray]:
    """Return the seconds of a whole extraction but for loading the encoder, and the features in the table's order."""
    asked = {"dataset": f"csv:{table}", "backbone": f"st:{encoder}", "data_dir": folder, "precision": precision}
    settings = ExtractSettings.model_validate(asked)
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

    found_peers = peers(args.encoder, SentenceTransformer)
    precisions = ("fp32", "bf16", "auto")
    seconds: dict[str, list[float]] = {name: [] for name in (*found_peers, *precisions)}
    differences: dict[str, float] = {}
    for _ in range(args.rounds):
        with tempfile.TemporaryDirectory() as name:
            table, texts = written(args.table, args.rows, Path(name))
            features = {}
            for peer, encoder in found_peers.items():
                took, features[peer] = timed(partial(encoder.encode, texts, batch_size=32, show_progress_bar=False))
                seconds[peer].append(took)
                differences[peer] = float(np.abs(features[peer] - features["encode"]).max())
            wanted = features["encode"]
            for precision in precisions:
                took, found = extracted(table, args.encoder, precision, Path(name) / precision)
                seconds[precision].append(took)
                differences[precision] = float(np.abs(found - wanted).max())
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        ratio, most = medians["encode"] / median, differences.get(name, 0.0)
        print(f"{name:11} {args.rows / median:8.0f} texts/s   {ratio:5.2f} x   largest difference {most:.1e}")
    if args.json:
        figures = {"machine": machine(), "rows": args.rows, "seconds": seconds, "differences": differences}
        args.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
