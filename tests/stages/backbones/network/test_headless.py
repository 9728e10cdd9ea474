"""Networks without a classifier: none is guessed, and ``output`` is what the whole network gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, fx, nn

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.families.user_code import made_by_factory
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.backbones.inference.multi_layer import share_pass
from frostline.stages.backbones.network.cut import Cut, classifier_of, watch
from frostline.stages.errors import ConfigError
from support.pictures import picture

SIDE = 32
NETWORKS = """
import torchvision
from torch import nn


def resnet():
    model = torchvision.models.resnet50()
    model.fc = nn.Identity()
    return model


def vit():
    model = torchvision.models.VisionTransformer(32, 8, 3, 2, 48, 96)
    model.heads = nn.Identity()
    return model


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.last = nn.Conv2d(3, 8, 3, 2), nn.Conv2d(8, 6, 1)

    def forward(self, x):
        return self.last(self.stem(x).relu()).mean((2, 3))


class Flat(Mean):
    def forward(self, x):
        return self.last(self.stem(x).relu().amax((2, 3), keepdim=True)).flatten(1)


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.head, self.head_dist = nn.Linear(3, 5), nn.Linear(3, 5)

    def forward(self, x):
        x = x.mean((2, 3))
        return (self.head(x) + self.head_dist(x)) / 2


class Maps(Mean):
    def forward(self, x):
        return self.last(self.stem(x))


class Tokens(Mean):
    def forward(self, x):
        return super().forward(x)[:, None].repeat(1, 7, 1)


class Pair(TwoHeads):
    def forward(self, x):
        return super().forward(x), x


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.output, self.fc = nn.Linear(3, 5), nn.Linear(5, 2)

    def forward(self, x):
        return self.fc(self.output(x.mean((2, 3))))
"""
WIDTHS = {"resnet": 2048, "vit": 48, "Mean": 6, "Flat": 6, "TwoHeads": 5}


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[..., Backbone]:
    (tmp_path / "nets.py").write_text(NETWORKS)

    def load(name: str, layer: str | None = None, pool: str | None = None) -> Backbone:
        how = {"resize": (SIDE, SIDE)}
        return load_backbone(BackboneRequest(f"{tmp_path}/nets.py:{name}", "factory", layer, pool, how), picture(0))

    return load


def pixels() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8)


def given(tmp_path: Path, name: str) -> Tensor:
    """What the network itself gives, in plain torch."""
    model = made_by_factory(f"{tmp_path}/nets.py:{name}").eval()
    with torch.inference_mode():
        return model(torch.from_numpy(pixels()).permute(0, 3, 1, 2) / 255)


@pytest.mark.parametrize("name", WIDTHS)
def test_no_inner_layer_passes_for_a_classifier_that_is_not_there(
    loaded: Callable[..., Backbone], name: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(name)
    said, width = str(caught.value), WIDTHS[name]
    assert (
        f"no linear layer produced the network's output, a tensor of shape (2, {width}); use that output with" in said
    )
    assert "--layer output" in said and f", {width}" in said.splitlines()[-1]


@pytest.mark.parametrize("name", WIDTHS)
def test_the_layer_output_is_what_the_network_gives(loaded: Callable[..., Backbone], name: str, tmp_path: Path) -> None:
    backbone = loaded(name, "output")
    assert (backbone.spec.layer, backbone.spec.pool, backbone.width) == ("output", "none", WIDTHS[name])
    wanted = given(tmp_path, name).numpy()
    np.testing.assert_allclose(backbone.embed({"pixels": pixels()}), wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_the_message_lists_the_last_layers_with_their_shapes(loaded: Callable[..., Backbone]) -> None:
    with pytest.raises(ConfigError, match=r"\n  avgpool: \(2, 2048, 1, 1\)\n  fc: \(2, 2048\)$"):
        loaded("resnet")


@pytest.mark.usefixtures("optimizations")
@pytest.mark.parametrize("name", ["resnet", "vit", "Mean"])
def test_the_whole_network_is_made_faster_as_a_part_of_it_is(loaded: Callable[..., Backbone], name: str) -> None:
    network = loaded(name, "output").network
    assert isinstance(network, fx.GraphModule)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_the_output_is_pooled_by_the_same_rules_as_a_layer(loaded: Callable[..., Backbone], tmp_path: Path) -> None:
    maps = loaded("Maps", "output")
    assert (maps.spec.pool, maps.width) == ("avg", 6)
    np.testing.assert_allclose(
        maps.embed({"pixels": pixels()}), given(tmp_path, "Maps").mean((2, 3)), rtol=1e-4, atol=1e-6
    )
    with pytest.raises(ConfigError, match=r"\(batch, 7, 6\) can be pooled in several ways; choose --pool cls, tokens"):
        loaded("Tokens", "output")
    assert loaded("Tokens", "output", "flatten").width == 42


def test_an_output_that_is_no_tensor_is_not_offered_and_not_taken(loaded: Callable[..., Backbone]) -> None:
    with pytest.raises(ConfigError, match="the network's output, a tuple; name a layer with --layer"):
        loaded("Pair")
    with pytest.raises(ConfigError, match="layer 'output' gives a tuple; expected a tensor"):
        loaded("Pair", "output")


def test_a_module_that_is_called_output_keeps_its_name(loaded: Callable[..., Backbone]) -> None:
    assert (loaded("Named", "output").width, loaded("Named").width) == (5, 5)
    assert loaded("Named", "output:input").width == 3
    with pytest.raises(ConfigError, match="unknown layer 'output'"):
        loaded("Mean", "output:input")


@pytest.mark.usefixtures("optimizations")
def test_the_output_and_inner_layers_come_from_one_pass(loaded: Callable[..., Backbone]) -> None:
    backbones = [loaded("Mean", "output"), loaded("Mean", "last", "max")]
    shared = share_pass(backbones)
    assert shared is not None and shared.width == 6 + 6
    alone = np.concatenate([one.embed({"pixels": pixels()}) for one in backbones], axis=1)
    assert np.array_equal(shared.embed({"pixels": pixels()}), alone)


@pytest.mark.parametrize("after", [nn.Identity(), nn.Sequential(nn.Identity(), nn.Identity())])
def test_what_hands_a_classifiers_output_on_leaves_it_the_classifier(after: nn.Module) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), after)
    assert classifier_of(model, watch(model, torch.randn(2, 3, 2, 2))) == "1"


@pytest.mark.parametrize(
    "after", [nn.LogSoftmax(1), nn.ReLU(inplace=True), nn.LayerNorm(4)], ids=lambda m: type(m).__name__
)
def test_what_changes_a_classifiers_output_is_not_passed_over(after: nn.Module) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), after)
    with pytest.raises(ConfigError, match="can't find the final classifier"):
        classifier_of(model, watch(model, torch.randn(2, 3, 2, 2)))


def test_a_torchvision_model_gives_its_logits_as_output() -> None:
    request = BackboneRequest("squeezenet1_1", "random", "output", preprocessing={"resize": (64, 64), "crop": None})
    backbone = load_backbone(request, picture(0))
    torch.manual_seed(0)
    model = torchvision.models.squeezenet1_1().eval()
    images = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), np.uint8)
    mean, std = (
        torch.tensor(v).view(3, 1, 1) for v in (backbone.spec.preprocessing.mean, backbone.spec.preprocessing.std)
    )
    with torch.inference_mode():
        logits = model((torch.from_numpy(images).permute(0, 3, 1, 2) / 255 - mean) / std)
    np.testing.assert_allclose(
        backbone.embed({"pixels": images}), logits, rtol=0, atol=1e-4 * float(logits.abs().max())
    )


def test_nothing_of_the_network_is_left_out_by_the_layer_output() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    batch = torch.randn(2, 3, 8, 8)
    assert torch.equal(Cut(model, "output")(batch), model(batch))
