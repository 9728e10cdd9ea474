"""Any layer, its pooling, and what may not be folded or fused away."""

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
from frostline.stages.backbones.optimize.fuse import fuse
from frostline.stages.backbones.optimize.onednn import can_fuse
from frostline.stages.errors import ConfigError
from support.pictures import picture

X = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 16, 16)).astype(np.float32))


class Net(nn.Module):
    """conv - norm - relu - conv - norm - mean - fc, and whatever ``extra`` does with the first convolution's output."""

    def __init__(self, extra: Callable[[Net, Tensor], Tensor | float] = lambda net, y: 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.norm1 = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6)
        self.conv2, self.norm2 = nn.Conv2d(6, 8, 3, bias=False), nn.BatchNorm2d(8, affine=False)
        self.other, self.unused, self.pair = nn.Conv2d(6, 6, 1), nn.Linear(2, 2), Pair()
        self.fc = nn.Linear(8, 4)
        self.extra = extra
        for norm in (self.norm1, self.norm2):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        z = torch.relu(self.norm1(y) + self.extra(self, y))
        return self.fc(self.pair(self.norm2(self.conv2(z)))[0].mean((2, 3)))


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


def at(model: nn.Module, layer: str) -> Tensor:
    with torch.no_grad():
        return Cut(model, layer)(X).clone()


def fused(model: nn.Module, layer: str) -> tuple[nn.Module, Tensor, Tensor]:
    """Return the network made faster, and what the layer gave before and gives after."""
    cut, before = Cut(model, layer), at(model, layer)
    network = fuse(cut, before, X, onednn=can_fuse())
    with torch.no_grad():
        return network, before, network(X).clone()


def left(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in network.modules())


@pytest.mark.parametrize(
    ("layer", "norms"),
    [("fc:input", 0), ("fc", 0), ("norm2", 0), ("conv2", 0), ("norm2:input", 0), ("norm1", 0), ("conv1", 0)],
)
def test_folding_leaves_what_comes_out_at_any_layer_as_it_was(layer: str, norms: int) -> None:
    network, before, after = fused(Net(), layer)
    assert left(network, nn.BatchNorm2d) == norms
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)


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
    network, before, after = fused(Net(extra), "fc:input")
    assert left(network, nn.BatchNorm2d) == norms
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)


def test_fusing_leaves_every_weight_of_the_model_as_it_was() -> None:
    model, fresh = Net(), Net()
    fused(model, "fc:input")
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), fresh.state_dict().values(), strict=True))
    assert model.conv2.bias is None and model.norm1.running_mean is not None


def test_a_graph_that_does_not_give_what_the_network_gives_is_not_used() -> None:
    cut = Cut(Net(), "fc:input")
    assert fuse(cut, at(cut.model, "fc:input") * 1.001, X, onednn=False) is cut


@pytest.mark.parametrize(
    "write",
    [
        lambda y: y.clamp_(max=9),
        lambda y: torch.clamp_(y, max=9),
        lambda y: y.masked_fill_(y > 9, -5),
        lambda y: y[:, :1].clamp_(max=9),
        lambda y: torch.clamp(y, max=9, out=y),
    ],
)
def test_what_is_written_in_place_stays_written_where_the_check_does_not_see_it(
    write: Callable[[Tensor], object],
) -> None:
    def forward(net: Sum, x: Tensor) -> Tensor:
        y = net.first(x)
        write(y)
        return net.second(y)

    network, _, _ = fused(Sum(forward), "idle")
    assert isinstance(network, torch.fx.GraphModule)
    bright = 100 * X
    with torch.no_grad():
        torch.testing.assert_close(network(bright), Cut(Sum(forward), "idle")(bright), rtol=1e-4, atol=1e-3)
        assert network(X).abs().max() < 9


@pytest.mark.parametrize("name", ["norm1", "conv1", "pair"])
def test_a_network_with_hooks_runs_as_it_is_written(name: str) -> None:
    model = Net()
    model.get_submodule(name).register_forward_pre_hook(lambda _, args: (args[0] * 2,))
    network, before, after = fused(model, "fc:input")
    assert isinstance(network, Cut)
    assert torch.equal(after, before)


def test_a_layer_called_by_keyword_is_cut_like_any_other() -> None:
    class Keyword(Net):
        def forward(self, x: Tensor) -> Tensor:
            return self.fc(input=self.norm1(input=self.conv1(input=x)).mean((2, 3)).repeat(1, 2)[:, :8])

    _, before, after = fused(Keyword(), "fc:input")
    assert before.shape == (2, 8)
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)


def test_an_activation_between_convolution_and_normalisation_stays_between_them() -> None:
    class InPlace(Net):
        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.norm2(self.conv2(self.norm1(self.conv1(x).relu_()))).mean((2, 3)))

    network, before, after = fused(InPlace(), "fc:input")
    assert left(network, nn.BatchNorm2d) == 1
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)


class Sum(nn.Module):
    """Adds up two convolutions' outputs in one of many ways."""

    def __init__(self, add: Callable[[Sum, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.third = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.idle, self.relu, self.add = nn.Identity(), nn.ReLU(inplace=True), add
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.idle(self.add(self, x))


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
@pytest.mark.skipif(not can_fuse(), reason="this torch has no oneDNN")
def test_a_sum_is_fused_only_where_what_it_overwrites_is_not_read_again(add: Any, fused_sums: int) -> None:
    network, before, after = fused(Sum(add), "idle")
    assert isinstance(network, torch.fx.GraphModule)
    assert sum(node.op == "call_module" and len(node.args) == 2 for node in network.graph.nodes) == fused_sums
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        torch.testing.assert_close(network(X), after)


@pytest.mark.parametrize(
    "act",
    [nn.ReLU(), nn.ReLU6(), nn.Hardtanh(-0.3, 0.4), nn.SiLU(), nn.Hardswish(), torch.relu, nn.functional.relu6],
    ids=lambda act: getattr(act, "__name__", type(act).__name__),
)
@pytest.mark.skipif(not can_fuse(), reason="this torch has no oneDNN")
def test_each_activation_after_a_convolution_is_the_same_number_fused(act: Any) -> None:
    net = Sum(lambda net, x: net.third(net.act(net.first(x * 9))))
    net.act = act
    network, before, after = fused(net, "idle")
    assert isinstance(network, torch.fx.GraphModule)
    assert not any("act" in str(node.target) or node.target is act for node in network.graph.nodes)
    torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)


def test_the_traced_networks_of_torchvision_hold_no_batch_normalisation_after_a_convolution() -> None:
    backbone = load_backbone(BackboneRequest("resnet18", "random"), picture(0, (64, 64)))
    assert isinstance(backbone.network, torch.fx.GraphModule)
    assert left(backbone.network, nn.BatchNorm2d) == 0


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
        ("pair", "gives a tuple; wanted a tensor"),
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
    assert classifier_of(model, watch(model, X)) == "main"


def test_a_network_without_a_classifier_is_told_to_name_a_layer() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    with pytest.raises(
        ConfigError, match=r"(?s)shape \(2, 4, 14, 14\); take that with --layer output.*\n  0: \(2, 4, 14, 14\)\n  1: "
    ):
        classifier_of(model, watch(model, X))


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
        ("avg", (2, 5), "does not fit .* fitting: none, flatten"),
        ("cls", (2, 5, 3, 4), "fitting: avg, max, tokens, flatten"),
        ("none", (2, 5, 6), "fitting: cls, tokens, flatten"),
        ("avg", (2, 5, 6, 7, 8), "fitting: none"),
        ("mean", (2, 5), "unknown pool 'mean'"),
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
    return load_backbone(request, picture(0, (side, side))).embed(images)


def test_swins_channels_last_maps_must_be_pooled_by_choice_and_then_over_the_right_axes() -> None:
    with pytest.raises(ConfigError, match=r"\(batch, 2, 2, 768\).*tokens \(channels last\)"):
        cut("swin_t", "norm")
    np.testing.assert_allclose(cut("swin_t", "norm", "tokens"), cut("swin_t", "head:input"), rtol=1e-5, atol=1e-5)


def test_vits_class_token_after_its_encoder_is_what_its_classifier_takes() -> None:
    token, taken = cut("vit_b_32", "encoder", "cls", side=224), cut("vit_b_32", "heads.head:input", side=224)
    np.testing.assert_allclose(taken, token, rtol=1e-4, atol=1e-5)  # which of the last block computes that token alone


def test_a_layer_that_has_no_row_per_image_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"gives \(1, 15, 15, 2\) for 2 images; wanted one row per image"):
        cut("swin_v2_t", "features.1.0.attn.cpb_mlp.0:input", "none")
