"""Layers of one network from one pass: the same bits, or none."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.backbones.inference.multi_layer import share_pass
from frostline.stages.backbones.spec import Precision

NOISE = np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), np.uint8)


def backbones(name: str, *layers: str | None, precision: Precision = "fp32") -> list[Backbone]:
    example = Image.fromarray(NOISE[0])
    small = {"resize": (64, 64), "crop": None}
    requests = [BackboneRequest(name, "random", layer, preprocessing=small) for layer in layers]
    return [load_backbone(request, example, precision=precision) for request in requests]


@pytest.mark.usefixtures("optimizations")
@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("resnet18", ("layer1.0", "layer4", "layer2", None)),  # what layer1.0 gives is written over by layer1.1
        ("mobilenet_v2", ("features.7", "features.14", None)),
        ("squeezenet1_0", ("features.5", "classifier:input")),
    ],
)
def test_one_pass_gives_the_bits_of_each_layers_own_pass(name: str, layers: tuple[str | None, ...]) -> None:
    alone = backbones(name, *layers)
    shared = share_pass(alone)
    assert shared is not None and shared.width == sum(backbone.width for backbone in alone)
    assert np.array_equal(
        shared.embed({"pixels": NOISE}), np.concatenate([b.embed({"pixels": NOISE}) for b in alone], axis=1)
    )


@pytest.mark.usefixtures("optimizations")
def test_what_differs_in_more_than_the_layer_is_not_shared() -> None:
    first, last = backbones("resnet18", "layer1", None)
    (rough,) = backbones("resnet18", "layer1", precision="bf16")
    (other,) = backbones("resnet34", "layer4")
    assert share_pass([first, last]) and share_pass([rough, last]) is None and share_pass([first, other]) is None


def test_a_layer_whose_normalisation_is_folded_into_it_is_not_shared() -> None:
    assert share_pass(backbones("resnet18", "layer1.0.conv1", None)) is None


def test_networks_as_they_are_written_are_not_shared() -> None:
    requests = [BackboneRequest("resnet18", "random", layer) for layer in ("layer1", None)]
    example = Image.fromarray(NOISE[0])
    assert share_pass([load_backbone(request, example, optimize="none") for request in requests]) is None
