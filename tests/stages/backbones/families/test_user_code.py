"""Networks of one's own: factories, and a checkpoint as found in the wild."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from frostline.stages.backbones import BackboneRequest, fingerprint, load_backbone
from frostline.stages.backbones.families.user_code import made_by_factory
from frostline.stages.errors import ConfigError
from support.pictures import picture
from support.project import Command

SMALL = """
from torch import nn

def net():
    return nn.Sequential(nn.Conv2d(3, 5, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4))
"""

BLOCKS = "from torch import nn\ndef block():\n    return nn.Conv2d(3, 5, 3, 2)\n"

RESNET20 = """
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, width_in, width, stride):
        super().__init__()
        self.stride, self.extra = stride, (width - width_in) // 2
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        shortcut = x[:, :, :: self.stride, :: self.stride]
        return F.relu(y + F.pad(shortcut, (0, 0, 0, 0, self.extra, self.extra)))


def stage(width_in, width, stride):
    return nn.Sequential(Block(width_in, width, stride), Block(width, width, 1), Block(width, width, 1))


class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1, self.layer2, self.layer3 = stage(16, 16, 1), stage(16, 32, 2), stage(32, 64, 2)
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.relu(self.bn1(self.conv1(x))))))
        return self.linear(x.mean((2, 3)))
"""

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def written(folder: Path, text: str, name: str = "net.py") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def loaded(name: str, weights: str = "factory", **more: object):
    return load_backbone(BackboneRequest(name, weights, **more), picture(0, (32, 32)))


def batch(seed: int, side: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (4, side, side, 3), np.uint8)


def normalised(pixels: np.ndarray) -> torch.Tensor:
    mean, std = (torch.tensor(IMAGENET[n]).view(3, 1, 1) for n in ("mean", "std"))
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - mean) / std


@pytest.fixture
def resnet20(tmp_path: Path, assets: Path) -> tuple[str, Path]:
    return f"{written(tmp_path, RESNET20, 'resnet20.py')}:ResNet20", assets / "weights" / "resnet20-cifar10.th"


def test_resnet20s_features_are_64_wide_and_its_own_head_gives_its_own_logits(resnet20: tuple[str, Path]) -> None:
    name, file = resnet20
    backbone = loaded(name, str(file), preprocessing=IMAGENET)
    assert (backbone.spec.layer, backbone.spec.pool, backbone.width) == ("linear:input", "none", 64)
    model = made_by_factory(name).eval().requires_grad_(False)
    stored = torch.load(file, map_location="cpu", weights_only=True)["state_dict"]
    model.load_state_dict({n.removeprefix("module."): t for n, t in stored.items()})
    pixels = batch(1)
    features = torch.from_numpy(backbone.embed({"pixels": pixels}))
    torch.testing.assert_close(model.linear(features), model(normalised(pixels)), rtol=1e-5, atol=1e-4)


def test_resnet20_cut_at_its_last_stage_and_pooled_gives_the_same_features(resnet20: tuple[str, Path]) -> None:
    name, file = resnet20
    pixels = batch(2)
    at_head = loaded(name, str(file), preprocessing=IMAGENET).embed({"pixels": pixels})
    at_stage = loaded(name, str(file), preprocessing=IMAGENET, layer="layer3", pool="avg").embed({"pixels": pixels})
    np.testing.assert_allclose(at_stage, at_head, rtol=1e-5, atol=1e-6)
    earlier = loaded(name, str(file), preprocessing=IMAGENET, layer="layer2.1")
    assert earlier.spec.pool == "avg" and earlier.embed({"pixels": pixels}).shape == (4, 32)


def test_a_file_may_import_what_lies_beside_it_and_define_dataclasses(tmp_path: Path) -> None:
    written(tmp_path, SMALL, "beside_it.py")
    file = written(
        tmp_path,
        "from __future__ import annotations\nfrom dataclasses import dataclass\nimport beside_it\n"
        "@dataclass\nclass Settings:\n    width: int = 3\n"
        "def make():\n    Settings()\n    return beside_it.net()\n",
    )
    before = list(sys.path)
    assert loaded(f"{file}:make").width == 5
    assert sys.path == before


def test_a_module_of_the_current_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "", "pkg_of_mine/__init__.py")
    written(tmp_path, SMALL, "pkg_of_mine/nets.py")
    monkeypatch.chdir(tmp_path)
    backbone = loaded("pkg_of_mine.nets:net")
    assert backbone.width == 5 and backbone.spec.name == "pkg_of_mine.nets:net"


def test_a_factorys_own_weights_are_drawn_alike_each_time_and_leave_the_generator_alone(tmp_path: Path) -> None:
    name = f"{written(tmp_path, SMALL)}:net"
    state = torch.get_rng_state()
    first, second = loaded(name), loaded(name)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.spec == second.spec and len(first.spec.weights) == 64
    assert np.array_equal(first.embed({"pixels": batch(3)}), second.embed({"pixels": batch(3)}))


def test_moving_the_file_changes_nothing_and_changing_what_it_imports_does(tmp_path: Path) -> None:
    specs = []
    for folder, text in (("a", SMALL), ("b", SMALL), ("c", SMALL + "\n# changed\n")):
        file = written(tmp_path / folder, "from parts_of_net import net")
        written(tmp_path / folder, text, "parts_of_net.py")
        specs.append(loaded(f"{file}:net").spec)
        del sys.modules["parts_of_net"]
    assert specs[0] == specs[1] and specs[1].code != specs[2].code


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("def make():\n    return 3\n", "make", "returned a int; expected a torch.nn.Module"),
        ("def make():\n    raise ValueError('no luck')\n", "make", "raised ValueError: no luck"),
        ("def make(width):\n    return width\n", "make", "raised TypeError: .*missing 1 required"),
        ("def make(:\n", "make", "raised SyntaxError"),
        ("import nothing_of_this_name\n", "make", "raised ModuleNotFoundError"),
        ("def make():\n    pass\n", "mak", "did you mean 'make'"),
        ("from torch import nn\nmake = nn.ReLU\n", "make", "can't find the final classifier.*--layer"),
    ],
)
def test_a_factory_that_fails_says_how(tmp_path: Path, text: str, name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"(?s){message}"):
        loaded(f"{written(tmp_path, text)}:{name}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.py:net", "no file nowhere.py"),
        ("no_such_package.nets:net", "no module 'no_such_package.nets'"),
        ("json.nets:net", "no module 'json.nets'"),
        ("net.py:", "does not name a factory"),
        (":net", "does not name a factory"),
    ],
)
def test_a_factory_that_is_not_there_is_named(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        loaded(name)


def test_a_factory_needs_weights_or_a_word_that_its_own_are_meant(tmp_path: Path) -> None:
    name = f"{written(tmp_path, 'raise SystemError')}:net"
    with pytest.raises(ConfigError, match=r"expected a file .* or `factory`"):
        loaded(name, "DEFAULT")


def test_an_input_size_that_a_network_cannot_take_is_reported_with_its_own_words(tmp_path: Path) -> None:
    text = "from torch import nn\ndef net():\n    return nn.Sequential(nn.Flatten(), nn.Linear(192, 4))\n"
    with pytest.raises(ConfigError, match=r"can't take images of 32 × 32 pixels .*shapes.* --resize"):
        loaded(f"{written(tmp_path, text)}:net")


def test_only_what_leads_to_the_layer_must_fit_the_images(tmp_path: Path) -> None:
    layers = "nn.Conv2d(3, 7, 3), nn.Flatten(), nn.Linear(9, 4)"
    text = f"from torch import nn\ndef net():\n    return nn.Sequential({layers})\n"
    assert loaded(f"{written(tmp_path, text)}:net", layer="0").width == 7


def test_a_network_that_cannot_run_in_the_precision_is_refused_before_any_image(tmp_path: Path) -> None:
    text = (
        "import torch\nfrom torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.fc = nn.Linear(3, 2)\n"
        "    def forward(self, x):\n        return self.fc(x.mean((2, 3)).float())\n"
        "def net():\n    return nn.Sequential(Net(), nn.Linear(2, 2))\n"
    )
    with pytest.raises(ConfigError, match=r"can't run in bf16 on cpu .*--precision"):
        request = BackboneRequest(f"{written(tmp_path, text)}:net", "factory")
        load_backbone(request, Image.new("RGB", (8, 8)), precision="bf16")


def test_a_factorys_own_weights_have_no_fingerprint(tmp_path: Path) -> None:
    assert fingerprint(BackboneRequest(f"{written(tmp_path, SMALL)}:net", "factory")) is None
    assert isinstance(made_by_factory(f"{tmp_path / 'net.py'}:net"), nn.Sequential)


def test_a_repository_may_call_its_packages_as_ours_are_called(frostline: Command, tmp_path: Path) -> None:
    for name, code in (
        ("stages/__init__.py", ""),
        ("stages/blocks.py", BLOCKS),
        ("pipeline/__init__.py", ""),
        ("pipeline/things.py", "from stages.blocks import block\n"),
        (
            "net.py",
            SMALL.replace("nn.Conv2d(3, 5, 3, 2)", "block()").replace("def", "from pipeline.things import block\ndef"),
        ),
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
    what = ["extract", "--backbone", "net.py:net", "--weights", "factory", "--precision", "fp32"]
    done = frostline(*what)
    assert done.returncode == 0, done.stderr
    assert "train (plain): 1,438 × 5, from the cache" in frostline(*what).stdout
    (tmp_path / "stages" / "blocks.py").write_text(BLOCKS.replace("3, 2)", "5, 2)"))
    assert "train (plain): 1,438 × 5, 1,438 computed" in frostline(*what).stdout
