"""cuDNN's fused operations are used where they give what torch gives, and if they are faster; here they are made up."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from frostline.stages.backbones.optimize import fused_convolutions, on_cuda, settle
from frostline.stages.backbones.optimize.layers.cudnn import CudnnConv

IMAGES = torch.rand(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = (CudnnConv(nn.Conv2d(4, 4, 3, padding=1)) for _ in range(2))
        self.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.second(self.first(x), x)
        return result


def one(x: Tensor, weight: Tensor, bias: Tensor | None, *geometry: Any) -> Tensor:
    return functional.conv2d(x, weight, bias, *geometry).relu()


def added(x: Tensor, weight: Tensor, addend: Tensor, alpha: float, bias: Tensor | None, *geometry: Any) -> Tensor:
    return (functional.conv2d(x, weight, bias, *geometry) + alpha * addend).relu()


def off(x: Tensor, *arguments: Any) -> Tensor:
    return one(x, *arguments) * (1 + 2e-5 if x.dtype == torch.float32 else 1.05)


def fails(*_: Any) -> Tensor:
    raise RuntimeError("GET was unable to find an engine to execute this computation")


@pytest.fixture(autouse=True)
def cudnn(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(torch, "cudnn_convolution_relu", one)
    monkeypatch.setattr(torch, "cudnn_convolution_add_relu", added)
    monkeypatch.setattr(on_cuda, "_seconds", lambda block, images: 1.0 - 0.5 * block.first.fused)
    on_cuda.pays.cache_clear()
    yield
    on_cuda.pays.cache_clear()


def settled(network: nn.Module, batch: Tensor = IMAGES) -> list[bool]:
    settle(network, batch)
    assert not any(module._forward_hooks for module in network.modules())
    return [layer.fused for layer in fused_convolutions(network)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_layers_that_give_the_same_are_fused_and_the_network_gives_the_same(dtype: torch.dtype) -> None:
    network, batch = Residual().to(dtype), IMAGES.to(dtype)
    before = network(batch)
    assert settled(network, batch) == [True, True]
    assert torch.equal(network(batch), before)
    assert settled(copy.deepcopy(network), batch) == [True, True]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("operation", [off, fails])
def test_a_layer_that_is_off_or_fails_is_not_fused(
    operation: Any, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "cudnn_convolution_relu", operation)
    network, batch = Residual().to(dtype), IMAGES.to(dtype)
    before = network(batch)
    assert settled(network, batch) == [False, True]
    assert torch.equal(network(batch), before)


def test_another_order_of_memory_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "cudnn_convolution_relu", lambda *a: one(*a).to(memory_format=torch.channels_last))
    assert settled(Residual()) == [False, True]


@pytest.mark.parametrize("addend", [None, IMAGES])
def test_torchs_operations_take_these_arguments_but_not_on_a_cpu(
    addend: Tensor | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with pytest.raises(NotImplementedError, match="from the 'CPU' backend"):  # others raise TypeError
        CudnnConv(nn.Conv2d(4, 4, 3, padding=1)).by_one_operation(IMAGES, addend)


@pytest.mark.parametrize("took", [1.0, 0.98])
def test_nothing_is_fused_where_that_is_no_faster(took: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_cuda, "_seconds", lambda block, images: took if block.first.fused else 1.0)
    assert settled(Residual()) == [False, False]


def test_the_trial_times_both_ways_and_a_failure_there_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(on_cuda, "_IMAGES", 1)
    monkeypatch.setattr(torch, "cudnn_convolution_relu", fails)
    with caplog.at_level("INFO", "frostline"):
        assert settled(Residual()) == [False, False]
        assert settled(Residual()) == [False, False]
    assert len(caplog.records) == 1 and "unable to find an engine" in caplog.text  # asked once per process
    block = on_cuda._block(torch.device("cpu"), torch.float32, fused=False)
    assert 0 < on_cuda._seconds(block, torch.rand(1, 256, 8, 8)) < 60


def test_memory_that_runs_out_is_raised_and_no_hook_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    network = Residual()
    monkeypatch.setattr(torch, "cudnn_convolution_relu", full)
    with pytest.raises(torch.OutOfMemoryError):
        settle(network, IMAGES)
    assert not any(module._forward_hooks for module in network.modules())
    assert not any(layer.fused for layer in fused_convolutions(network))
