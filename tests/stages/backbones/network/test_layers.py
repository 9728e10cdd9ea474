"""Any layer, and its pooling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.network.cut import Cut, classifier_of, watch
from frostline.stages.backbones.network.pooling import default_pool, pool
from frostline.stages.errors import ConfigError
from support.networks import IMAGES, Net
from support.pictures import picture


def at(model: nn.Module, layer: str) -> Tensor:
    with torch.no_grad():
        return Cut(model, layer)(IMAGES).clone()


def test_what_follows_the_layer_is_not_run() -> None:
    ran: list[str] = []
    model = Net()
    model.fc.register_forward_hook(lambda *_: ran.append("fc"))
    assert at(model, "conv2").shape == (2, 8, 12, 12) and not ran


def test_a_network_that_catches_exceptions_still_stops_at_the_layer() -> None:
    caught = []

    class Careful(Net):
        def forward(self, x: Tensor) -> Tensor:
            try:
                return self.fc(self.conv1(x).mean((2, 3)))
            except Exception as error:
                caught.append(error)
                return torch.zeros(2, 4)

    assert at(Careful(), "conv1").shape == (2, 6, 14, 14) and not caught


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("conv3", "unknown layer 'conv3'; did you mean 'conv2' or 'conv1'"),
        (":input", "unknown layer ''"),
        ("pair", "gives a tuple; expected a tensor"),
        ("unused", "it is never called"),
    ],
)
def test_a_layer_that_cannot_serve_says_why(layer: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        at(Net(), layer)


def test_the_classifier_is_the_layer_that_gives_the_output_though_another_is_called_after_it() -> None:
    class TwoHeads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main, self.aux = nn.Linear(5, 4), nn.Linear(7, 4)

        def forward(self, x: Tensor) -> Tensor:
            logits = self.main(x.mean((1, 2))[:, :5])
            self.aux(x.mean((1, 2))[:, :7])
            return logits

    model = TwoHeads()
    assert classifier_of(model, watch(model, IMAGES)) == "main"


def test_a_network_without_a_classifier_is_told_to_name_a_layer() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    with pytest.raises(
        ConfigError,
        match=r"(?s)shape \(2, 4, 14, 14\); use that output with --layer output.*\n  0: \(2, 4, 14, 14\)\n  1: ",
    ):
        classifier_of(model, watch(model, IMAGES))


@pytest.mark.parametrize(
    ("how", "shape", "wanted"),
    [
        ("none", (2, 5), lambda t: t),
        ("avg", (2, 5, 3, 4), lambda t: t.sum((2, 3)) / 12),
        ("max", (2, 5, 3, 4), lambda t: t.flatten(2).max(2).values),
        ("cls", (2, 5, 6), lambda t: t[:, 0, :]),
        ("tokens", (2, 5, 6), lambda t: t.sum(1) / 5),
        ("tokens", (2, 3, 4, 6), lambda t: t.sum((1, 2)) / 12),
        ("flatten", (2, 3, 4, 6), lambda t: t.reshape(2, 72)),
    ],
)
def test_poolings(how: Any, shape: tuple[int, ...], wanted: Callable[[Tensor], Tensor]) -> None:
    tensor = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(pool(tensor, how), wanted(tensor))


@pytest.mark.parametrize(
    ("how", "shape", "message"),
    [
        ("avg", (2, 5), "does not match .* expected one of: none, flatten"),
        ("cls", (2, 5, 3, 4), "expected one of: avg, max, tokens, flatten"),
        ("none", (2, 5, 6), "expected one of: cls, tokens, flatten"),
        ("avg", (2, 5, 6, 7, 8), "no pool does; choose another layer"),
        ("median", (2, 5), "unknown pool 'median'"),
    ],
)
def test_a_pooling_that_does_not_fit_names_those_that_do(how: Any, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        pool(torch.zeros(shape), how)


@pytest.mark.parametrize(
    ("shape", "image", "pooling"),
    [
        ((2, 9), (224, 224), "none"),
        ((2, 512, 7, 7), (224, 224), "avg"),
        ((2, 512, 1, 1), (32, 32), "avg"),
        ((2, 512, 7, 10), (224, 300), "avg"),
        ((2, 64, 75, 57), (300, 227), "avg"),
    ],
)
def test_maps_and_vectors_have_a_pooling_of_their_own(
    shape: tuple[int, ...], image: tuple[int, int], pooling: str
) -> None:
    assert default_pool(torch.zeros(shape), *image) == pooling


@pytest.mark.parametrize(
    ("shape", "image", "choices"),
    [
        ((2, 7, 7, 768), (224, 224), "tokens"),
        ((2, 7, 10, 768), (224, 300), "tokens"),
        ((2, 7, 7, 7), (224, 224), "tokens"),
        ((2, 1, 1, 512), (32, 32), "tokens"),
        ((2, 50, 768), (224, 224), "cls, tokens"),
        ((2, 3, 4, 5, 6), (224, 224), "choose another"),
    ],
)
def test_where_the_pooling_would_be_a_guess_it_must_be_chosen(
    shape: tuple[int, ...], image: tuple[int, int], choices: str
) -> None:
    with pytest.raises(ConfigError, match=choices):
        default_pool(torch.zeros(shape), *image)


def cut(name: str, layer: str, pooling: Any = None, side: int = 64) -> np.ndarray:
    preprocessing = {"resize": None, "crop": None}
    request = BackboneRequest(name, "random", layer, pooling, preprocessing)
    images = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), np.uint8)
    return load_backbone(request, picture(0, (side, side))).embed({"pixels": images})


def test_swins_channels_last_maps_must_be_pooled_by_choice_and_then_over_the_right_axes() -> None:
    with pytest.raises(ConfigError, match=r"\(batch, 2, 2, 768\).*tokens \(channels last\)"):
        cut("swin_t", "norm")
    np.testing.assert_allclose(cut("swin_t", "norm", "tokens"), cut("swin_t", "head:input"), rtol=1e-5, atol=1e-5)


def test_vits_class_token_after_its_encoder_is_what_its_classifier_takes() -> None:
    token, taken = cut("vit_b_32", "encoder", "cls", side=224), cut("vit_b_32", "heads.head:input", side=224)
    np.testing.assert_allclose(taken, token, rtol=1e-4, atol=1e-5)  # which of the last block computes that token alone


def test_a_layer_that_has_no_row_per_image_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"gives \(1, 15, 15, 2\) for 2 images; expected one row per image"):
        cut("swin_v2_t", "features.1.0.attn.cpb_mlp.0:input", "none")


def test_the_class_token_of_a_network_without_one_is_refused() -> None:
    tokens = torch.arange(24.0).view(2, 4, 3)
    for how in ("cls", "cls+mean"):
        with pytest.raises(ConfigError, match=r"has no class token; expected mean"):
            pool(tokens, how, 0)
    assert torch.equal(pool(tokens, "cls"), tokens[:, 0]) and torch.equal(pool(tokens, "cls", 1), tokens[:, 0])
