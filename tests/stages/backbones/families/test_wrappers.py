"""A network comes out of whatever a factory wraps it in, or the wrapper is named."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.families.user_code import made_by_factory
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.errors import ConfigError
from support.pictures import picture

CODE = """
import functools
import types
import warnings
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 5, 3), nn.Linear(5, 2)
    def features(self, x, power=1):
        return self.conv(x).relu().mean((2, 3)) ** power
    def forward(self, x, power=1):
        return self.fc(self.features(x, power))

class Bare(nn.Module):  # as Lightning's: no forward
    def training_step(self, batch, index):
        return self.model(batch).sum()

def net():
    return Net()
def compiled():
    return torch.compile(Net())
def parallel():
    return nn.DataParallel(Net())
def compiled_parallel():
    return torch.compile(nn.DataParallel(torch.compile(Net())))
def averaged():
    return torch.optim.swa_utils.AveragedModel(Net())
def lightning():
    made = Bare()
    made.model, made.loss = Net(), nn.CrossEntropyLoss()
    return made
def lightning_module():  # of a distribution that need not be there
    forward = types.FunctionType((lambda self, *args: super().forward()).__code__, {"__name__": "lightning.pytorch"})
    kind = type("LightningModule", (nn.Module,), {"forward": forward})
    made = type("Mine", (kind,), {})()
    made.encoder, made.projector = Net(), nn.Linear(2, 2)
    return made
def with_forward():
    class Mine(Bare):
        def forward(self, x):
            return self.model(x)
    made = Mine()
    made.model = Net()
    return made
def two_networks():
    made = Bare()
    made.model, made.backbone = Net(), Net()
    return made
def nothing():
    return Bare()
def method():
    return Net().features
def squared():
    return functools.partial(Net().features, power=2)
def bound():
    return functools.partial(Net(), power=2)
def function():
    net = Net()
    return lambda x: net(x)
def compiled_function():
    return torch.compile(function())
def pair():
    return Net(), lambda image: image
def kind():
    return Net
def state():
    return Net().state_dict()
def quietly(made):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return made()
def scripted():
    return quietly(lambda: torch.jit.script(nn.Linear(3, 2)))
def traced():
    return quietly(lambda: torch.jit.trace(Net().eval(), torch.zeros(1, 3, 8, 8)))
def scripted_parallel():
    return nn.DataParallel(scripted())
def sharded():
    return type("FullyShardedDataParallel", (Net,), {})()
"""


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text(CODE)
    return tmp_path / "nets.py"


def loaded(nets: Path, name: str, weights: str = "factory", layer: str | None = None) -> Backbone:
    return load_backbone(BackboneRequest(f"{nets}:{name}", weights, layer), picture(0, (16, 16)))


PIXELS = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)


@pytest.mark.parametrize(
    "name", ["compiled", "parallel", "compiled_parallel", "averaged", "lightning", "lightning_module"]
)
def test_the_network_inside_gives_its_features_under_its_own_names(nets: Path, name: str) -> None:
    plain, wrapped = loaded(nets, "net"), loaded(nets, name)
    assert wrapped.spec.layer == "fc:input" and wrapped.spec.weights == plain.spec.weights
    assert np.array_equal(wrapped.embed({"pixels": PIXELS}), plain.embed({"pixels": PIXELS}))


def test_a_module_with_a_forward_of_its_own_is_taken_as_it_is(nets: Path) -> None:
    assert loaded(nets, "with_forward").spec.layer == "model.fc:input"


@pytest.mark.parametrize(("name", "power"), [("method", 1), ("squared", 2)])
def test_a_method_of_a_network_is_a_network(nets: Path, name: str, power: int) -> None:
    wanted = loaded(nets, "net").embed({"pixels": PIXELS}) ** power
    np.testing.assert_allclose(loaded(nets, name, layer="output").embed({"pixels": PIXELS}), wanted, rtol=1e-5)
    np.testing.assert_allclose(loaded(nets, "bound").embed({"pixels": PIXELS}), wanted ** (2 // power), rtol=1e-5)


@pytest.mark.parametrize("name", ["compiled", "parallel", "lightning", "method"])
def test_weights_of_the_network_inside_are_taken_by_its_own_names_and_by_the_wrappers(nets: Path, name: str) -> None:
    torch.manual_seed(3)
    tensors = {n: torch.randn(t.shape) for n, t in made_by_factory(f"{nets}:net").state_dict().items()}
    layer = "output" if name == "method" else None
    found = []
    for prefix in ("", "module.", "_orig_mod."):
        file = nets.parent / f"{prefix}pth"
        torch.save({prefix + n: t for n, t in tensors.items()}, file)
        found.append(loaded(nets, name, str(file), layer).embed({"pixels": PIXELS}))
    assert all(np.array_equal(one, found[0]) for one in found)
    assert np.array_equal(found[0], loaded(nets, "net", str(nets.parent / "module.pth")).embed({"pixels": PIXELS}))


def test_which_part_is_the_network_is_said(nets: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "frostline"):
        made_by_factory(f"{nets}:lightning_module")
    assert "a Mine without a forward method; using its encoder as the network" in caplog.text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("two_networks", "a Bare without a forward method, which holds model, backbone; return the network itself"),
        ("nothing", "a Bare without a forward method, which holds nothing with weights"),
        ("function", "returned a function; expected a torch.nn.Module; return the network that it calls"),
        ("compiled_function", "returned a function; expected a torch.nn.Module; return the network that it calls"),
        ("pair", "returned a tuple of Net, function; expected a torch.nn.Module; return only the network"),
        ("kind", r"returned the class Net; expected a torch.nn.Module; return Net\(…\), an instance"),
        ("state", "returned a OrderedDict; expected a torch.nn.Module; load the weights into a network first"),
        *((name, "a TorchScript module, .*was compiled from") for name in ("scripted", "traced", "scripted_parallel")),
        ("sharded", "returned a FullyShardedDataParallel, whose weights are split into pieces"),
    ],
)
def test_a_wrapper_without_a_network_to_take_is_named(nets: Path, name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        made_by_factory(f"{nets}:{name}")
