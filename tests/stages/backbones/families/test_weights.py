"""Weights: torchvision's by name and offline, files of many kinds, and files that must be refused."""

from __future__ import annotations

import os
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.checkpoints.read import load_weights, read_checkpoint, state_digest
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.errors import ConfigError
from frostline.stages.records.sealed import file_digest
from support.pictures import picture

SMALL = {"resize": (75, 75), "crop": None}
QUICK = "shufflenet_v2_x0_5"


def model_of(name: str, seed: int = 1, **arguments: Any) -> nn.Module:
    if name in ("googlenet", "inception_v3"):
        arguments["init_weights"] = False
    torch.manual_seed(seed)
    return torchvision.models.get_model(name, **arguments).eval()


def loaded(name: str, weights: object = "DEFAULT", **preprocessing: object) -> Backbone:
    request = BackboneRequest(name, str(weights), preprocessing=preprocessing or SMALL)
    return load_backbone(request, picture(0, (75, 75)))


def official(name: str, entry: str = "DEFAULT") -> str:
    return torchvision.models.get_model_weights(name)[entry].url.rpartition("/")[2]


def saved(tensors: Any, file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(tensors, file)
    return file


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where torchvision looks for downloads; the network is a closed door."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    return tmp_path / "home" / "hub" / "checkpoints"


def logits_input(model: nn.Module, head: str, pixels: np.ndarray) -> np.ndarray:
    """Return what torchvision's own model gives its head, in plain torch."""
    seen: list[torch.Tensor] = []
    model.get_submodule(head).register_forward_pre_hook(lambda module, args: seen.append(args[0].clone()))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1)
    with torch.inference_mode():
        model.eval()(x)
    return seen[0].numpy()


@pytest.mark.parametrize("name", ["googlenet", "inception_v3", "densenet121"])
def test_default_weights_load_offline_exactly_as_torchvision_loads_them(hub: Path, name: str) -> None:
    tensors = model_of(name).state_dict()
    if name == "densenet121":  # the published file has these names of old
        old = re.compile(r"(denselayer\d+\.(?:norm|conv))([12])\.")
        tensors = {old.sub(r"\1.\2.", n): t for n, t in tensors.items() if not n.endswith("num_batches_tracked")}
        assert any(".norm.1." in n for n in tensors)
    file = saved(tensors, hub / official(name))
    backbone = loaded(name)
    theirs = torchvision.models.get_model(name, weights="DEFAULT")
    assert getattr(theirs, "transform_input", False) == (name != "densenet121")
    pixels = np.random.default_rng(1).integers(0, 256, (2, 75, 75, 3), np.uint8)
    wanted = logits_input(theirs, backbone.spec.layer.removesuffix(":input"), pixels)
    assert np.abs(backbone.embed({"pixels": pixels}) - wanted).max() <= 1e-5 * np.abs(wanted).max()
    assert backbone.spec.weights == file_digest(file)


def test_each_entry_of_the_enum_has_its_own_file_and_preset(hub: Path) -> None:
    tensors = model_of("mobilenet_v2").state_dict()
    for entry, side in (("IMAGENET1K_V1", 256), ("MobileNet_V2_Weights.IMAGENET1K_V2", 232)):
        saved(tensors, hub / official("mobilenet_v2", entry.rpartition(".")[2]))
        spec = loaded("mobilenet_v2", entry, interpolation="bilinear").spec
        assert (spec.preprocessing.resize, spec.preprocessing.crop) == (side, 224)


def test_a_missing_download_says_where_to_put_the_file_and_prints_nothing(
    hub: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError) as error:
        loaded(QUICK)
    assert str(hub / official(QUICK)) in str(error.value) and "--weights FILE" in str(error.value)
    assert "https://download.pytorch.org/" in str(error.value)
    assert not list(hub.iterdir()) and capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("name", "weights", "message"),
    [
        ("resnet51", "DEFAULT", "did you mean 'resnet50'"),
        (QUICK, "IMAGENET1K_V9", "did you mean 'IMAGENET1K_V1'"),
        (QUICK, "ResNet50_Weights.IMAGENET1K_V1", "unknown weights of shufflenet_v2_x0_5"),
        (QUICK, "nowhere/weights.pth", "no weights file nowhere/weights.pth"),
        (QUICK, "nowhere.safetensors", "no such file"),
        (QUICK, "/", "a folder, not a file"),
        ("resnet8-cifar10", "IMAGENET1K_V1", "which has none"),
        ("pixels", "random", "which has none"),
    ],
)
def test_names_that_mean_nothing_are_refused(name: str, weights: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        loaded(name, weights)


@pytest.mark.parametrize("kind", ["plain.pth", "nested.th", "parallel.pt", "model.safetensors", "checkpoint.pth.tar"])
def test_every_kind_of_file_gives_the_same_features(tmp_path: Path, kind: str) -> None:
    tensors = model_of(QUICK).state_dict()
    file = tmp_path / kind
    if kind == "model.safetensors":
        save_file(tensors, file)
    elif kind == "plain.pth":
        saved(tensors, file)
    else:
        prefix = "" if kind == "nested.th" else "module."
        saved({"state_dict": {prefix + n: t for n, t in tensors.items()}, "epoch": 3}, file)
    backbone = loaded(QUICK, file)
    pixels = np.random.default_rng(1).integers(0, 256, (2, 75, 75, 3), np.uint8)
    wanted = logits_input(model_of(QUICK), "fc", pixels)
    np.testing.assert_allclose(backbone.embed({"pixels": pixels}), wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    assert backbone.spec.weights == file_digest(file)


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "googlenet"])
def test_a_file_may_have_another_number_of_classes(tmp_path: Path, name: str, ending: str) -> None:
    tensors = model_of(name, num_classes=7).state_dict()
    file = tmp_path / f"mine.{ending}"
    save_file(tensors, file) if ending == "safetensors" else torch.save(tensors, file)
    assert loaded(name, file).width == {"googlenet": 1024}.get(name, 512)


def test_a_file_without_auxiliary_heads_fits_googlenet(tmp_path: Path) -> None:
    tensors = {n: t for n, t in model_of("googlenet").state_dict().items() if not n.startswith("aux")}
    assert loaded("googlenet", saved(tensors, tmp_path / "mine.pth")).spec.code == ""


def test_an_official_file_is_known_by_its_name_anywhere(tmp_path: Path) -> None:
    file = saved(model_of("googlenet").state_dict(), tmp_path / official("googlenet"))
    named = loaded("googlenet", file).spec
    renamed = loaded("googlenet", shutil.copy(file, tmp_path / "mine.pth")).spec
    assert named.weights == renamed.weights
    assert (named.code, renamed.code) == ("transform_input", ""), "other numbers need another key"


def test_random_weights_need_no_file_and_take_a_preset_that_fits_the_model() -> None:
    from frostline.stages.backbones.families.torchvision_models import _preset_for

    entries = torchvision.models.get_model_weights("vit_h_14")
    bare = model_of("vit_b_32")
    assert _preset_for(bare, entries).crop == bare.image_size == 224
    assert loaded(QUICK, "random").spec == loaded(QUICK, "random").spec


def test_weights_that_do_not_fit_are_listed_ten_of_a_kind(tmp_path: Path) -> None:
    tensors = model_of("resnet18").state_dict()
    wrong = {n: t for n, t in tensors.items() if not n.startswith("layer4")} | {"extra.weight": torch.zeros(2)}
    wrong["conv1.weight"] = torch.zeros(64, 1, 7, 7)
    with pytest.raises(ConfigError) as error:
        loaded("resnet18", saved(wrong, tmp_path / "mine.pth"))
    text = str(error.value)
    gone = [n for n in tensors if n.startswith("layer4") and "num_batches" not in n]
    assert all(f"missing: {n}\n" in text for n in gone[:10]) and f"missing: {gone[10]}" not in text
    assert f"missing: {len(gone) - 10} more, layer4.1.* (10), layer4.0.* (" in text
    assert "unexpected: extra.weight" in text
    assert "shape of conv1.weight: (64, 1, 7, 7) found, (64, 3, 7, 7) expected" in text


def test_an_official_name_over_another_models_weights_is_an_error(hub: Path) -> None:
    saved(model_of(QUICK).state_dict(), hub / official("resnet18"))
    with pytest.raises(ConfigError, match=r"(?s)don't fit resnet18.*Missing key"):
        loaded("resnet18")


class Hostile:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.file),)


@pytest.mark.parametrize("place", ["mine.pth", "official"])
def test_a_pickle_that_would_run_code_is_refused_without_running_it(hub: Path, tmp_path: Path, place: str) -> None:
    file = hub / official(QUICK) if place == "official" else tmp_path / place
    saved({"state_dict": {"fc.weight": Hostile(tmp_path / "made")}}, file)
    with pytest.raises(ConfigError, match=r"more than tensors .*could run code"):
        loaded(QUICK, "DEFAULT" if place == "official" else file)
    assert not (tmp_path / "made").exists()
    torch.load(file, weights_only=False)
    assert (tmp_path / "made").exists(), "the file was no danger, so the test shows nothing"


def test_a_bare_pickle_that_would_run_code_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / "mine.pt").write_bytes(pickle.dumps(Hostile(tmp_path / "made")))
    with pytest.raises(ConfigError, match="can't load the weights"):
        loaded(QUICK, tmp_path / "mine.pt")
    assert not (tmp_path / "made").exists()


def test_a_whole_model_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"(?s)torchvision.*save a state_dict: torch.save\(model.state_dict\(\)"):
        loaded(QUICK, saved(model_of(QUICK), tmp_path / "mine.pth"))


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.pth", b""), ("a.pth", b"no checkpoint"), ("a.safetensors", b"\xff" * 40), ("a.pth", b"PK\x03\x04 cut short")],
)
def test_a_damaged_file_is_an_error_that_names_it(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=f"can't load the weights .*{name}"):
        read_checkpoint(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.zeros(1)], "holds a list"),
        ({}, "nothing"),
        ({"fc.weight": torch.zeros(1), "epoch": 3}, "'epoch': int"),
        ({0: torch.zeros(1)}, "0: Tensor"),
    ],
)
def test_a_file_without_a_state_dict_says_what_it_holds(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_checkpoint(saved(content, tmp_path / "mine.pth"))


def test_a_part_of_the_network_that_is_called_module_keeps_its_name() -> None:
    model = nn.DataParallel(nn.Linear(2, 2))
    tensors = {n: torch.ones_like(t) for n, t in model.state_dict().items()}
    load_weights(model, tensors, "here")
    assert model.module.weight.eq(1).all()
    averaged = {f"ema.{name}": torch.zeros_like(tensor) for name, tensor in tensors.items()}
    load_weights(model, tensors | averaged, "here")
    assert model.module.weight.eq(1).all()


def test_the_digest_of_a_network_depends_on_every_name_type_shape_and_value() -> None:
    def digest(weight: torch.Tensor, name: str = "w") -> str:
        holder = nn.Module()
        holder.register_buffer(name, weight)
        return state_digest(holder)

    ones = torch.ones(2, 3)
    changed = ones.clone()
    changed[1, 2] = 1.0000001
    others = [(changed, "w"), (ones.T, "w"), (ones.double(), "w"), (ones, "v"), (ones.bool(), "w"), (ones[:0], "w")]
    digests = {digest(t, n) for t, n in others} | {digest(ones)}
    assert len(digests) == 7 and digest(ones) == digest(ones.T.contiguous().T)
