"""One model of each torchvision family: its features are the input of its own classifier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.inference.backbone import Backbone

# The smallest model of each family, and the smallest side that it takes in little time
FAMILIES = {
    "alexnet": 64,
    "convnext_tiny": 64,
    "densenet121": 64,
    "efficientnet_b0": 64,
    "efficientnet_v2_s": 64,
    "googlenet": 64,
    "inception_v3": 96,
    "maxvit_t": 224,
    "mnasnet0_5": 64,
    "mobilenet_v2": 64,
    "mobilenet_v3_small": 64,
    "regnet_y_400mf": 64,
    "resnet18": 64,
    "resnext50_32x4d": 64,
    "shufflenet_v2_x0_5": 64,
    "squeezenet1_0": 64,
    "swin_t": 64,
    "swin_v2_t": 64,
    "vgg11": 64,
    "vit_b_32": 224,
    "wide_resnet50_2": 64,
}
# ReLU and a mean follow its classifier; a test of its own says what holds
GOES_ON = ("squeezenet1_0",)


@dataclass
class Case:
    """A backbone's features beside plain torchvision's, of the same pixels and the same weights.

    ``features``: (2, d), ours. ``taken``: what the classifier was given. ``given``: what it
    gave. ``head``: the classifier, with new W and b, because some begin as zeros.
    """

    backbone: Backbone
    features: Tensor
    head: nn.Module
    taken: Tensor
    given: Tensor
    logits: Tensor

    @property
    def product(self) -> Tensor:
        return self.features @ self.head.weight.flatten(1).T

    @property
    def by_hand(self) -> Tensor:
        return self.product if self.head.bias is None else self.product + self.head.bias


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small batches in many threads mostly wait for each other where cores are shared."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=FAMILIES)
def case(request: pytest.FixtureRequest) -> Case:
    side = FAMILIES[request.param]
    pixels = np.random.default_rng(1).integers(0, 256, (2, side, side, 3), np.uint8)
    size = {"resize": (side, side), "crop": None}
    backbone = load_backbone(BackboneRequest(request.param, "random", preprocessing=size), Image.fromarray(pixels[0]))
    features = torch.from_numpy(backbone.embed({"pixels": pixels}))
    model = plain(request.param)
    head = model.get_submodule(backbone.spec.layer.removesuffix(":input"))
    return Case(backbone, features, head, *through(model, head, to_input(pixels)))


def plain(name: str) -> nn.Module:
    arguments = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    torch.manual_seed(0)
    return torchvision.models.get_model(name, weights=None, **arguments).eval().requires_grad_(False)


def to_input(pixels: np.ndarray) -> Tensor:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)


@torch.inference_mode()
def through(model: nn.Module, head: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return what the head takes, what it gives and the logits; W and b on the scale of what it takes."""
    seen: list[Tensor] = []

    def before(module: nn.Module, args: tuple[Tensor]) -> None:
        seen.append(args[0].clone())
        for values in module.parameters():
            nn.init.normal_(values, std=0.1 if values.ndim > 1 else 0.1 * float(args[0].abs().max()))

    head.register_forward_pre_hook(before)
    head.register_forward_hook(lambda module, args, output: seen.append(output.clone()))
    logits = model(x)
    return seen[0], seen[1], logits


def relative(got: Tensor, wanted: Tensor, scale: Tensor | None = None) -> float:
    return float((got - wanted).abs().max() / (wanted if scale is None else scale).abs().max())


def test_features_through_the_models_own_classifier_are_its_own_logits(case: Case) -> None:
    assert case.by_hand.shape == case.logits.shape
    same = relative(case.by_hand, case.logits, case.product) < 1e-5
    assert same == (case.backbone.spec.name not in GOES_ON)


def test_features_through_the_classifier_are_the_mean_of_what_it_gives_over_positions(case: Case) -> None:
    mean = case.given.mean((2, 3)) if case.given.ndim == 4 else case.given
    assert relative(case.by_hand, mean, case.product) < 1e-5


def test_fp32_features_are_plain_torchvisions(case: Case) -> None:
    taken = case.taken.mean((2, 3)) if case.taken.ndim == 4 else case.taken
    assert case.features.dtype == torch.float32
    assert relative(case.features, taken) < 1e-5


def test_width_and_pooling_are_those_of_what_the_classifier_takes(case: Case) -> None:
    assert case.backbone.width == case.features.shape[1] == case.taken.shape[1]
    assert case.backbone.spec.pool == ("none" if case.taken.ndim == 2 else "avg")


def test_squeezenets_logits_are_the_mean_of_relu_of_its_classifier_over_positions() -> None:
    """So its pooled features give the mean before ReLU, never more than the logits; unpooled ones give them."""
    pixels = np.random.default_rng(2).integers(0, 256, (2, 64, 64, 3), np.uint8)
    request = BackboneRequest("squeezenet1_0", "random", pool="flatten", preprocessing={"resize": None, "crop": None})
    maps = torch.from_numpy(load_backbone(request, Image.fromarray(pixels[0])).embed({"pixels": pixels})).view(
        2, 512, -1
    )
    model = plain("squeezenet1_0")
    _, _, logits = through(model, model.classifier[1], to_input(pixels))
    weight, bias = model.classifier[1].weight.flatten(1), model.classifier[1].bias
    scores = weight @ maps + bias.view(1, -1, 1)
    assert relative(scores.relu().mean(2), logits) < 1e-5
    pooled = maps.mean(2) @ weight.T + bias
    assert relative(pooled, scores.mean(2)) < 1e-5
    assert (pooled <= logits + 1e-5 * logits.max()).all()


def test_all_families_of_torchvision_are_here() -> None:
    """A family is a module of ``torchvision.models`` with builders of its own; a new one must be added above."""
    builders = {n: torchvision.models.get_model_builder(n) for n in torchvision.models.list_models(torchvision.models)}
    assert {builders[name].__module__ for name in FAMILIES} == {b.__module__ for b in builders.values()}
