"""One operation that a GPU lacks ends its own row alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from frostline.stages.backbones.optimize.layers.cudnn import CudnnConv
from tools.gpu import kernels
from tools.gpu.bench import Bench
from tools.gpu.images import ImageMaker
from tools.gpu.report import Found, Report


def no_images() -> ImageMaker:
    raise AssertionError("no images are needed")


def test_a_convolution_without_a_fused_engine_is_noted_and_the_next_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fused(layer: CudnnConv, x: torch.Tensor, addend: torch.Tensor | None = None) -> torch.Tensor:
        if addend is None:
            raise RuntimeError("GET was unable to find an engine to execute this computation\nmore")
        return layer(x, addend)

    found: Found = {}
    monkeypatch.setattr(CudnnConv, "by_one_operation", fused)
    monkeypatch.setattr(kernels, "_CONVOLUTIONS", {"a": (3, 4, 1, 1, 4, False), "b": (3, 4, 1, 1, 4, True)})
    kernels._convolutions(Bench("cpu", 0.001, Report(tmp_path, 60), no_images), found)
    error = "RuntimeError: GET was unable to find an engine to execute this computation"
    assert found.pop("a, error") == error
    rates = [found.pop(name) for name in ("a, torch's kernels", "b, torch's kernels", "b, one of cuDNN's")]
    assert all(isinstance(rate, int) and rate > 0 for rate in rates)
    assert found == {"b, largest difference over the largest value (expected below 0.02)": 0.0}
