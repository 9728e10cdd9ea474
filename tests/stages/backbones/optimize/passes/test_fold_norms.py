"""Batch normalisation is folded into the convolution before it, and only where nothing else needs either."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

from frostline.stages.backbones import BackboneRequest, load_backbone
from support.networks import Net, count, made_faster
from support.pictures import picture

pytestmark = pytest.mark.usefixtures("optimizations")


@pytest.mark.parametrize(
    ("layer", "norms"),
    [("fc:input", 0), ("fc", 0), ("norm2", 0), ("conv2", 0), ("norm2:input", 0), ("norm1", 0), ("conv1", 0)],
)
def test_folding_leaves_what_comes_out_at_any_layer_as_it_was(layer: str, norms: int) -> None:
    assert count(made_faster(Net(), layer), nn.BatchNorm2d) == norms


@pytest.mark.parametrize(
    ("extra", "norms"),
    [
        (lambda net, y: y, 1),
        (lambda net, y: y.mean(), 1),
        (lambda net, y: net.norm1.running_var.mean(), 0),
        (lambda net, y: net.conv1.weight.sum(), 0),
        (lambda net, y: net.other(y), 1),
        (lambda net, y: net.norm1(2 * y), 1),
        (lambda net, y: float(y.mean() > 99), 2),
    ],
    ids=[
        "adds it",
        "adds its mean",
        "reads the norm",
        "reads the conv",
        "another module",
        "norm twice",
        "can't be traced",
    ],
)
def test_what_other_code_of_the_network_uses_is_not_folded_away(extra: Any, norms: int) -> None:
    assert count(made_faster(Net(extra), "fc:input"), nn.BatchNorm2d) == norms


def test_fusing_leaves_every_weight_of_the_model_as_it_was() -> None:
    model, fresh = Net(), Net()
    made_faster(model, "fc:input")
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), fresh.state_dict().values(), strict=True))
    assert model.conv2.bias is None and model.norm1.running_mean is not None


def test_an_activation_between_convolution_and_normalisation_stays_between_them() -> None:
    class InPlace(Net):
        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.norm2(self.conv2(self.norm1(self.conv1(x).relu_()))).mean((2, 3)))

    assert count(made_faster(InPlace(), "fc:input"), nn.BatchNorm2d) == 1


def test_the_traced_networks_of_torchvision_hold_no_batch_normalisation_after_a_convolution() -> None:
    backbone = load_backbone(BackboneRequest("resnet18", "random"), picture(0, (64, 64)))
    assert isinstance(backbone.network, fx.GraphModule)
    assert count(backbone.network, nn.BatchNorm2d) == 0
