"""Packed linear layers give what the network gave; where they don't, it runs as it was written."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import Tensor, nn

from frostline.stages.backbones.optimize.packing import PackedLinear, packed

torch.manual_seed(0)
X = torch.randn(6, 24)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(24, 40), nn.Linear(40, 24, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x).relu()) @ self.first.weight.T


@torch.inference_mode()
def features(network: nn.Module) -> Tensor:
    return network(X)


def test_every_linear_layer_is_packed_and_shares_its_weights() -> None:
    network = Tied().eval()
    faster = packed(network, features)
    assert [type(one) for one in faster.children()] == [PackedLinear, PackedLinear]
    assert faster.first.weight is network.first.weight and type(network.first) is nn.Linear
    torch.testing.assert_close(features(faster), features(network))


@pytest.mark.parametrize("rows", [1, 2, 5, 64])
def test_one_packing_serves_batches_of_any_size_and_another_precision(rows: int) -> None:
    faster = packed(Tied().eval(), features)
    batch = torch.randn(rows, 24)
    with torch.inference_mode():
        torch.testing.assert_close(
            faster.first(batch), nn.functional.linear(batch, faster.first.weight, faster.first.bias)
        )
        half = faster.first.to(torch.bfloat16)
        wanted = nn.functional.linear(batch.bfloat16(), half.weight, half.bias)
        torch.testing.assert_close(half(batch.bfloat16()), wanted)


class Asking(nn.Module):
    """Works only with torch's own layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x) if self.layer.in_features == 24 else x


def test_a_network_that_hooks_watch_or_that_asks_for_its_layers_runs_as_written(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "frostline")
    hooked, asking = nn.Sequential(nn.Linear(24, 3)).eval(), Asking().eval()
    hooked[0].register_forward_hook(lambda *_: None)
    assert packed(hooked, features) is hooked and packed(asking, features) is asking
    assert "hooks" in caplog.text and "AttributeError" in caplog.text
