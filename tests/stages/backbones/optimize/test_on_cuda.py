"""cuDNN's fused operations are used where they give what torch gives; here they are made up."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from frostline.stages.backbones.optimize import fused_convolutions, settle
from frostline.stages.backbones.optimize.layers.cudnn import CudnnConv

IMAGES = (torch.rand(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)) - 0.5).bfloat16()


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = (CudnnConv(nn.Conv2d(4, 4, 3, padding=1)) for _ in range(2))
        self.requires_grad_(False).bfloat16()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.second(self.first(x), x)
        return result


def one(x: Tensor, weight: Tensor, bias: Tensor | None, *geometry: Any) -> Tensor:
    return functional.conv2d(x, weight, bias, *geometry).relu()


def added(x: Tensor, weight: Tensor, addend: Tensor, alpha: float, bias: Tensor | None, *geometry: Any) -> Tensor:
    return (functional.conv2d(x, weight, bias, *geometry) + alpha * addend).relu()


def off(x: Tensor, *arguments: Any) -> Tensor:
    return one(x, *arguments) * 1.05


def fails(*_: Any) -> Tensor:
    raise RuntimeError("GET was unable to find an engine to execute this computation")


def full(*_: Any) -> Tensor:
    raise torch.OutOfMemoryError("CUDA out of memory.")


@pytest.fixture(autouse=True)
def cudnn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "cudnn_convolution_relu", one)
    monkeypatch.setattr(torch, "cudnn_convolution_add_relu", added)


def settled(network: nn.Module, batch: Tensor = IMAGES) -> list[bool]:
    settle(network, batch)
    assert not any(module._forward_hooks for module in network.modules())
    return [layer.fused for layer in fused_convolutions(network)]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_layers_that_give_the_same_are_fused_and_the_network_gives_the_same(dtype: torch.dtype) -> None:
    network, batch = Residual().to(dtype), IMAGES.to(dtype)
    before = network(batch)
    assert settled(network, batch) == [True, True]
    assert torch.equal(network(batch), before)
    assert settled(copy.deepcopy(network), batch) == [True, True]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
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


def test_in_fp32_nothing_is_fused() -> None:
    assert settled(Residual().float(), IMAGES.float()) == [False, False]


def test_a_shape_without_a_fused_engine_is_computed_unfused_and_that_is_logged_once_for_each_layer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    network, large, tried = Residual(), torch.cat([IMAGES] * 2), list[int]()
    expected = network(large)

    def small_alone(x: Tensor, *arguments: Any) -> Tensor:
        tried.append(len(x))
        return one(x, *arguments) if len(x) <= 2 else fails()

    monkeypatch.setattr(torch, "cudnn_convolution_relu", small_alone)
    assert settled(network) == [True, True]
    with caplog.at_level("INFO", "frostline"):
        assert torch.equal(network(large), expected) and torch.equal(network(large), expected)
    assert caplog.messages == ["cuDNN has no fused engine for a convolution of (4, 4, 8, 8); torch computes it"]
    assert torch.equal(network(IMAGES), expected[:2])
    assert tried == [2, 4, 2]


def test_memory_that_runs_out_in_a_fused_layer_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Residual()
    assert settled(network) == [True, True]
    monkeypatch.setattr(torch, "cudnn_convolution_add_relu", full)
    with pytest.raises(torch.OutOfMemoryError):
        network(IMAGES)


def test_memory_that_runs_out_is_raised_and_no_hook_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Residual()
    monkeypatch.setattr(torch, "cudnn_convolution_relu", full)
    with pytest.raises(torch.OutOfMemoryError):
        settle(network, IMAGES)
    assert not any(module._forward_hooks for module in network.modules())
    assert not any(layer.fused for layer in fused_convolutions(network))
