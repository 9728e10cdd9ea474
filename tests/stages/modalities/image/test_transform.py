"""Preprocessing is torchvision's own, pixel for pixel."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.families.torchvision_models import _preset
from frostline.stages.backbones.inference.backbone import scaling, to_input
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.base import described
from frostline.stages.modalities.image.spec import Preprocessing, replaced
from frostline.stages.modalities.image.transform import preprocess, resized_size
from support.pictures import picture

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
    cpu = torch.device("cpu")
    got = to_input(torch.tensor(pixels[None]).permute(0, 3, 1, 2), *scaling(how, cpu))[0]
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


@pytest.mark.parametrize(
    ("side", "resize", "crop"), [(32, 256, 224), (8, 32, None), (28, 224, 224), (16, 64, 63), (7, 14, 3)]
)
def test_a_thumbnail_enlarged_by_torch_is_to_the_pixel_what_pillow_makes_of_it(
    side: int, resize: int, crop: int | None
) -> None:
    request = BackboneRequest("pixels", preprocessing={"resize": resize, "crop": crop})
    backbone = load_backbone(request, picture(0, (side, side)))
    images = [picture(seed, (side, side)) for seed in range(50)]
    assert backbone.enlarges((side, side))
    whole = np.stack([preprocess(image, backbone.spec.preprocessing) for image in images])
    assert np.array_equal(
        backbone.embed({"pixels": np.stack([np.asarray(image) for image in images])}), backbone.embed({"pixels": whole})
    )


@pytest.mark.parametrize(
    ("size", "how"),
    [
        ((32, 32), {"resize": 232}),
        ((32, 32), {"resize": 64, "interpolation": "bicubic"}),
        ((32, 16), {"resize": 64}),
        ((64, 64), {"resize": 32}),
        ((32, 32), {"resize": (64, 128)}),
        ((32, 32), {"resize": 64, "crop": 65}),
        ((32, 32), {"resize": None}),
        ((32, 32), {"resize": 64, "crop": 32}),
    ],
)
def test_what_torch_would_enlarge_otherwise_is_left_to_pillow(size: tuple[int, int], how: dict[str, Any]) -> None:
    backbone = load_backbone(BackboneRequest("pixels", preprocessing=how), picture(0, size))
    assert not backbone.enlarges(size)


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


@pytest.mark.parametrize(
    ("size", "box", "wanted"),
    [
        ((500, 375), 224, (224, 168)),
        ((375, 500), 224, (168, 224)),
        ((30, 20), (60, 60), (60, 40)),
        ((500, 375), (60, 200), (80, 60)),
        ((500, 1), 10, (10, 1)),
    ],
)
def test_fitting_the_longer_side_keeps_the_proportions(
    size: tuple[int, int], box: Any, wanted: tuple[int, int]
) -> None:
    assert resized_size(size, box, "long") == wanted


def test_what_the_crop_takes_from_beyond_the_image_is_filled() -> None:
    image = Image.new("RGB", (50, 25), (9, 8, 7))
    how = Preprocessing(20, 20, fit="long", fill=(1, 2, 3))
    pixels = how.item(image)["pixels"]
    assert how.fixes_size and pixels.shape == (20, 20, 3)
    assert (pixels[5:15] == (9, 8, 7)).all()
    assert (pixels[:5] == (1, 2, 3)).all() and (pixels[15:] == (1, 2, 3)).all()
    assert not replace(how, crop=None, resize=(20, 20)).fixes_size


def test_fields_that_came_later_stand_in_keys_only_where_they_change_something() -> None:
    assert set(described(Preprocessing())) == {"resize", "crop", "interpolation", "mean", "std"}
    assert described(Preprocessing(fill=(0, 0, 9)))["fill"] == (0, 0, 9)
    assert described(Preprocessing(fit="long"))["fit"] == "long"


@pytest.mark.parametrize("change", [{"fit": "wide"}, {"fill": (0, 0)}, {"fill": (0, 0, 256)}, {"fill": (0.5, 0, 0)}])
def test_ways_to_fit_and_fill_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(change))):
        replaced(Preprocessing(), change)
