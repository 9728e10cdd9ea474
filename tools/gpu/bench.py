"""What the steps of a GPU run share: the device, the networks, and how rates are measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from benchmarks.common.images import SIZES
from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.inference.backbone import Backbone
from tools.gpu.images import ImageMaker
from tools.gpu.report import Report

NETWORKS = ("resnet50", "mobilenet_v2", "vit_b_16", "vit_l_16")
Work = Callable[[], object]


class Bench:
    """One device and how much is done on it. ``scale``: 1 for measurements, less for a rehearsal."""

    def __init__(self, device: str, scale: float, report: Report, images: Callable[[], ImageMaker]) -> None:
        self.device, self.scale, self.report = torch.device(device), scale, report
        self.network = cache(self._network)
        self._images = images

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def networks(self) -> tuple[str, ...]:
        """The names of those measured; a rehearsal takes one small network."""
        return NETWORKS if self.on_gpu else ("mobilenet_v2",)

    @property
    def batch_sizes(self) -> tuple[int, ...]:
        return (128, 512) if self.on_gpu else (2,)

    def images(self, kind: str) -> Path:
        """Return the folder of images of a kind, once they are made."""
        return self._images().folder(kind)

    def synchronize(self) -> None:
        torch.get_device_module(self.device).synchronize(self.device)

    def _network(self, name: str) -> Backbone:
        """Return a network with random weights, in bf16 on a GPU."""
        how = BackboneRequest(name, "random")
        example = Image.new("RGB", SIZES["photographs"])
        started = time.perf_counter()
        network = load_backbone(how, example, precision="bf16" if self.on_gpu else "fp32", device=str(self.device))
        self.report.say(f"{name} loaded in {time.perf_counter() - started:.1f} s")
        return network

    def random_images(self, rows: int, side: int) -> Tensor:
        """Return uint8 (rows, side, side, 3) on the device."""
        return torch.randint(0, 256, (rows, side, side, 3), dtype=torch.uint8).to(self.device)

    def seconds(self, work: Work) -> float:
        """Return how long one call takes, all that it began on the device included."""
        self.synchronize()
        started = time.perf_counter()
        work()
        self.synchronize()
        return time.perf_counter() - started

    @torch.inference_mode()
    def rate(self, work: Work, rows: int, seconds: float = 1.5) -> int:
        """Return rows/s of calls, after two that warm up."""
        at_once = 5 if self.on_gpu else 1
        for _ in range(2):
            work()
        spent, calls = 0.0, 0
        while spent < seconds * min(1.0, self.scale):
            spent += self.seconds(lambda: [work() for _ in range(at_once)])
            calls += at_once
        return round(calls * rows / spent)

    def captured(self, work: Work) -> Work:
        """Return the same as a CUDA graph; on a processor, as it is."""
        if not self.on_gpu:
            return work
        stream, graph = torch.get_device_module(self.device).Stream(self.device), torch.cuda.CUDAGraph()
        with torch.inference_mode(), torch.cuda.stream(stream):
            for _ in range(3):
                work()
            with torch.cuda.graph(graph, stream=stream):
                kept = work()

        def replay() -> object:
            graph.replay()
            return kept  # whose memory the graph writes to

        return replay
