"""A backbone is frozen, in evaluation mode, and gives an image the same features in any company."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.modalities.image.transform import preprocess
from support.pictures import picture
from support.project import REPOSITORY

SIZE: dict[str, Any] = {"resize": (64, 64), "crop": None}
NORMALISED = "shufflenet_v2_x0_5"
NAMES = (NORMALISED, "resnet8-cifar10", "swin_t", "pixels")


def loaded(name: str, precision: Any = "fp32", **preprocessing: Any) -> Backbone:
    weights = "DEFAULT" if name in ("resnet8-cifar10", "pixels") else "random"
    request = BackboneRequest(name, weights, preprocessing=preprocessing or SIZE)
    return load_backbone(request, picture(0, (64, 64)), precision=precision)


@pytest.fixture(scope="module")
def shared() -> Callable[..., Backbone]:
    """Load a backbone once for all tests that only embed with it."""
    return cache(loaded)


def images(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 64, 64, 3), np.uint8)


def test_every_module_is_in_evaluation_mode_and_no_weight_wants_a_gradient() -> None:
    model = loaded(NORMALISED).network
    assert not any(module.training for module in model.modules())
    assert not any(weight.requires_grad for weight in model.parameters())


def test_embedding_changes_no_weight_and_no_buffer() -> None:
    backbone = loaded("densenet121")  # its last normalisation follows no convolution, so it is there
    before = {n: t.clone() for n, t in backbone.network.state_dict().items()}
    backbone.embed({"pixels": images(4)})
    after = backbone.network.state_dict()
    assert any(n.endswith("running_mean") for n in before)
    assert all(torch.equal(after[n], t) for n, t in before.items())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", NAMES)
def test_an_images_features_are_the_same_bits_in_any_company_and_place(
    shared: Callable[..., Backbone], name: str, precision: str
) -> None:
    backbone, pixels = shared(name, precision), images(8)
    whole = backbone.embed({"pixels": pixels})
    order = np.random.default_rng(2).permutation(8)
    assert np.array_equal(backbone.embed({"pixels": pixels[order]}), whole[order])
    others = images(8, seed=3)
    others[5] = pixels[0]
    assert np.array_equal(backbone.embed({"pixels": others})[5], whole[0])


@pytest.mark.parametrize("name", NAMES)
def test_bf16_features_point_where_fp32_ones_do(shared: Callable[..., Backbone], name: str) -> None:
    pixels = images(4)
    exact, rough = (shared(name, precision).embed({"pixels": pixels}) for precision in ("fp32", "bf16"))
    cosine = (exact * rough).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rough, axis=1)
    assert rough.dtype == np.float32 and not np.array_equal(exact, rough)
    assert cosine.min() > 0.999


@pytest.mark.parametrize(("name", "head"), [("mobilenet_v2", "classifier.1"), ("squeezenet1_0", "classifier.1")])
def test_real_weights_give_plain_torchvisions_features_of_the_same_pixels(assets: Path, name: str, head: str) -> None:
    file = assets / "weights" / f"{name}-imagenet1k.pth"
    backbone = load_backbone(BackboneRequest(name, str(file)), picture(0, (300, 260)))
    photos = [picture(seed, (300, 260 + seed)).resize((500, 375), Image.Resampling.BICUBIC) for seed in range(3)]
    features = backbone.embed(
        {"pixels": np.stack([preprocess(photo, backbone.spec.preprocessing) for photo in photos])}
    )
    model = torchvision.models.get_model(name).eval()
    model.load_state_dict(torch.load(file, weights_only=True))
    preset = next(iter(torchvision.models.get_model_weights(name))).transforms()
    taken: list[torch.Tensor] = []
    model.get_submodule(head).register_forward_pre_hook(lambda module, args: taken.append(args[0].clone()))
    with torch.inference_mode():
        model(torch.stack([preset(photo) for photo in photos]))
    wanted = taken[0].numpy() if taken[0].ndim == 2 else taken[0].mean((2, 3)).numpy()
    assert np.abs(features - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_pixels_are_the_images_own_values_between_0_and_1() -> None:
    pixels = images(2)
    wanted = pixels.transpose(0, 3, 1, 2).reshape(2, -1) / 255
    np.testing.assert_allclose(loaded("pixels").embed({"pixels": pixels}), wanted, atol=1e-6)


def test_mean_and_std_are_applied_as_asked() -> None:
    pixels, plain = images(2), loaded("pixels")
    changed = loaded("pixels", mean=(0.5, 0.25, 0.0), std=(0.5, 1.0, 2.0))
    channels = plain.embed({"pixels": pixels}).reshape(2, 3, -1)
    wanted = (channels - np.array([0.5, 0.25, 0.0])[:, None]) / np.array([0.5, 1.0, 2.0])[:, None]
    np.testing.assert_allclose(changed.embed({"pixels": pixels}).reshape(2, 3, -1), wanted, atol=1e-6)


def test_read_only_and_mirrored_pixels_are_taken_without_a_warning() -> None:
    backbone, pixels = loaded("pixels"), images(2)
    pixels.setflags(write=False)
    assert np.array_equal(
        backbone.embed({"pixels": pixels[:, :, ::-1]}), backbone.embed({"pixels": pixels[:, :, ::-1].copy()})
    )
    backbone.embed({"pixels": pixels})


def test_the_shipped_backbone_says_what_it_is() -> None:
    backbone = loaded("resnet8-cifar10", crop=None)
    assert (backbone.spec.layer, backbone.width, backbone.spec.size) == ("fc:input", 128, (32, 32))


def test_importing_the_room_and_preprocessing_load_no_torch() -> None:
    code = "import sys, frostline.stages.backbones; assert not {'torch', 'torchvision'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPOSITORY)


def test_a_network_with_three_dimensional_convolutions_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "solid.py").write_text(
        "from torch import nn\n"
        "def net():\n"
        "    parts = nn.Unflatten(1, (3, 1)), nn.Conv3d(3, 4, (1, 3, 3)), nn.Flatten(1, 2), nn.Conv2d(4, 5, 3)\n"
        "    return nn.Sequential(*parts)\n"
    )
    request = BackboneRequest(f"{tmp_path / 'solid.py'}:net", "random", layer="output", preprocessing=SIZE)
    assert load_backbone(request, picture(0, (64, 64))).width == 5
