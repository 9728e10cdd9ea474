"""Convolutions get ready for cuDNN's fused operations where that changes nothing, and only there."""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn
from torchvision import models

from frostline.stages.backbones.network.cut import Cut
from frostline.stages.backbones.optimize import fused_convolutions
from frostline.stages.backbones.optimize.layers.cudnn import CudnnConv
from frostline.stages.backbones.optimize.passes.fuse_cudnn import fuse_cudnn
from support.networks import IMAGES, Sum, made_faster

pytestmark = pytest.mark.usefixtures("optimizations")


for_a_gpu = partial(made_faster, device="cuda:0")  # not fused yet


def sums(network: nn.Module) -> int:
    assert isinstance(network, fx.GraphModule)
    calls = [node for node in network.graph.nodes if node.op == "call_module"]
    return sum(isinstance(network.get_submodule(node.target), CudnnConv) and len(node.args) == 2 for node in calls)


def _writes_its_input_between(net: Sum, x: Tensor) -> Tensor:
    y = net.second(net.first(x))
    z = net.third(y)
    y.mul_(2)
    return net.relu(z + y)


@pytest.mark.parametrize(
    ("add", "fused", "fused_sums"),
    [
        (lambda net, x: net.relu(net.second(x) + x), 1, 1),
        (lambda net, x: net.relu(x + net.second(x)), 1, 1),
        (lambda net, x: net.relu(torch.add(net.second(x), net.third(x))), 1, 1),
        (lambda net, x: torch.relu(operator.iadd(net.second(net.relu(net.first(x))), x)), 2, 1),
        (lambda net, x: net.relu(torch.add(net.second(x), x, alpha=2)), 0, 0),
        (lambda net, x: net.relu(net.second(x) + 1), 0, 0),
        (lambda net, x: net.second(x) + x, 0, 0),
        (lambda net, x: (y := net.first(x)) + net.relu(y), 0, 0),
        (lambda net, x: torch.nn.functional.gelu(net.first(x)), 0, 0),
        (lambda net, x: torch.nn.functional.relu6(net.first(x)), 0, 0),
        (_writes_its_input_between, 0, 0),
    ],
)
def test_what_follows_is_taken_in_where_nothing_else_sees_it(add: Any, fused: int, fused_sums: int) -> None:
    network = for_a_gpu(Sum(add), "idle")
    assert (len(fused_convolutions(network)), sums(network)) == (fused, fused_sums)
    bright = 100 * IMAGES
    with torch.no_grad():
        torch.testing.assert_close(network(bright.clone()), Cut(Sum(add), "idle")(bright.clone()), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "fused", "fused_sums"),
    [("resnet18", 17, 8), ("resnet50", 49, 16), ("vgg11", 8, 0), ("mobilenet_v2", 0, 0)],
)
def test_known_networks(name: str, fused: int, fused_sums: int) -> None:
    torch.manual_seed(0)
    model = models.get_model(name, weights=None).eval().requires_grad_(False)
    layer = "classifier.0:input" if name == "vgg11" else "classifier:input" if name == "mobilenet_v2" else "fc:input"
    network = for_a_gpu(model, layer, torch.rand(2, 3, 64, 64))
    assert (len(fused_convolutions(network)), sums(network)) == (fused, fused_sums)
    assert not any(layer.fused for layer in fused_convolutions(network))


@pytest.mark.parametrize(("swapped", "fused_sums"), [(False, 0), (True, 1)])
def test_a_sum_that_is_written_over_what_is_added_stays_as_it_is(swapped: bool, fused_sums: int) -> None:
    graph = fx.symbolic_trace(Sum(lambda net, x: net.relu(x + net.second(x))))
    (addition,) = (node for node in graph.graph.nodes if node.target is operator.add)
    addition.target, addition.args = operator.iadd, addition.args[::-1] if swapped else addition.args
    fuse_cudnn(graph)
    assert sums(graph) == fused_sums


def test_what_is_exported_and_what_runs_on_a_cpu_have_none() -> None:
    model = Sum(lambda net, x: net.relu(net.second(x) + x))
    assert not fused_convolutions(for_a_gpu(model, "idle", portable=True))
