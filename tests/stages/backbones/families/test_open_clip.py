"""open_clip's image towers give ``encode_image(x, normalize=False)``, or what is before its projection."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from frostline.stages.backbones import BackboneRequest, fingerprint, load_backbone
from frostline.stages.backbones.families.openclip.preprocessing import translated
from frostline.stages.backbones.families.registry import family_of
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.errors import ConfigError
from support.model_folders import TOWERS, change_json, save_open_clip

IMAGE = Image.fromarray(np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8))
WEIGHTS = "open_clip_model.safetensors"


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def loaded(name: Path | str, weights: str = "DEFAULT", **more: Any) -> Backbone:
    place = f"local-dir:{name}" if isinstance(name, Path) else name
    return load_backbone(BackboneRequest(f"open_clip:{place}", weights, **more), IMAGE)


def features(backbone: Backbone) -> np.ndarray:
    return backbone.embed({"pixels": backbone.spec.preprocessing.item(IMAGE)["pixels"][None]})


@torch.inference_mode()
def own(folder: Path, *, projected: bool = True, size: int | None = None) -> Tensor:
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}", force_image_size=size)
    if not projected:
        model.visual.proj = None
    given: Tensor = model.eval().encode_image(transform(IMAGE)[None], normalize=False)
    return given


def agree(found: np.ndarray, wanted: Tensor) -> None:
    assert found.shape == tuple(wanted.shape)
    assert np.abs(found - wanted.numpy()).max() <= 1e-5 * np.abs(wanted.numpy()).max()


@pytest.mark.parametrize("name", TOWERS)
def test_the_default_feature_is_what_open_clip_encodes(name: str, tmp_path: Path) -> None:
    save_open_clip(tmp_path, name)
    agree(features(loaded(tmp_path)), own(tmp_path))


@pytest.mark.parametrize("mode", ["squash", "longest"])
def test_every_way_to_resize_is_open_clips(mode: str, tmp_path: Path) -> None:
    save_open_clip(tmp_path, "vit", mode)
    agree(features(loaded(tmp_path)), own(tmp_path))


@pytest.mark.parametrize("name", ["vit", "coca"])
def test_before_the_projection(name: str, tmp_path: Path) -> None:
    save_open_clip(tmp_path, name)
    agree(features(loaded(tmp_path, layer="projection:input")), own(tmp_path, projected=False))
    assert loaded(tmp_path, layer="projection").spec == loaded(tmp_path).spec


def test_what_a_tower_of_timm_gives_before_its_projection(tmp_path: Path) -> None:
    save_open_clip(tmp_path, "timm, projected")
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{tmp_path}")
    found = features(loaded(tmp_path, layer="projection:input"))
    with torch.inference_mode():
        agree(found, model.eval().visual.trunk(transform(IMAGE)[None]))


@pytest.mark.parametrize("name", ["resnet", "timm, not projected"])
def test_a_tower_whose_projection_is_no_part_of_its_own_says_so(name: str, tmp_path: Path) -> None:
    save_open_clip(tmp_path, name)
    with pytest.raises(ConfigError, match="its projection can't be separated from the layers before it"):
        loaded(tmp_path, layer="projection:input")


@pytest.mark.parametrize(("name", "size"), [("vit", 48), ("coca", 64), ("timm, not projected", 64)])
def test_another_resolution_is_open_clips_own(name: str, size: int, tmp_path: Path) -> None:
    save_open_clip(tmp_path, name)
    backbone = loaded(tmp_path, preprocessing={"resize": size})
    assert backbone.spec.size == (size, size) and "positions fitted by open_clip" in backbone.spec.code
    agree(features(backbone), own(tmp_path, size=size))


def test_a_size_that_patches_do_not_fill_is_refused(tmp_path: Path) -> None:
    save_open_clip(tmp_path, "vit")
    with pytest.raises(ConfigError, match=r"patches of 8 × 8 pixels.*--resize 40"):
        loaded(tmp_path, preprocessing={"resize": 44})


def test_layers_have_the_towers_own_names(tmp_path: Path) -> None:
    save_open_clip(tmp_path, "vit")
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{tmp_path}")
    with torch.inference_mode():
        given = model.visual.forward_intermediates(transform(IMAGE)[None], indices=[0], output_fmt="NLC")
    tokens = given["image_intermediates"][0]
    backbone = loaded(tmp_path, layer="visual.transformer.resblocks.0", pool="mean")
    agree(features(backbone), tokens.mean(1))


def test_weights_that_are_missing_are_listed_and_those_of_texts_are_not_wanted(tmp_path: Path) -> None:
    save_open_clip(tmp_path, "vit")
    wanted = features(loaded(tmp_path))
    tensors = load_file(tmp_path / WEIGHTS)
    save_file({n: t for n, t in tensors.items() if n.startswith("visual.")}, tmp_path / WEIGHTS)
    assert np.array_equal(features(loaded(tmp_path)), wanted)
    save_file({n: t for n, t in tensors.items() if n != "visual.ln_post.bias"}, tmp_path / WEIGHTS)
    with pytest.raises(ConfigError, match=r"missing: ln_post\.bias"):
        loaded(tmp_path)


def test_a_projection_without_weights_is_not_made_up(tmp_path: Path) -> None:
    save_open_clip(tmp_path, "timm, projected")
    tensors = load_file(tmp_path / WEIGHTS)
    save_file({n: t for n, t in tensors.items() if n != "visual.head.proj.weight"}, tmp_path / WEIGHTS)
    with pytest.raises(ConfigError, match=r"head\.proj"):
        loaded(tmp_path)


def test_a_file_and_random_weights_with_a_name_of_open_clips_own(tmp_path: Path) -> None:
    name = "ViT-S-32-alt"
    assert loaded(name, "random").width == 256
    model = open_clip.create_model(name, load_weights=False)
    save_file(model.state_dict(), tmp_path / "own.safetensors")
    backbone = loaded(name, str(tmp_path / "own.safetensors"))
    library = open_clip.image_transform(224, is_train=False)
    with torch.inference_mode():
        agree(features(backbone), model.eval().encode_image(library(IMAGE)[None], normalize=False))


def test_published_weights_are_part_of_the_name() -> None:
    with pytest.raises(ConfigError, match=r"does not name its weights; expected open_clip:ViT-B-32/TAG"):
        loaded("ViT-B-32")
    with pytest.raises(ConfigError, match="open_clip:ViT-B-32/laion2b_s34b_b79k"):
        loaded("ViT-B-32", "laion2b_s34b_b79k")
    with pytest.raises(ConfigError, match="ViT-B-32"):
        loaded("ViT-B-33", "random")
    with pytest.raises(ConfigError, match="laion2b_s34b_b79k"):
        loaded("ViT-B-32/laion2b_s34b_b80k")
    with pytest.raises(ConfigError, match="expected open_clip:ViT-B-32-quickgelu/openai"):
        loaded("ViT-B-32/openai")


def test_a_name_says_how_all_its_published_weights_take_images() -> None:
    request = BackboneRequest("open_clip:PE-Core-T-16-384", "random")
    how = load_backbone(request, IMAGE, optimize="none").spec.preprocessing
    assert (how.mean, how.resize, how.crop) == ((0.5, 0.5, 0.5), (384, 384), None)


def test_what_is_not_there_and_can_not_be_downloaded_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match=r"can't download .*--weights FILE"):
        loaded("ViT-B-32/laion2b_s34b_b79k")
    with pytest.raises(ConfigError, match=r"(?s)can't download org/absent.*local-dir:FOLDER"):
        loaded("hf-hub:org/absent")


def test_heads_may_name_what_open_clip_lists_and_nothing_else(tmp_path: Path) -> None:
    family, _ = family_of("open_clip:RN50")
    assert family.trusted("ViT-B-32/laion2b_s34b_b79k")
    assert not any(map(family.trusted, (f"local-dir:{tmp_path}", "hf-hub:org/model", "../RN50", "")))


def test_names_are_listed_with_widths_and_sizes() -> None:
    family, _ = family_of("open_clip:RN50")
    assert set(family.names()) == set(open_clip.list_models())
    assert (family.describe("RN50").width, family.describe("RN50").size) == (1024, (224, 224))


def test_the_fingerprint_changes_with_what_a_folder_holds(tmp_path: Path) -> None:
    save_open_clip(tmp_path, "vit")
    request = BackboneRequest(f"open_clip:local-dir:{tmp_path}")
    first = fingerprint(request)
    said = json.loads((tmp_path / "open_clip_config.json").read_text())["model_cfg"]
    change_json(tmp_path / "open_clip_config.json", {"model_cfg": {**said, "quick_gelu": True}})
    assert fingerprint(request) != first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"timm_model_name": "local-dir:/etc"}, "expected the name of a timm model"),
        ({"timm_model_name": ["resnet18"]}, "expected the name of a timm model"),
        ({"layers": "many"}, "can't build"),
    ],
)
def test_a_configuration_that_is_none_is_refused(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    save_open_clip(tmp_path, "vit")
    said = json.loads((tmp_path / "open_clip_config.json").read_text())["model_cfg"]
    said["vision_cfg"] |= changes
    change_json(tmp_path / "open_clip_config.json", {"model_cfg": said})
    with pytest.raises(ConfigError, match=message):
        loaded(tmp_path)


def test_a_preprocessing_of_images_that_are_not_square_is_nearest() -> None:
    said = {"size": (32, 48), "mean": [0] * 3, "std": [1] * 3, "interpolation": "bicubic", "resize_mode": "shortest"}
    assert (translated(said).resize, translated(said).crop) == (48, (32, 48))


def test_queries_of_an_attention_pool_are_no_patches(tmp_path: Path) -> None:
    save_open_clip(tmp_path, "coca")
    for layer in ("visual.attn_pool", "visual.ln_post", "visual.transformer,visual.ln_post@mean"):
        with pytest.raises(ConfigError, match="it is not known which tokens of this network are patches"):
            loaded(tmp_path, layer=layer, pool="mean")
    first = loaded(tmp_path, layer="visual.ln_post", pool="cls")
    default = loaded(tmp_path, layer="projection:input")
    assert np.array_equal(features(first), features(default))  # open_clip's own feature: the first query's
    assert loaded(tmp_path, layer="visual.transformer", pool="mean").prefix_tokens == 1


def test_weights_of_another_resolution_are_said_to_be_fitted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_open_clip(tmp_path, "vit")
    own_size = loaded(tmp_path)
    larger = open_clip.create_model(f"local-dir:{tmp_path}", force_image_size=64)
    torch.save(larger.state_dict(), tmp_path / "larger.pt")
    assert "positions fitted" not in own_size.spec.code
    with caplog.at_level(logging.INFO, logger="frostline"):
        fitted = loaded(tmp_path, str(tmp_path / "larger.pt"))
    assert fitted.spec.code == f"{own_size.spec.code}, positions fitted by open_clip {open_clip.__version__}"
    assert "open_clip adapts position embeddings of another image size to 32 × 32 pixels" in caplog.text
    matched = loaded(tmp_path, str(tmp_path / "larger.pt"), preprocessing={"resize": 64})
    assert matched.spec.size == (64, 64) and matched.spec.code == fitted.spec.code
