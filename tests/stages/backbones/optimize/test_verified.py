"""A network is made faster where that changes nothing; where it can't be, it runs as written, and that is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.network.cut import Cut
from frostline.stages.backbones.optimize import operations, optimized
from frostline.stages.backbones.optimize.layers.conv import FusedConv
from support.networks import IMAGES, Net, Sum, count, made_faster
from support.pictures import picture

pytestmark = pytest.mark.usefixtures("optimizations")


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "frostline"]


def test_a_graph_that_does_not_give_what_the_network_gives_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    cut = Cut(Net(), "fc:input")
    with torch.no_grad():
        wrong = cut(IMAGES) * 1.001
    assert optimized(cut, wrong, IMAGES, device="cpu", portable=False) is cut
    reason = "optimised, its values differ by 1e-03 of the largest"
    assert said(caplog) == [f"the network runs unoptimised: {reason}"]


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

    network = made_faster(Sum(forward), "idle")
    assert isinstance(network, fx.GraphModule)
    bright = 100 * IMAGES
    with torch.no_grad():
        torch.testing.assert_close(network(bright), Cut(Sum(forward), "idle")(bright), rtol=1e-4, atol=1e-3)
        assert network(IMAGES).abs().max() < 9


@pytest.mark.parametrize("name", ["norm1", "conv1", "pair"])
def test_a_network_with_hooks_runs_as_it_is_written(name: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    model = Net()
    model.get_submodule(name).register_forward_pre_hook(lambda _, args: (args[0] * 2,))
    assert isinstance(made_faster(model, "fc:input"), Cut)
    assert said(caplog) == ["the network runs unoptimised: it has hooks"]


def test_a_layer_called_by_keyword_is_cut_like_any_other() -> None:
    class Keyword(Net):
        def forward(self, x: Tensor) -> Tensor:
            return self.fc(input=self.norm1(input=self.conv1(input=x)).mean((2, 3)).repeat(1, 2)[:, :8])

    with torch.no_grad():
        assert made_faster(Keyword(), "fc:input")(IMAGES).shape == (2, 8)


def test_code_that_can_not_be_traced_runs_as_written_and_one_short_line_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    assert isinstance(made_faster(Net(lambda net, y: float(y.mean() > 99)), "fc:input"), Cut)
    (line,) = said(caplog)
    assert line.startswith("the network runs unoptimised: its code can't be traced (") and len(line) < 200


def test_a_network_made_faster_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert isinstance(made_faster(Net(), "fc:input"), fx.GraphModule) and not said(caplog)


@pytest.mark.parametrize("name", ["_linear_pointwise_of_tomorrow", "_linear_pointwise.ternary"])
def test_a_torch_without_the_operations_fuses_nothing_and_says_which_is_missing(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(operations, "OPERATIONS", (*operations.OPERATIONS, name))
    caplog.set_level("INFO")
    network = made_faster(Net(), "fc:input")
    assert not count(network, FusedConv) and not count(network, nn.BatchNorm2d)  # all else is done
    (line,) = said(caplog)
    assert line.startswith(f"the network's layers are not fused: torch {torch.__version__} has no mkldnn.{name} (")


def test_a_torch_without_onednn_fuses_nothing_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    caplog.set_level("INFO")
    assert not count(made_faster(Net(), "fc:input"), FusedConv)
    assert said(caplog) == ["the network's layers are not fused: this build of torch has no oneDNN"]


def test_a_torch_whose_operations_take_something_else_runs_the_network_as_written_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def changed(self: FusedConv, x: Tensor, addend: Tensor | None = None) -> Tensor:
        return torch.ops.mkldnn._linear_pointwise(x, "of tomorrow")

    monkeypatch.setattr(FusedConv, "forward", changed)
    caplog.set_level("INFO")
    assert isinstance(made_faster(Net(), "fc:input"), Cut)
    (line,) = said(caplog)
    assert line.startswith(f"the network runs unoptimised: optimised, it fails in torch {torch.__version__} (")


def test_a_graph_that_is_none_of_those_known_runs_as_written_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(fx.Graph, "erase_node")
    caplog.set_level("INFO")
    assert isinstance(made_faster(Net(), "fc:input"), Cut)
    (line,) = said(caplog)
    assert line.startswith(
        f"the network runs unoptimised: its graph can't be rewritten with torch {torch.__version__} ("
    )


def test_nothing_is_missed_where_there_is_nothing_to_fuse(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(operations, "OPERATIONS", ("_of_tomorrow",))
    caplog.set_level("INFO")
    load_backbone(BackboneRequest("pixels"), picture(0, (32, 32)))
    assert not said(caplog)
    load_backbone(BackboneRequest("resnet8-cifar10"), picture(0, (32, 32)))
    assert len(said(caplog)) == 1


SMALL_VIT = """
import torch
from torchvision.models import VisionTransformer

def net():
    torch.manual_seed(0)
    model = VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=10)
    torch.nn.init.normal_(model.heads.head.weight)
    return model
"""


@pytest.mark.parametrize("name", ["resnet8-cifar10", "vit.py:net"])
def test_a_network_as_written_gives_the_features_of_the_one_made_faster(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    (tmp_path / "vit.py").write_text(SMALL_VIT)
    given = BackboneRequest(name) if ":" not in name else BackboneRequest(f"{tmp_path / name}", "factory")
    auto, none = (load_backbone(given, picture(0, (32, 32)), optimize=how) for how in ("auto", "none"))
    assert isinstance(auto.network, fx.GraphModule) and isinstance(none.network, Cut)
    assert auto.spec == none.spec and not said(caplog)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), np.uint8)
    exact = none.embed({"pixels": pixels})
    assert np.abs(auto.embed({"pixels": pixels}) - exact).max() <= 1e-5 * np.abs(exact).max()


def test_what_is_to_be_exported_is_a_graph_in_either_case() -> None:
    one = load_backbone(BackboneRequest("resnet8-cifar10"), picture(0, (32, 32)), optimize="none", portable=True)
    assert isinstance(one.network, fx.GraphModule) and not count(one.network, FusedConv)
