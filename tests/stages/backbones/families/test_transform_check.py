"""A family's preprocessing is held against its library's own."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import v2

from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.backbones.families.transform_check import noise_photograph, transform_of
from frostline.stages.errors import ConfigError, UnreadableSample
from frostline.stages.modalities.base import described
from frostline.stages.modalities.image.modality import IMAGE
from frostline.stages.modalities.image.spec import LibraryTransform, Preprocessing

HOW = Preprocessing(80, 64, "bicubic", (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))


def library(*steps: Any) -> Callable[[Image.Image], Tensor]:
    scale = [v2.PILToTensor(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(HOW.mean, HOW.std)]
    return v2.Compose([*steps, *scale])


def model(transform: Callable[[Image.Image], Tensor] | None) -> LoadedModel:
    own = transform and LibraryTransform("lib 1.2", '{"a":1}', transform)
    return LoadedModel(nn.Identity(), "", HOW, own_transform=own)


RESIZE = v2.Resize(80, v2.InterpolationMode.BICUBIC)
SAME = library(RESIZE, v2.CenterCrop(64))


def test_the_same_pixels_pass_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "frostline")
    assert transform_of("x", model(SAME), {}) == HOW
    assert transform_of("x", model(None), {}) == HOW
    assert not caplog.text


def test_up_to_a_grey_level_is_said(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "frostline")
    assert transform_of("x", model(lambda image: SAME(image) + 1 / 255 / 0.4), {}) == HOW
    assert "the pixels of x match those of its library to within one grey level" in caplog.text


@pytest.mark.parametrize(
    ("transform", "found"),
    [
        (library(v2.Resize(80), v2.CenterCrop(64)), "pixels that differ by up to [0-9]+ of 255 grey levels"),
        (library(v2.Resize(72, v2.InterpolationMode.BICUBIC), v2.CenterCrop(64)), "pixels that differ"),
        (lambda image: SAME(image) * 1.1, "pixels that differ"),
        (library(RESIZE, v2.CenterCrop(60)), "60 × 60 pixels where 64 × 64 were expected"),
    ],
    ids=["filter", "size", "scale", "crop"],
)
def test_other_pixels_are_made_by_the_library_itself(
    transform: Any, found: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "frostline")
    image = noise_photograph((90, 70))
    how = transform_of("x", model(transform), {})
    assert described(how) == {"library": "lib 1.2", "configuration": '{"a":1}'}
    assert re.search(f"x: images are preprocessed by lib 1.2 itself: {found}", caplog.text)
    pixels = how.item(image)["pixels"]
    assert pixels.dtype == np.float32 and np.array_equal(pixels.transpose(2, 0, 1), transform(image))
    assert np.array_equal(how.item(image, "hflip")["pixels"], pixels[:, ::-1])


def test_whoever_says_where_pixels_go_is_taken_at_their_word_and_must_say_all_of_it() -> None:
    other = model(lambda image: SAME(image) * 1.1)
    assert transform_of("x", other, {"resize": 90}) == replace(HOW, resize=90)
    with pytest.raises(ConfigError, match=r"can't be changed.*--resize 80 --crop 64 --interpolation bicubic"):
        transform_of("x", other, {"mean": (0.0, 0.0, 0.0)})


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        (lambda image: SAME(image)[None], r"shape \(1, 3, 64, 64\); expected \(3, height, width\)"),
        (lambda _: 1 / 0, "ZeroDivisionError"),
        (lambda image: SAME(image) + torch.rand(()), "is random"),
    ],
    ids=["batch", "error", "random"],
)
def test_a_library_whose_answer_can_not_be_used_is_refused(transform: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        transform_of("x", model(transform), {})


def test_an_image_that_the_library_can_not_prepare_is_unreadable() -> None:
    def prepare(image: Image.Image) -> Tensor:
        if image.size == (9, 9):
            raise ValueError("not this one\nfor reasons")
        return torch.zeros(3, 4, 4)

    how = LibraryTransform("lib 1.2", "{}", prepare)
    with pytest.raises(UnreadableSample, match=r"^lib 1.2 can't preprocess it \(ValueError: not this one\)$"):
        how.item(Image.new("RGB", (9, 9)))
    with pytest.raises(UnreadableSample, match="too narrow"):
        how.item(Image.new("RGB", (10_001, 100)))


def test_a_record_gives_an_equal_one_and_nothing_that_runs() -> None:
    own = LibraryTransform("lib 1.2", "{}", print)
    read = IMAGE.read_transform(described(own))
    assert read == own and isinstance(read, LibraryTransform) and read.transform is None
    with pytest.raises(ValueError, match="not a text"):
        IMAGE.read_transform({**described(own), "transform": "os.system"})


def test_the_photograph_is_always_the_same_and_no_flat_area() -> None:
    first, again = (noise_photograph((50, 40)) for _ in range(2))
    assert first.tobytes() == again.tobytes() and first.size == (50, 40)
    low, high = first.convert("L").getextrema()
    assert 0 < low < 90 and 160 < high < 255
