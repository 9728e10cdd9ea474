"""Where time goes: kernels of a network, and the processor's side of a stream of batches. Tables in profile.txt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.backbones.inference.batches import BatchLimit
from tools.gpu.bench import Bench
from tools.gpu.report import Found
from tools.gpu.resident import FULL

_ROWS = 30


@contextmanager
def profiled(bench: Bench, title: str, by: str) -> Iterator[profile]:
    """Profile what is done within, and add its table to profile.txt."""
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if bench.on_gpu else [])]
    with profile(activities=kinds) as found:
        yield found
        bench.synchronize()
    table = found.key_averages().table(sort_by=by, row_limit=_ROWS, max_name_column_width=90)
    bench.report.append("profile.txt", f"== {title}\n{table}")


def profiles(bench: Bench, found: Found) -> None:
    by = "self_device_time_total" if bench.on_gpu else "self_cpu_time_total"
    for name in ("resnet50", "vit_b_16") if bench.on_gpu else bench.networks:
        found[name] = _kernels(bench, name, by)
        _stream(bench, name, bench.network(name))


def _kernels(bench: Bench, name: str, by: str) -> list[str]:
    """Return the eight kernels that take most of five batches."""
    backbone, rows = bench.network(name), bench.batch_sizes[0]
    given = {"pixels": bench.random_images(rows, FULL)}
    with torch.inference_mode():
        backbone.features(given)
        with profiled(bench, f"{name}: kernels of 5 batches of {rows}", by) as done:
            for _ in range(5):
                backbone.features(given)
    events = sorted(done.key_averages(), key=lambda event: -getattr(event, by))[:8]
    return [f"{event.key[:70]}: {event.count} calls, {getattr(event, by) / 1e3:.2f} ms" for event in events]


def _stream(bench: Bench, name: str, backbone: Backbone) -> None:
    rows, number = bench.batch_sizes[0], max(2, int(20 * min(1, bench.scale)))
    batch = np.random.default_rng(0).integers(0, 256, (rows, FULL, FULL, 3), np.uint8)
    with profiled(bench, f"{name}: {number} batches of {rows} as a stream", "self_cpu_time_total"):
        for _ in backbone.stream(({"pixels": batch} for _ in range(number)), BatchLimit(rows)):
            pass
