"""Where the time of one extraction goes.

    python -m benchmarks.extraction.where [--models mobilenet_v2 resnet50] [--thumbnails 1024] [--photographs 512]
        [--rounds 3] [--precision auto] [--folder .] [--json FILE]

Images made here, thumbnails of 32 x 32 and photographs of 500 x 375 as JPEG, with random weights (the arithmetic is
the same), each extraction on a new workspace below --folder. The functions that do the work are wrapped, and every
second belongs to the innermost of them: so that seconds can be added up, one thread decodes, though the network
takes all cores. Imports are not counted, and what comes once, whatever the number of images, is apart: loading
the network, and finding its fastest precision, batch and threads. Files are in the system's memory. Medians of
the rounds, all in turn.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from statistics import mean, median
from types import FunctionType
from typing import Any

from benchmarks.common.images import SIZES, made_up, write
from benchmarks.common.processes import machine
from frostline.pipeline.engines.batching import batch_settings_for
from frostline.pipeline.plan.pick_mode import pick_mode
from frostline.pipeline.run.run import extract
from frostline.pipeline.settings import ExtractSettings
from frostline.stages.backbones import load_backbone, raw_or_item
from frostline.stages.backbones.inference.frozen import AnyBackbone
from frostline.stages.datasets.index import examine
from frostline.stages.datasets.walk import walk
from frostline.stages.extract.loader import Batch
from frostline.stages.modalities.image.decode import decode
from frostline.stages.store import FeatureSet
from frostline.stages.store.files import _write_new
from frostline.stages.store.shard import to_bytes

LOAD = "before: load, find what is fast"
READ, DECODE, TRANSFORM = "read and hash files", "decode", "resize, crop, stack"
BACKBONE = "backbone, normalization included"
COMMIT, ENCODE, WRITE, FSYNC = "store: hash, records", "store: encode", "store: write", "store: fsync"
LIST = "list the folder"
PARTS = (LIST, READ, DECODE, TRANSFORM, BACKBONE, ENCODE, COMMIT, WRITE, FSYNC)
REST, WHOLE, BUSY = "rest", "whole", "cores busy"


class Clock:
    """The seconds of each part, less those of the parts within it; of the thread that made it."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._stack: list[str] = []
        self._since = time.perf_counter()
        self._thread = threading.get_ident()

    def timed(self, part: str, work: Callable[..., Any], *, alone: bool = False) -> Callable[..., Any]:
        """Return the function with its time counted; ``alone``: only where it is called from none of the parts."""

        @wraps(work)
        def call(*arguments: Any, **named: Any) -> Any:
            if self._thread != threading.get_ident() or LOAD in self._stack or (alone and self._stack):
                return work(*arguments, **named)
            self._turn()
            self._stack.append(part)
            try:
                return work(*arguments, **named)
            finally:
                self._turn()
                self._stack.pop()

        return call

    def _turn(self) -> None:
        now = time.perf_counter()
        if self._stack:
            self.seconds[self._stack[-1]] += now - self._since
        self._since = now


@contextmanager
def counted(clock: Clock) -> Iterator[None]:
    """Have the functions that do the work counted, under whatever names they were imported."""
    functions: dict[Any, str] = {
        load_backbone: LOAD,
        pick_mode: LOAD,
        batch_settings_for: LOAD,
        walk: LIST,
        examine: READ,
        decode: DECODE,
        raw_or_item: TRANSFORM,
        to_bytes: ENCODE,
        _write_new: WRITE,
    }
    own = [module for name, module in sys.modules.items() if name.split(".")[0] in ("pipeline", "stages")]
    places: list[tuple[Any, str, str]] = [
        (module, name, functions[value])
        for module in own
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value in functions
    ]
    places += [(Batch, "stacked", TRANSFORM), (AnyBackbone, "embed", BACKBONE), (os, "fsync", FSYNC)]
    places += [(FeatureSet, "commit", COMMIT), (FeatureSet, "publish", COMMIT)]
    places += [(hashlib, "sha256", READ), (Path, "read_bytes", READ)]
    with ExitStack() as undo:
        for owner, name, part in places:
            original = getattr(owner, name)
            undo.callback(setattr, owner, name, original)
            setattr(owner, name, clock.timed(part, original, alone=owner in (hashlib, Path)))
        yield


def once(images: Path, model: str, args: argparse.Namespace) -> dict[str, float]:
    """Return the seconds of every part of one extraction, the rest, these together, loading, and how many cores."""
    settings: dict[str, Any] = {"backbone": model, "weights": "random", "precision": args.precision}
    clock = Clock()
    with tempfile.TemporaryDirectory(dir=args.folder) as workspace:
        asked = ExtractSettings(dataset=f"folder:{images}", data_dir=workspace, device="cpu", workers=1, **settings)
        with counted(clock):
            busy, started = time.process_time(), time.perf_counter()
            extract(asked)
            whole, busy = time.perf_counter() - started, time.process_time() - busy
    parts = {part: clock.seconds[part] for part in PARTS}
    left = whole - clock.seconds[LOAD]
    return {**parts, REST: left - sum(parts.values()), WHOLE: left, LOAD: clock.seconds[LOAD], BUSY: busy / whole}


def measured(args: argparse.Namespace) -> dict[tuple[str, str], dict[str, float]]:
    """Return median seconds by model and kind of image."""
    counts = {"thumbnails": args.thumbnails, "photographs": args.photographs}
    times: dict[tuple[str, str], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(dir=args.folder) as root:
        for kind, size in SIZES.items():
            images = list(made_up(size, counts[kind]))
            write(images, Path(root) / kind)
            print(f"{counts[kind]:,} {kind} of {size[0]} x {size[1]}, {mean(map(len, images)) / 1000:.1f} kB each")
        for model in args.models:
            once(Path(root) / "thumbnails", model, args)  # what happens once in a process
        for _ in range(args.rounds):
            for model in args.models:
                for kind in SIZES:
                    times.setdefault((model, kind), []).append(once(Path(root) / kind, model, args))
    return {which: {part: median(t[part] for t in all_of) for part in all_of[0]} for which, all_of in times.items()}


def show(found: dict[tuple[str, str], dict[str, float]], counts: dict[str, int]) -> None:
    print("\n" + " " * 40 + "".join(f"{model:>15}" for model, _ in found))
    print(" " * 40 + "".join(f"{kind:>15}" for _, kind in found))
    for part in (*PARTS, REST):
        print(f"{part:40}" + "".join(f"{seconds[part] / seconds[WHOLE]:15.1%}" for seconds in found.values()))
    print(f"{'seconds':40}" + "".join(f"{seconds[WHOLE]:15.1f}" for seconds in found.values()))
    print(f"{LOAD + ', seconds':40}" + "".join(f"{seconds[LOAD]:15.1f}" for seconds in found.values()))
    rates = [counts[kind] / seconds[WHOLE] for (_, kind), seconds in found.items()]
    print(f"{'images/s':40}" + "".join(f"{rate:15.1f}" for rate in rates))
    print(f"{BUSY:40}" + "".join(f"{seconds[BUSY]:15.2f}" for seconds in found.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["mobilenet_v2", "resnet50"])
    parser.add_argument("--thumbnails", type=int, default=1024)
    parser.add_argument("--photographs", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    about = machine()
    print(f"{about['machine']}; {about['versions']}\nmedians of {args.rounds} rounds, precision {args.precision}")
    found = measured(args)
    counts = {"thumbnails": args.thumbnails, "photographs": args.photographs}
    show(found, counts)
    if args.json:
        seconds = [{"model": model, "images": kind, "seconds": parts} for (model, kind), parts in found.items()]
        whole = {**about, "precision": args.precision, "counts": counts, "rounds": args.rounds, "found": seconds}
        args.json.write_text(json.dumps(whole, indent=2) + "\n")


if __name__ == "__main__":
    main()
