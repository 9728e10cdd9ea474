"""Photographs in frames, as they go to a GPU, have the transform's pixels; here all of it is computed on a CPU."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from frostline.stages.backbones import BackboneRequest, finished, item_for, load_backbone, raw_or_item
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.backbones.inference.batches import BatchLimit
from frostline.stages.backbones.inference.cuda import overlapped
from frostline.stages.backbones.inference.frames import Frame, frame_for, unframed
from frostline.stages.backbones.inference.multi_layer import share_pass
from frostline.stages.backbones.inference.steadiness import unsteadiness
from frostline.stages.datasets import open_dataset
from frostline.stages.errors import UnreadableSample
from frostline.stages.extract.extraction import Extraction, extract
from frostline.stages.modalities.base import Item
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.modalities.items import stacked
from frostline.stages.store import FeatureStore, Layout, Provenance, load
from frostline.stages.store.key import FeatureKey
from frostline.stages.store.targets import target_file

USUAL = Preprocessing(256, 224, "bilinear")
WITHIN = [(500, 375), (375, 500), (512, 512), (300, 225), (256, 300), (97, 131), (33, 33), (512, 256), (200, 512)]
BEYOND = [(640, 480), (2000, 300), (257, 512)]  # too large; the last one begins with the height


def photograph(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(noise)


def framed(how: Preprocessing, size: tuple[int, int] = (224, 224)) -> Frame:
    frame = frame_for(how, size)
    assert frame is not None
    return frame


def pixels_of(items: list[Item]) -> np.ndarray:
    return unframed({name: torch.from_numpy(array) for name, array in stacked(items).items()}).numpy()


def of(frame: Frame, image: Image.Image) -> Item:
    item = frame.item(image)
    assert item is not None
    return item


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("resize", [232, 256, (224, 224), (230, 260)])
def test_photographs_of_all_sizes_in_one_batch_have_the_pixels_of_the_transform(
    resize: int | tuple[int, int], interpolation: str
) -> None:
    how = replace(USUAL, resize=resize, interpolation=interpolation)
    photographs = [photograph(*size) for size in WITHIN + BEYOND]
    found = pixels_of([of(framed(how), one) for one in photographs])
    assert np.array_equal(found, np.stack([how.item(one)["pixels"] for one in photographs]))


def test_what_is_larger_than_its_frame_is_resized_here_and_the_rest_on_the_device() -> None:
    frame = framed(USUAL)
    assert frame.side == 512 and frame.item_bytes == sum(one.nbytes for one in of(frame, photograph(9, 9)).values())
    for size in WITHIN + BEYOND:
        image = photograph(*size)
        corner = of(frame, image)["pixels"][: size[1], : size[0]]
        assert np.array_equal(corner, np.asarray(image)) == (size in WITHIN)


def test_a_colour_beyond_the_image_and_a_long_side_that_fits_are_the_transforms() -> None:
    for how in (
        Preprocessing(200, 224, "bilinear", fill=(9, 8, 7)),
        Preprocessing(224, 224, "bicubic", fit="long", fill=(1, 2, 3)),
    ):
        photographs = [photograph(*size) for size in WITHIN]
        found = pixels_of([of(framed(how), one) for one in photographs])
        assert np.array_equal(found, np.stack([how.item(one)["pixels"] for one in photographs]))


@pytest.mark.parametrize(
    ("how", "size"),
    [
        (Preprocessing(256, 224, "lanczos"), (224, 224)),
        (Preprocessing(256, 224, "nearest"), (224, 224)),
        (Preprocessing(None, 224), (224, 224)),
        (Preprocessing(256, None), (256, 300)),  # each image has a size of its own
        (Preprocessing(32, 224), (224, 224)),
    ],
)
def test_other_transforms_have_no_frame(how: Preprocessing, size: tuple[int, int]) -> None:
    assert frame_for(how, size) is None


def test_an_image_that_the_transform_refuses_is_refused() -> None:
    with pytest.raises(UnreadableSample, match="too narrow"):
        framed(USUAL).item(photograph(1, 3000))


def small(frame: bool = True, layer: str | None = None) -> Backbone:
    how = {"resize": 64, "crop": 56}
    request = BackboneRequest("resnet18", "random", layer, preprocessing=how)
    backbone = load_backbone(request, photograph(90, 80))
    assert backbone.frame is None  # a CPU has Pillow
    backbone.frame = frame_for(backbone.preprocessing, backbone.spec.size) if frame else None
    return backbone


def test_a_network_gives_frames_the_features_of_the_transforms_pixels_in_any_order() -> None:
    backbone = small()
    photographs = [photograph(90, 70 + i) for i in range(8)]
    raw = stacked([raw_or_item(one, backbone) for one in photographs])
    wanted = backbone.embed(stacked([item_for(one, backbone.spec) for one in photographs]))
    assert raw["pixels"].shape[1:] == (128, 128, 3)
    assert np.array_equal(backbone.embed(raw), wanted)
    assert unsteadiness(backbone.embed, raw) is None
    for found in overlapped(backbone, [raw] * 4, BatchLimit(8)):
        assert np.array_equal(found, wanted)


def test_a_frame_can_be_finished_beside_an_image_of_another_shape() -> None:
    backbone = small()
    thumbnail, large = photograph(32, 32), photograph(90, 70)
    for one in (thumbnail, large):
        item = finished(raw_or_item(one, backbone), backbone.spec)
        assert np.array_equal(item["pixels"], item_for(one, backbone.spec)["pixels"])


@pytest.mark.usefixtures("optimizations")
def test_layers_that_share_a_pass_share_the_frame() -> None:
    alone = [small(layer=layer) for layer in ("layer1", "layer2")]
    shared = share_pass(alone)
    assert shared is not None and shared.frame == alone[0].frame
    batch = stacked([raw_or_item(photograph(90, 80), shared)] * 2)
    assert np.array_equal(shared.embed(batch), np.concatenate([one.embed(batch) for one in alone], axis=1))


def test_an_extraction_from_frames_is_that_of_finished_pixels(tmp_path: Path) -> None:
    folder = tmp_path / "photographs"
    for i, size in enumerate([(90, 80), (70, 100), (300, 64), (32, 32), (64, 300), (128, 128)] * 2):
        (folder / "ab"[i % 2]).mkdir(parents=True, exist_ok=True)
        photograph(*size).save(folder / "ab"[i % 2] / f"{i}.png")
    samples = open_dataset(f"folder:{folder}").train
    sets = []
    for frame in (True, False):
        backbone = small(frame)
        key = FeatureKey(samples.content, backbone.spec, "a decoder", dtype="float32")
        layout = Layout(key.fields(), samples.dataset, samples.split, len(samples), backbone.width, 4)
        targets = target_file(samples.targets, samples.ids)
        features = FeatureStore(tmp_path / str(frame)).begin(layout, Provenance(), targets)
        extract(Extraction(samples, backbone, features, batch_size=4))
        sets.append(load(features).X)
    assert len(sets[0]) == len(samples) and np.array_equal(*sets)
