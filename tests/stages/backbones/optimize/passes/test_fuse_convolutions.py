"""Convolutions with what follows them: fused where that changes nothing, and only there."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

from frostline.stages.backbones.network.cut import Cut
from support.networks import IMAGES, Sum, made_faster

pytestmark = pytest.mark.usefixtures("fusing")


def _reads_later(net: Sum, x: Tensor) -> Tensor:
    y = net.first(x)
    return net.relu(net.second(y) + y) * y


def _reads_a_view_later(net: Sum, x: Tensor) -> Tensor:
    y = net.first(x)
    top = net.idle(y)[:, :, :4]
    z = net.relu(net.second(y) + y)
    return z[:, :, :4] - top


@pytest.mark.parametrize(
    ("add", "fused_sums"),
    [
        (lambda net, x: net.relu(net.second(net.first(x)) + net.third(x)), 1),
        (lambda net, x: torch.add(net.third(x), net.second(net.first(x))), 1),
        (lambda net, x: torch.add(net.third(x), net.second(net.first(x)), alpha=2), 0),
        (lambda net, x: net.second(x) + x, 0),
        (lambda net, x: (y := net.first(x)) + net.second(net.relu(y)), 0),
        (lambda net, x: (y := net.first(x)) + y, 0),
        (lambda net, x: net.first(x) + 1, 0),
        (_reads_later, 0),
        (_reads_a_view_later, 0),
    ],
)
def test_a_sum_is_fused_only_where_what_it_overwrites_is_not_read_again(add: Any, fused_sums: int) -> None:
    network = made_faster(Sum(add), "idle")
    assert isinstance(network, fx.GraphModule)
    assert sum(node.op == "call_module" and len(node.args) == 2 for node in network.graph.nodes) == fused_sums
    with torch.no_grad():
        torch.testing.assert_close(network(IMAGES), Cut(Sum(add), "idle")(IMAGES), rtol=1e-5, atol=1e-5)  # once more


@pytest.mark.parametrize(
    "act",
    [nn.ReLU(), nn.ReLU6(), nn.Hardtanh(-0.3, 0.4), nn.SiLU(), nn.Hardswish(), torch.relu, nn.functional.relu6],
    ids=lambda act: getattr(act, "__name__", type(act).__name__),
)
def test_each_activation_after_a_convolution_is_the_same_number_fused(act: Any) -> None:
    net = Sum(lambda net, x: net.third(net.act(net.first(x * 9))))
    net.act = act
    network = made_faster(net, "idle")
    assert isinstance(network, fx.GraphModule)
    assert not any("act" in str(node.target) or node.target is act for node in network.graph.nodes)
