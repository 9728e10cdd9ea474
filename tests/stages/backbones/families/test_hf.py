"""Models of transformers give transformers' own features, and what would be random is never given."""

from __future__ import annotations

import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from PIL import Image
from safetensors.torch import load_file, save_file

from frostline.stages.backbones import BackboneRequest, fingerprint, load_backbone
from frostline.stages.backbones.families.registry import family_of
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.image.spec import Preprocessing
from support.model_folders import ARCHITECTURES, SIDE, change_json, save_transformers

IMAGE = Image.fromarray(np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8))
POOLED = [name for name in ARCHITECTURES if name not in ("i-jepa", "vit-mae", "pvt")]
WEIGHTS = "model.safetensors"
TOLERANCE = {
    "dinov3 vit": 2e-3,
    "dinov3 convnext": 2e-3,
}  # its pixels are floats before they are resized: a grey level apart


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hf.logging.set_verbosity_error()
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def loaded(folder: Path | str, weights: str = "DEFAULT", **more: Any) -> Backbone:
    return load_backbone(BackboneRequest(f"hf:{folder}", weights, **more), IMAGE)


def features(backbone: Backbone) -> np.ndarray:
    return backbone.embed({"pixels": backbone.spec.preprocessing.item(IMAGE)["pixels"][None]})


@torch.inference_mode()
def own(folder: Path, model: Any, **more: Any) -> Any:
    """Return what transformers gives of the same image, all of it by its own code."""
    processor = hf.AutoImageProcessor.from_pretrained(folder, backend="pil")
    return model.eval()(pixel_values=processor(images=IMAGE, return_tensors="pt")["pixel_values"], **more)


def tower(model: Any) -> Any:
    return getattr(model, "vision_model", model) if hasattr(model, "text_model") else model


def agree(found: np.ndarray, wanted: torch.Tensor, tolerance: float = 1e-5) -> None:
    expected = wanted.flatten(1).numpy()
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()


@pytest.mark.parametrize("name", POOLED)
def test_the_default_feature_is_transformers_own_pooled_output(name: str, tmp_path: Path) -> None:
    save_transformers(tmp_path, name)
    model = tower(hf.AutoModel.from_pretrained(tmp_path))
    agree(features(loaded(tmp_path)), own(tmp_path, model).pooler_output, TOLERANCE.get(name, 1e-5))


@pytest.mark.parametrize(
    ("name", "prefix"),
    [("vit", 1), ("deit", 2), ("dinov2 with registers", 5), ("dinov3 vit", 3), ("siglip", 0), ("clip", 1), ("beit", 1)],
)
def test_pooled_tokens_are_those_of_the_last_hidden_state(name: str, prefix: int, tmp_path: Path) -> None:
    tokens = own(tmp_path, tower(save_transformers(tmp_path, name))).last_hidden_state
    tolerance = TOLERANCE.get(name, 1e-5)
    if prefix:
        agree(features(loaded(tmp_path, pool="cls")), tokens[:, 0], tolerance)
    agree(features(loaded(tmp_path, pool="mean")), tokens[:, prefix:].mean(1), tolerance)


@pytest.mark.parametrize("name", ["pvt", "dinov3 convnext"])
def test_where_the_patches_tokens_are_not_known_their_mean_is_refused(name: str, tmp_path: Path) -> None:
    tokens = own(tmp_path, save_transformers(tmp_path, name)).last_hidden_state
    for how in ("mean", "cls+mean"):
        with pytest.raises(
            ConfigError, match="it is not known which tokens of this network are patches; expected cls or tokens"
        ):
            loaded(tmp_path, pool=how)
    agree(features(loaded(tmp_path, pool="cls")), tokens[:, 0], TOLERANCE.get(name, 1e-5))


def test_tokens_of_merged_patches_are_patches_alone(tmp_path: Path) -> None:
    tokens = own(tmp_path, save_transformers(tmp_path, "swin")).last_hidden_state
    agree(features(loaded(tmp_path, pool="mean")), tokens.mean(1))


def test_a_model_without_a_pooled_output_asks_how_to_pool(tmp_path: Path) -> None:
    model = save_transformers(tmp_path, "i-jepa")
    with pytest.raises(ConfigError, match="choose --pool cls, tokens, mean"):
        loaded(tmp_path)
    agree(features(loaded(tmp_path, pool="mean")), own(tmp_path, model).last_hidden_state.mean(1))


def test_a_model_that_masks_at_random_is_refused(tmp_path: Path) -> None:
    save_transformers(tmp_path, "vit-mae")
    with pytest.raises(ConfigError, match="gives different features for the same images in a second pass"):
        loaded(tmp_path, pool="cls")


def test_a_pooling_layer_without_weights_is_not_made_up(tmp_path: Path) -> None:
    model = save_transformers(tmp_path, "vit", hf.ViTForImageClassification)
    with pytest.raises(ConfigError, match=r"(?s)would be random; choose --pool cls.*pooler\.dense\.bias"):
        loaded(tmp_path)
    agree(features(loaded(tmp_path, pool="cls")), own(tmp_path, model.vit).last_hidden_state[:, 0])
    assert loaded(tmp_path, layer="layers.1", pool="cls").width == 32


def test_weights_that_are_missing_are_listed(tmp_path: Path) -> None:
    save_transformers(tmp_path, "vit")
    tensors = load_file(tmp_path / WEIGHTS)
    lost = next(name for name in tensors if "layernorm" in name)
    save_file({name: tensor for name, tensor in tensors.items() if name != lost}, tmp_path / WEIGHTS)
    with pytest.raises(ConfigError, match=r"(?s)1 weights of ViTModel are missing.*layernorm"):
        loaded(tmp_path)


def test_weights_that_nothing_takes_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    save_transformers(tmp_path, "resnet", hf.ResNetForImageClassification)
    with caplog.at_level(logging.INFO, logger="frostline"):
        loaded(tmp_path)
    assert "weights are not used" in caplog.text and "classifier.1.weight" in caplog.text


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    save_transformers(tmp_path, "vit")
    change_json(tmp_path / "config.json", {"intermediate_size": 128})
    with pytest.raises(ConfigError, match=r"transformers .* can't load"):
        loaded(tmp_path)


@pytest.mark.parametrize("prefix", ["", "vit.", "student.net."])
def test_quantised_weights_and_those_of_a_network_with_more_are_refused(prefix: str, tmp_path: Path) -> None:
    save_transformers(tmp_path, "vit")
    tensors = load_file(tmp_path / WEIGHTS)
    name = next(name for name in tensors if name.endswith("layernorm.weight"))
    for more, said in (
        ({name: tensors[name].to(torch.int8)}, f"quantised:\n  {prefix}{name}: int8 found, float32 expected"),
        (
            {"embeddings.register_tokens": torch.ones(1, 4, 32)},
            "(?s)weights that this network has no place for.*register_tokens",
        ),
    ):
        save_file({f"{prefix}{n}": t for n, t in (tensors | more).items()}, tmp_path / WEIGHTS)
        with pytest.raises(ConfigError, match=said):
            loaded(tmp_path)


def test_a_file_of_weights_gives_what_the_folders_own_do(tmp_path: Path) -> None:
    save_transformers(tmp_path, "dinov2")
    whole = loaded(tmp_path)
    file = Path(shutil.move(tmp_path / WEIGHTS, tmp_path / "elsewhere.safetensors"))
    from_file = loaded(tmp_path, str(file))
    assert np.array_equal(features(from_file), features(whole)) and from_file.spec == whole.spec
    with pytest.raises(ConfigError, match=r"no model.safetensors"):
        loaded(tmp_path)


def test_weights_under_the_prefix_of_a_training_program(tmp_path: Path) -> None:
    save_transformers(tmp_path, "dinov2")
    wanted = features(loaded(tmp_path))
    tensors = {f"student.net.{name}": t for name, t in load_file(tmp_path / WEIGHTS).items()}
    file = tmp_path / "trained.ckpt"
    torch.save({"state_dict": {**tensors, "head.weight": torch.ones(3, 32)}, "epoch": 3}, file)
    assert np.array_equal(features(loaded(tmp_path, str(file))), wanted)


def test_random_weights_are_the_same_each_time_and_stand_in_the_key(tmp_path: Path) -> None:
    save_transformers(tmp_path, "vit")
    (tmp_path / WEIGHTS).unlink()
    first, second = loaded(tmp_path, "random"), loaded(tmp_path, "random")
    assert first.spec == second.spec and np.array_equal(features(first), features(second))


def test_weights_in_shards_are_the_same_weights(tmp_path: Path) -> None:
    model = save_transformers(tmp_path, "vit")
    whole = loaded(tmp_path)
    (tmp_path / WEIGHTS).unlink()
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    parted = loaded(tmp_path)
    assert np.array_equal(features(parted), features(whole))
    file = next(tmp_path.glob("model-*.safetensors"))
    tensors = load_file(file)
    save_file({name: tensor + 1 for name, tensor in tensors.items()}, file)
    assert loaded(tmp_path).spec.weights != parted.spec.weights


def test_before_and_after_the_projection(tmp_path: Path) -> None:
    model = save_transformers(tmp_path, "clip").eval()
    before, after = loaded(tmp_path, layer="projection:input"), loaded(tmp_path, layer="projection")
    assert loaded(tmp_path).spec == before.spec and (before.width, after.width) == (32, 16)
    pixels = hf.AutoImageProcessor.from_pretrained(tmp_path, backend="pil")(images=IMAGE, return_tensors="pt")
    with torch.inference_mode():
        agree(features(after), model.get_image_features(**pixels).pooler_output)
    save_transformers(tmp_path / "siglip", "siglip")
    with pytest.raises(ConfigError, match="has no projection; leave --layer projection out"):
        loaded(tmp_path / "siglip", layer="projection")


@pytest.mark.parametrize("layer", ["projection", "projection:input", "output"])
def test_a_tower_is_exported_before_and_after_the_projection(layer: str, tmp_path: Path) -> None:
    save_transformers(tmp_path, "clip")
    request = BackboneRequest(f"hf:{tmp_path}", layer=layer)
    backbone = load_backbone(request, IMAGE, portable=True)
    pixels = torch.randint(0, 256, (2, SIDE, SIDE, 3), dtype=torch.uint8)
    exported = torch.export.export(backbone.module(), (pixels,)).module()(pixels)
    agree(backbone.embed({"pixels": pixels.numpy()}), exported)


@pytest.mark.parametrize(
    ("name", "layer"),
    [("vit", "layers.0"), ("dinov2", "encoder.layer.0"), ("clip", "vision_model.encoder.layers.0")],
)
def test_layers_have_the_models_own_names(name: str, layer: str, tmp_path: Path) -> None:
    model = tower(save_transformers(tmp_path, name))
    hidden = own(tmp_path, model, output_hidden_states=True).hidden_states[1]
    agree(features(loaded(tmp_path, layer=layer, pool="cls")), hidden[:, 0])


def test_of_a_layer_that_gives_several_values_the_first_is_taken(tmp_path: Path) -> None:
    save_transformers(tmp_path, "vit")
    assert loaded(tmp_path, layer="layers.0.attention", pool="cls").width == 32
    save_transformers(tmp_path / "dinov2", "dinov2")
    assert loaded(tmp_path / "dinov2", layer="encoder", pool="cls").width == 32


@pytest.mark.parametrize("name", ["vit", "dinov2", "clip", "swin"])
def test_another_resolution_is_the_models_own_interpolation(name: str, tmp_path: Path) -> None:
    model = tower(save_transformers(tmp_path, name))
    backbone = loaded(tmp_path, preprocessing={"resize": (48, 48), "crop": None})
    how = backbone.spec.preprocessing
    pixels = (torch.tensor(how.item(IMAGE)["pixels"]) / 255 - torch.tensor(how.mean)) / torch.tensor(how.std)
    more = {} if name == "dinov2" else {"interpolate_pos_encoding": True}
    with torch.inference_mode():
        wanted = model.eval()(pixel_values=pixels.permute(2, 0, 1)[None].float(), **more).pooler_output
    assert backbone.spec.size == (48, 48) and "positions fitted by transformers" in backbone.spec.code
    agree(features(backbone), wanted)


def test_a_size_that_patches_do_not_fill_is_refused(tmp_path: Path) -> None:
    save_transformers(tmp_path, "vit")
    with pytest.raises(ConfigError, match=r"patches of 8 × 8 pixels.*--resize 40"):
        loaded(tmp_path, preprocessing={"resize": 44})


def test_a_folder_without_a_processor_wants_the_preprocessing_said(tmp_path: Path) -> None:
    save_transformers(tmp_path, "vit")
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(ConfigError, match=r"no preprocessor_config\.json"):
        loaded(tmp_path)
    said = {"resize": (SIDE, SIDE), "crop": None, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    assert loaded(tmp_path, preprocessing=said).spec.preprocessing == Preprocessing(**said)


def test_models_of_texts_are_refused(tmp_path: Path) -> None:
    hf.BertConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2).save_pretrained(tmp_path)
    said = {"resize": (SIDE, SIDE), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    with pytest.raises(ConfigError, match="takes input_ids; expected a model of images"):
        loaded(tmp_path, "random", preprocessing=said)


SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        (
            lambda: hf.VideoMAEConfig(image_size=SIDE, patch_size=8, **SMALL),
            "VideoMAEModel, which takes videos",
        ),
        (lambda: hf.VivitConfig(image_size=SIDE, tubelet_size=[2, 8, 8], **SMALL), "VivitModel, which takes videos"),
        (lambda: hf.TimesformerConfig(image_size=SIDE, patch_size=8, **SMALL), "takes videos .num_frames 8"),
        (lambda: hf.Siglip2VisionConfig(**SMALL), "needs pixel_attention_mask, spatial_shapes in addition to images"),
        (
            lambda: hf.SegGptConfig(image_size=SIDE, patch_size=8, **SMALL),
            "needs prompt_pixel_values, prompt_masks",
        ),
        (hf.HGNetV2Config, "returns feature_maps for images; expected last_hidden_state. Choose a layer with --layer"),
    ],
)
def test_models_that_do_not_take_images_alone_say_what_they_need(
    configuration: Any, message: str, tmp_path: Path
) -> None:
    configuration().save_pretrained(tmp_path)
    said = {"resize": (SIDE, SIDE), "mean": (0.5,) * 3, "std": (0.5,) * 3}
    with pytest.raises(ConfigError, match=message):
        loaded(tmp_path, "random", preprocessing=said)


def test_a_name_that_means_nothing_says_what_would(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such folder"):
        loaded(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"no config\.json in"):
        loaded(tmp_path / "empty")
    with pytest.raises(ConfigError, match="DEFAULT"):
        loaded(tmp_path / "empty", "IMAGENET1K_V1")


def in_hub(hub: Path, name: str, saved: Path) -> Path:
    """Lay a folder out as the hub's cache does: links to files that are named by their content."""
    repository = hub / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / "abc123"
    for place in (repository / "refs", repository / "blobs", snapshot):
        place.mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc123")
    for number, file in enumerate(sorted(saved.iterdir())):
        shutil.copy(file, repository / "blobs" / str(number))
        (snapshot / file.name).symlink_to(f"../../blobs/{number}")
    return snapshot


def test_what_the_hubs_cache_holds_is_loaded_by_its_name(tmp_path: Path) -> None:
    save_transformers(tmp_path / "saved", "dinov2")
    (tmp_path / "saved" / "README.md").write_text("---\ntags: [a]\nlicense: apache-2.0\n---\nA model.")
    snapshot = in_hub(tmp_path / "hub", "org/small", tmp_path / "saved")
    by_name = loaded("org/small")
    assert by_name.spec.name == "hf:org/small" and by_name.licence == "apache-2.0"
    assert np.array_equal(features(by_name), features(loaded(tmp_path / "saved")))
    assert np.array_equal(features(by_name), features(loaded(snapshot)))
    family, _ = family_of("hf:org/small")
    assert list(family.names()) == ["org/small"] and family.describe("org/small").here
    assert family.describe("org/small").licence == "apache-2.0"


def test_what_is_not_there_and_can_not_be_downloaded_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match=r"(?s)can't download org/absent.*hf:FOLDER"):
        loaded("org/absent")


def test_heads_may_name_what_was_downloaded_and_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_transformers(tmp_path / "saved", "dinov2")
    in_hub(tmp_path / "hub", "org/small", tmp_path / "saved")
    family, _ = family_of("hf:org/small")
    assert family.trusted("org/small")
    assert not family.trusted("org/other") and not family.trusted(str(tmp_path / "saved"))
    assert not family.trusted("../saved") and not family.trusted("org/..")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "org" / "small").mkdir(parents=True)
    assert not family.trusted("org/small")


def test_the_fingerprint_changes_with_what_a_folder_holds(tmp_path: Path) -> None:
    save_transformers(tmp_path, "vit")
    request = BackboneRequest(f"hf:{tmp_path}")
    first = fingerprint(request)
    assert fingerprint(request) == first
    change_json(tmp_path / "config.json", {"hidden_act": "relu"})
    second = fingerprint(request)
    assert second != first
    os.utime(tmp_path / WEIGHTS, (1, 1))
    assert fingerprint(request) != second


def test_names_of_labels_are_not_in_the_key_but_what_changes_a_number_is(tmp_path: Path) -> None:
    save_transformers(tmp_path, "vit")
    code = loaded(tmp_path).spec.code
    change_json(tmp_path / "config.json", {"id2label": {"0": "cat"}, "label2id": {"cat": 0}})
    assert loaded(tmp_path).spec.code == code
    change_json(tmp_path / "config.json", {"layer_norm_eps": 0.01})
    assert loaded(tmp_path).spec.code != code


def test_a_model_of_timm_in_transformers_gives_timms_features(assets: Path) -> None:
    import timm

    folder = assets / "vision" / "tf_efficientnet_lite0"
    backbone = loaded(folder)
    model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))
    with torch.inference_mode():
        agree(features(backbone), model(transform(IMAGE)[None]))
    assert (backbone.width, backbone.licence) == (1280, "apache-2.0")
    same = load_backbone(BackboneRequest(f"timm:local-dir:{folder}"), IMAGE)
    assert np.array_equal(features(backbone), features(same))


def test_the_configuration_may_not_choose_how_a_model_answers(tmp_path: Path) -> None:
    save_transformers(tmp_path, "vit")
    wanted = features(loaded(tmp_path))
    changes = {"return_dict": False, "output_hidden_states": True, "_attn_implementation": "evil/kernel"}
    change_json(tmp_path / "config.json", {**changes, "attn_implementation": "evil/kernel", "torchscript": True})
    assert np.array_equal(features(loaded(tmp_path)), wanted)
    assert json.loads((tmp_path / "config.json").read_text())["torchscript"]
