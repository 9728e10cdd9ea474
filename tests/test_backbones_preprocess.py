"""Preprocessing is torchvision's own, pixel for pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from pictures import picture
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from stages.backbones import preprocess
from stages.backbones.backbone import _scaling, _to_input
from stages.backbones.preprocess import replaced
from stages.backbones.vision import _preset
from stages.errors import ConfigError
from stages.specs import Preprocessing

SIZES = [(224, 224), (333, 517), (1, 1), (31, 7), (640, 97)]
ENTRIES = [
    entry
    for name in ("resnet50", "efficientnet_b1", "swin_v2_t", "maxvit_t")
    for entry in torchvision.models.get_model_weights(name)
]


def as_array(image: Image.Image) -> np.ndarray:
    return np.asarray(image)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("entry", ENTRIES, ids=str)
def test_a_weights_own_preset_is_reproduced_to_the_pixel(entry: Any, size: tuple[int, int]) -> None:
    image, how = picture(3, size), _preset(entry)
    wanted = entry.transforms()(image)
    pixels = preprocess(image, how)
    got = _to_input(pixels[None], *_scaling(how, torch.device("cpu")))[0]
    scale = torch.tensor(how.std).view(3, 1, 1) * 255
    shift = torch.tensor(how.mean).view(3, 1, 1) * 255
    assert np.array_equal(pixels, (wanted * scale + shift).round().permute(1, 2, 0).numpy().astype(np.uint8))
    torch.testing.assert_close(got, wanted, rtol=0, atol=2e-6)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("resize", [40, (33, 57)], ids=str)
@pytest.mark.parametrize("crop", [31, (70, 21), (20, 71)], ids=str)
def test_any_resize_crop_and_interpolation_are_torchvisions(
    crop: Any, resize: Any, interpolation: Any, size: tuple[int, int]
) -> None:
    image = picture(4, size)
    theirs = Compose([Resize(resize, InterpolationMode(interpolation)), CenterCrop(crop)])
    got = preprocess(image, Preprocessing(resize, crop, interpolation))
    assert np.array_equal(got, as_array(theirs(image)))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
@pytest.mark.parametrize("size", [(32, 32), (256, 512), (16, 64)], ids=str)
@pytest.mark.parametrize("crop", [50, 64, 63, (64, 31), 65], ids=str)
def test_where_only_the_centre_is_computed_its_pixels_are_torchvisions(
    crop: Any, size: Any, interpolation: Any
) -> None:
    image = picture(4, size)
    theirs = Compose([Resize(64, InterpolationMode(interpolation)), CenterCrop(crop)])
    got = preprocess(image, Preprocessing(64, crop, interpolation))
    assert np.array_equal(got, as_array(theirs(image)))


def test_nothing_asked_for_leaves_the_pixels_as_they_are() -> None:
    image = picture(5, (13, 9))
    assert np.array_equal(preprocess(image, Preprocessing()), as_array(image))


def test_a_flipped_view_is_the_plain_one_mirrored_after_the_crop() -> None:
    image, how = picture(6, (51, 40)), Preprocessing(32, 27)
    assert np.array_equal(preprocess(image, how, "hflip"), preprocess(image, how)[:, ::-1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rezise": 32}, "did you mean 'resize'"),
        ({"resize": 0}, "resize 0"),
        ({"crop": (32, -1)}, "crop"),
        ({"interpolation": "bilinea"}, "did you mean 'bilinear'"),
        ({"mean": (0.5,)}, "three numbers"),
        ({"std": (1.0, float("nan"), 1.0)}, "three numbers"),
        ({"std": (1.0, 0.0, 1.0)}, "above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replaced(Preprocessing(), changes)
