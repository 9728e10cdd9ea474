"""A family's preprocessing is held against its library's own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import v2

from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.backbones.families.transform_check import check_transform, noise_photograph
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.image.spec import Preprocessing

HOW = Preprocessing(80, 64, "bicubic", (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))


def library(*steps: Any) -> Callable[[Image.Image], Tensor]:
    scale = [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(HOW.mean, HOW.std)]
    return v2.Compose([*steps, *scale])


def model(transform: Callable[[Image.Image], Tensor] | None) -> LoadedModel:
    return LoadedModel(nn.Identity(), "", HOW, own_transform=transform)


RESIZE = v2.Resize(80, v2.InterpolationMode.BICUBIC)
SAME = library(RESIZE, v2.CenterCrop(64))


def test_the_same_pixels_pass_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "frostline")
    check_transform("x", model(SAME), {})
    check_transform("x", model(None), {})
    assert not caplog.text


def test_up_to_a_grey_level_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "frostline")
    check_transform("x", model(lambda image: SAME(image) + 1 / 255 / 0.4), {})
    assert "the pixels of x are its library's own to within one grey level" in caplog.text


@pytest.mark.parametrize(
    ("transform", "found"),
    [
        (library(v2.Resize(80), v2.CenterCrop(64)), "pixels that differ by up to [0-9]+ of 255 grey levels"),
        (library(v2.Resize(72, v2.InterpolationMode.BICUBIC), v2.CenterCrop(64)), "pixels that differ"),
        (lambda image: SAME(image) * 1.1, "pixels that differ"),
        (library(RESIZE, v2.CenterCrop(60)), r"a tensor of shape \(3, 60, 60\) where \(3, 64, 64\)"),
        (lambda image: SAME(image)[None], "a tensor of shape"),
    ],
    ids=["filter", "size", "scale", "crop", "batch"],
)
def test_other_pixels_are_refused_with_what_to_name(transform: Any, found: str) -> None:
    with pytest.raises(ConfigError, match=f"{found}.*--resize 80 --crop 64 --interpolation bicubic"):
        check_transform("x", model(transform), {})
    check_transform("x", model(transform), {"resize": 90})  # who says how, is taken at their word


def test_the_photograph_is_always_the_same_and_no_flat_area() -> None:
    first, again = (noise_photograph((50, 40)) for _ in range(2))
    assert first.tobytes() == again.tobytes() and first.size == (50, 40)
    low, high = first.convert("L").getextrema()
    assert 0 < low < 90 and 160 < high < 255
