"""How well N actors or tasks fill one feature set: a model of their scheduling, with costs that are measured here.

    python -m benchmarks.store.cluster_model [--rows 2000000] [--speed 100] [--request-ms 30]

Claim, commit, listing and the kept index of a tar file are measured on this machine, in a folder: a commit by the
clock, as it waits for the disk, the others in processor time. ``--request-ms`` takes requests of that many milliseconds
in place of them, as in a bucket: one for a claim, two for a commit, one for 1,000 names. ``ray`` gives shards out by
number, as the engine does; ``array`` runs the order of its tasks itself, ``stages/extract/order.py``, under a made-up
clock. Efficiency is the time of all shards on one actor, divided by N times the time from the first claim to the last
commit; the second column counts the start too.
"""

from __future__ import annotations

import argparse
import heapq
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from math import ceil
from pathlib import Path
from statistics import median
from unittest.mock import patch

import numpy as np
from PIL import Image

from frostline.pipeline.engines.on_ray.engine import TURN
from frostline.pipeline.settings import DatasetSettings
from frostline.pipeline.workspace import Workspace
from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.extract import order
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.store import FeatureSet, FeatureStore, Layout, Provenance, Shard, encode_ids
from frostline.stages.store.key import FeatureKey

ROWS = 1024
WORKERS = (1, 2, 4, 8, 16, 32, 64, 128, 200)
SPEC = BackboneSpec("benchmark", "", "0" * 64, "fc:input", "none", Preprocessing(256, 224), (224, 224))


@dataclass(frozen=True)
class Costs:
    """In seconds: a claim, one that is late, a commit; a listing for each shard, a kept index for each row."""

    claim: float
    late: float
    commit: float
    listing: float
    index: float


def measured(folder: Path, width: int) -> Costs:
    """Return the costs on this machine, medians of real calls."""
    big, many = _set(folder / "big", 12, ROWS, width), _set(folder / "many", 300, 4, 2)
    commits = [_timed(partial(_commit, big, shard), time.perf_counter) for shard in big.shards]
    claims = [_timed(partial(_claim, many, shard)) for shard in range(100)]
    for shard in many.shards:
        _commit(many, shard)
    late = [_timed(partial(_claim, many, shard)) for shard in range(100)]
    listings = [_timed(many.missing) for _ in range(5)]
    return Costs(median(claims), median(late), median(commits), median(listings) / len(many.shards), _index(folder))


def _index(folder: Path, images: int = 10_000) -> float:
    """Return what a kept index takes for each image of a tar file, in seconds."""
    jpeg = BytesIO()
    Image.new("RGB", (16, 16)).save(jpeg, "JPEG")
    with tarfile.open(folder / "all.tar", "w") as file:
        for i in range(images):
            for ending, data in (("jpg", jpeg.getvalue() + b"%d" % i), ("cls", b"%d" % (i % 3))):
                about = tarfile.TarInfo(f"{i:07d}.{ending}")
                about.size = len(data)
                file.addfile(about, BytesIO(data))
    settings, workspace = DatasetSettings(dataset=f"tar:{folder / 'all.tar'}"), Workspace(folder)
    time.sleep(2.5)  # what is younger is not remembered
    settings.open_dataset(workspace)
    return median(_timed(lambda: settings.open_dataset(workspace)) for _ in range(3)) / images


def in_a_bucket(request: float, index: float) -> Costs:
    """Return what the same takes in requests of so many seconds each."""
    return Costs(request, request, 2 * request, 2 * request / 1000, index)


def _set(root: Path, shards: int, rows: int, width: int) -> FeatureSet:
    key = FeatureKey("0" * 64, SPEC, "pillow", "plain", "fp32", "float32")
    layout = Layout(key.fields(), "model", "train", shards * rows, width, rows)
    return FeatureStore(root).begin(layout, Provenance())


def _commit(features: FeatureSet, shard: int) -> None:
    span, width = features.span(shard), features.layout.width
    ids = encode_ids([f"{row:08d}" for row in span], 8)
    content = np.random.default_rng(shard).normal(size=(len(span), width)).astype(np.float32)
    features.commit(shard, Shard(content, ids, np.zeros((len(span), 32), np.uint8), np.zeros(len(span), np.uint8)))


def _claim(features: FeatureSet, shard: int) -> None:
    with features.claim(shard, wait=False):
        pass


def _timed(function: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Return what a call takes: processor time, which other work does not lengthen, or what a clock says."""
    started = clock()
    function()
    return clock() - started


@dataclass(frozen=True)
class Work:
    """How many shards, how long each takes, how actors and shards differ, how long an actor takes to begin."""

    shards: int
    seconds: float
    start: float
    costs: Costs
    spread: float = 0.05

    def times(self, workers: int) -> np.ndarray:
        """Return how long each worker takes for each shard, (workers, shards)."""
        rng = np.random.default_rng(workers)
        of_worker = rng.normal(1, self.spread, (workers, 1)).clip(0.5)
        of_shard = rng.normal(1, self.spread, (1, self.shards)).clip(0.5)
        times: np.ndarray = self.seconds * of_worker / of_worker.mean() * of_shard
        return times

    @property
    def each(self) -> float:
        """What a shard takes beside its computation."""
        return self.costs.claim + self.costs.commit


def by_ray(work: Work, workers: int, call: float = 0.002) -> float:
    """Return when the last shard is committed, if a driver gives them out; ``call``: what that takes it, in seconds."""
    times, given, driver = work.times(workers), 0, work.costs.listing * work.shards
    free = [(0.0, worker) for worker in range(workers)]
    pace, ended = 0.0, 0.0
    while given < work.shards:
        now, worker = heapq.heappop(free)
        driver = max(driver, now) + call
        share = int(TURN / pace) if pace else 1
        some = max(1, min(share, ceil((work.shards - given) / (2 * workers))))
        took = times[worker, given : given + some].sum() + some * work.each
        pace, given = took / some, given + some
        ended = max(ended, driver + took)
        heapq.heappush(free, (driver + took, worker))
    return ended + work.costs.listing * work.shards


@dataclass(eq=False)
class _Clocked:
    """A set as one task sees it, whose clock it moves: ``committed`` says when each shard is."""

    work: Work
    committed: np.ndarray
    now: float = 0.0

    def missing(self) -> list[int]:
        self.now += self.work.costs.listing * self.work.shards
        return np.flatnonzero(self.committed > self.now).tolist()


def by_array(work: Work, workers: int) -> float:
    """Return when the last shard is committed, if every task finds its own."""
    times, committed = work.times(workers), np.full(work.shards, np.inf)
    tasks = [_Clocked(work, committed) for _ in range(workers)]
    turns = [order.in_turn(task, i / workers) for i, task in enumerate(tasks)]  # type: ignore[arg-type]
    queue = [(0.0, i) for i in range(workers)]
    clock = _Time()
    with patch.object(order, "time", clock):
        while queue:
            _, i = heapq.heappop(queue)
            clock.task = tasks[i]
            shard = next(turns[i], None)
            if shard is not None:
                _attempt(tasks[i], shard, times[i, shard])
                heapq.heappush(queue, (tasks[i].now, i))
    return float(committed.max()) + work.costs.listing * work.shards


@dataclass
class _Time:
    """The clock of whichever task is at work."""

    task: _Clocked | None = None

    def perf_counter(self) -> float:
        return self.task.now if self.task else 0.0


def _attempt(task: _Clocked, shard: int, seconds: float) -> None:
    """Claim a shard, and compute it if nobody has begun it."""
    if np.isfinite(task.committed[shard]):
        task.now += task.work.costs.late
        return
    task.now += task.work.each + seconds
    task.committed[shard] = task.now


def table(work: Work) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| N | ray: filling | with the start | array: filling | with the start |"
    yield "|---:|---:|---:|---:|---:|"
    alone = work.shards * (work.seconds + work.each)
    for n in WORKERS:
        cells = []
        for ended in (by_ray(work, n), by_array(work, n)):
            cells += [f"{alone / (n * ended):.2f}", f"{(alone + work.start) / (n * (ended + work.start)):.2f}"]
        yield f"| {n} | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--speed", type=float, default=100.0, help="rows a second of one actor")
    parser.add_argument("--start", type=float, default=20.0, help="seconds until a network is loaded")
    parser.add_argument("--request-ms", type=float, help="a bucket, by what a request takes")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        costs = measured(Path(folder), args.width)
    if args.request_ms:
        costs = in_a_bucket(args.request_ms / 1000, costs.index)
    shards = ceil(args.rows / ROWS)
    print(
        f"{args.rows:,} rows in {shards:,} shards, {args.speed:g} rows/s an actor, differences of 5 % (one deviation)"
    )
    print(f"claim {1e3 * costs.claim:.2f} ms, late {1e3 * costs.late:.2f} ms, commit {1e3 * costs.commit:.1f} ms,")
    print(f"listing {1e6 * costs.listing:.1f} µs a shard, kept index {1e6 * costs.index:.1f} µs a row;")
    start = args.start + costs.index * args.rows
    print(f"start {start:.0f} s: {args.start:g} s for the network, the rest for the kept index")
    print(*table(Work(shards, ROWS / args.speed, start, costs)), sep="\n")


if __name__ == "__main__":
    main()
