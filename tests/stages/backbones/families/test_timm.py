"""timm's models give timm's own features, whatever their weights come from."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, fx, nn

from frostline.stages.backbones import BackboneRequest, fingerprint, load_backbone
from frostline.stages.backbones.families.base import Encoder, Family, LoadedModel
from frostline.stages.backbones.families.registry import check_installed, family_of, load
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.image.spec import Preprocessing

NOISE = np.random.default_rng(3).integers(0, 256, (2, 300, 300, 3), np.uint8)
EXAMPLE = Image.fromarray(NOISE[0])


def asked(name: str, weights: str = "random", **more: Any) -> BackboneRequest:
    return BackboneRequest(f"timm:{name}", weights, **more)


def loaded(name: str, weights: str = "random", **more: Any) -> Backbone:
    return load_backbone(asked(name, weights, **more), EXAMPLE)


def scaled(pixels: np.ndarray, how: Preprocessing) -> Tensor:
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (how.mean, how.std))
    return (torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2).float() / 255 - mean) / std


def of_size(backbone: Backbone) -> np.ndarray:
    """Return noise of a backbone's size."""
    return NOISE[:, : backbone.spec.size[0], : backbone.spec.size[1]]


@torch.inference_mode()
def timms_own(model: nn.Module, backbone: Backbone) -> np.ndarray:
    x: Any = model.eval()
    given = x.forward_head(x.forward_features(scaled(of_size(backbone), backbone.spec.preprocessing)), pre_logits=True)
    return np.asarray(given)


def drawn(name: str, **more: Any) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = timm.create_model(name, **more)
    return model


def assert_alike(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1e-5 * np.abs(wanted).max()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as timm saves one: a small vision transformer for images of 160 pixels."""
    model = drawn("test_vit")
    timm.models.save_for_hf(model, tmp_path / "saved", safe_serialization=True)
    return tmp_path / "saved"


def configured(folder: Path, **changes: Any) -> BackboneRequest:
    """Change the preprocessing, or the arguments, in a folder's configuration."""
    file = folder / "config.json"
    config = json.loads(file.read_text())
    config["model_args"] |= changes.pop("model_args", {})
    config["pretrained_cfg"] |= changes
    file.write_text(json.dumps(config))
    return asked(f"local-dir:{folder}", "DEFAULT")


@pytest.mark.parametrize(
    "name",
    [
        "crossvit_tiny_240",
        "deit_tiny_distilled_patch16_224",
        "test_vit",
        "test_convnext",
        "test_efficientnet",
        "resnet50_clip",
    ],
)
def test_the_default_feature_is_timms_own(name: str) -> None:
    backbone = loaded(name)
    wanted = timms_own(drawn(name), backbone)
    assert backbone.spec.layer == "output" and backbone.width == wanted.shape[1]
    assert_alike(backbone.embed({"pixels": of_size(backbone)}), wanted)


@pytest.mark.parametrize("mode", ["center", "squash", "border"])
@pytest.mark.parametrize("size", [[3, 160, 160], [3, 160, 128]], ids=["square", "not"])
def test_each_of_timms_ways_to_crop_gives_its_pixels(folder: Path, mode: str, size: list[int]) -> None:
    request = configured(folder, crop_mode=mode, crop_pct=0.9, mean=[0.1, 0.5, 0.8], input_size=size)
    how = load_backbone(request, EXAMPLE).spec.preprocessing
    own = load(request).own_transform
    assert own is not None and own.transform is not None
    image = Image.fromarray(NOISE[0, :200])
    wanted = own.transform(image)
    if mode == "center" and size[1] != size[2]:
        assert how == own and own.library == f"timm {timm.__version__}" and '"crop_pct":0.9' in own.configuration
        assert np.array_equal(how.item(image)["pixels"].transpose(2, 0, 1), wanted)
        return
    assert isinstance(how, Preprocessing)
    assert torch.allclose(wanted, scaled(how.item(image)["pixels"][None], how)[0], atol=1e-6)


def test_layers_that_do_two_things_are_fused_as_torchs_own_and_give_the_same() -> None:
    name = "tf_mobilenetv3_small_minimal_100"  # normalisation with activation, padding by the image's size
    for size in (64, 75):
        backbone = loaded(name, preprocessing={"resize": size})
        assert isinstance(backbone.network, fx.GraphModule)
        assert not [m for m in backbone.network.modules() if type(m).__name__ in ("BatchNormAct2d", "Conv2dSame")]
        assert_alike(backbone.embed({"pixels": of_size(backbone)}), timms_own(drawn(name), backbone))


def test_a_folders_weights_are_loaded_and_its_place_is_not_in_the_key(folder: Path) -> None:
    request = configured(folder, license="mit")
    mark = fingerprint(request)
    backbone = load_backbone(request, EXAMPLE)
    assert (backbone.spec.name, backbone.licence, backbone.width) == ("timm:local-dir:saved", "mit", 64)
    assert str(folder) not in json.dumps(backbone.spec.fields())
    assert_alike(backbone.embed({"pixels": of_size(backbone)}), timms_own(drawn("test_vit"), backbone))
    assert fingerprint(request) == mark
    configured(folder, crop_pct=0.5)
    assert fingerprint(request) != mark


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_args": {"checkpoint_path": "/etc/passwd"}}, "does not describe a model"),
        ({"model_args": {"depth": "many"}}, "can't build"),
        ({"model_args": {"in_chans": 1}}, "1 channels"),
        ({"interpolation": "random"}, "resized by random"),
        ({"mean": ["a", "b", "c"]}, "can't be understood"),
        ({"crop_pct": "half"}, "can't be understood"),
    ],
    ids=str,
)
def test_a_folder_that_is_not_what_it_should_be_is_refused(folder: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_backbone(configured(folder, **change), EXAMPLE)


@pytest.mark.parametrize("text", ["{", "[]", '{"architecture": "os.system"}', '{"architecture": 3}'])
def test_a_configuration_of_anyones_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=r"config\.json does not describe a model of timm"):
        load_backbone(asked(f"local-dir:{folder}", "DEFAULT"), EXAMPLE)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_folder_without_its_files_says_what_it_lacks(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(ConfigError, match=f"holds no.*{missing}"):
        fingerprint(asked(f"local-dir:{folder}", "DEFAULT"))


def saved(model: nn.Module, file: Path, without: str = "-", **more: Tensor) -> str:
    state = {n: t for n, t in model.state_dict().items() if without not in n}
    save_file({**state, **more}, file)
    return str(file)


def test_a_checkpoint_may_have_its_own_number_of_classes_or_no_classifier(tmp_path: Path) -> None:
    tuned, cut_off = saved(drawn("test_vit", num_classes=7), tmp_path / "a.safetensors"), tmp_path / "b.safetensors"
    model = drawn("test_vit", num_classes=7)
    for file in (tuned, saved(model, cut_off, without="head.")):
        backbone = loaded("test_vit", file)
        assert_alike(backbone.embed({"pixels": of_size(backbone)}), timms_own(model, backbone))
        assert backbone.licence == ""  # of anyone's weights, timm knows none


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "teacher.backbone."])
def test_a_checkpoint_may_have_the_prefixes_of_whatever_saved_it(tmp_path: Path, prefix: str) -> None:
    model = drawn("test_vit")
    state = {f"{prefix}{name}": tensor for name, tensor in model.state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, tmp_path / "a.pth")
    backbone = loaded("test_vit", str(tmp_path / "a.pth"))
    assert_alike(backbone.embed({"pixels": of_size(backbone)}), timms_own(model, backbone))


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    torch.save(drawn("test_vit"), tmp_path / "whole.pth")  # a pickled model names the code that makes it
    with pytest.raises(ConfigError, match=r"can't load the weights .*whole\.pth"):
        loaded("test_vit", str(tmp_path / "whole.pth"))


def test_missing_tensors_are_an_error_and_others_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = saved(drawn("test_vit"), tmp_path / "a.safetensors", without="blocks.3.mlp")
    with pytest.raises(ConfigError, match=r"don't fit the model:\n  missing: blocks\.3\.mlp\.fc1\.weight\n"):
        loaded("test_vit", file)
    wrong = {"norm.weight": torch.ones(3)}
    with pytest.raises(ConfigError, match=r"shape of norm\.weight: \(3,\) found, \(64,\) expected"):
        loaded("test_vit", saved(drawn("test_vit"), tmp_path / "b.safetensors", **wrong))
    loaded("test_vit", saved(drawn("test_vit"), tmp_path / "c.safetensors", extra=torch.ones(1)))
    assert "tensors that the model has no place for:\n  extra" in caplog.text


def test_another_size_resamples_the_position_embeddings_as_timm_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = drawn("test_vit")
    file = saved(model, tmp_path / "a.safetensors")
    caplog.set_level(logging.INFO, "frostline")
    backbone = loaded("test_vit", file, preprocessing={"resize": 96})
    assert (backbone.spec.size, backbone.spec.preprocessing.crop) == ((96, 96), 96)
    model.set_input_size(img_size=(96, 96))  # type: ignore[operator]
    assert_alike(backbone.embed({"pixels": of_size(backbone)}), timms_own(model, backbone))
    assert timm.__version__ in backbone.spec.code and "trained on 160 × 160" in caplog.text
    assert loaded("test_vit", file).spec.code == ""


def test_a_size_that_is_no_whole_number_of_patches_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"patches of 16 × 16 .*the nearest sizes are --resize 96 and --resize 112"):
        loaded("test_vit", preprocessing={"resize": 100})


def test_blocks_go_by_timms_names_and_pool_without_the_tokens_before_the_patches() -> None:
    model: Any = drawn("vit_tiny_patch16_224", depth=2).eval()
    small = {"resize": 64}
    backbone = loaded("vit_tiny_patch16_224", layer="blocks.1", pool="cls+mean", preprocessing=small)
    model = drawn("vit_tiny_patch16_224", img_size=64)
    x = scaled(of_size(backbone), backbone.spec.preprocessing)
    with torch.inference_mode():
        last, (tokens,) = model.eval().forward_intermediates(
            x, indices=[1], output_fmt="NLC", return_prefix_tokens=True
        )
        patches, prefix = tokens
    wanted = torch.cat([prefix[:, 0], patches.mean(1)], 1).numpy()
    assert_alike(backbone.embed({"pixels": of_size(backbone)}), wanted)
    normed = loaded("vit_tiny_patch16_224", layer="norm", pool="mean", preprocessing=small)
    assert_alike(normed.embed({"pixels": of_size(backbone)}), last[:, 1:].mean(1).numpy())


def test_a_network_with_registers_alone_has_no_class_token_and_its_mean_is_that_of_patches() -> None:
    name, how = "vit_little_patch16_reg4_gap_256", {"layer": "norm", "preprocessing": {"resize": 64}}
    for pool in ("cls", "cls+mean"):
        with pytest.raises(ConfigError, match=re.escape(f"'{pool}': this network has registers and no class token")):
            loaded(name, pool=pool, **how)
    with pytest.raises(ConfigError, match="registers and no class token"):
        loaded(name, preprocessing=how["preprocessing"], layer="blocks.1@mean,blocks.2@cls")
    backbone = loaded(name, pool="mean", **how)
    model: Any = drawn(name, img_size=64).eval()
    with torch.inference_mode():
        tokens = model.forward_features(scaled(of_size(backbone), backbone.spec.preprocessing))
    assert tokens.shape[1] == 4 + 16
    assert_alike(backbone.embed({"pixels": of_size(backbone)}), tokens[:, 4:].mean(1).numpy())


def test_a_published_model_is_known_by_its_tag_and_random_weights_by_what_was_asked(tmp_path: Path) -> None:
    assert loaded("test_vit").spec.name == "timm:test_vit"
    assert load(asked("test_vit")).name == ""


def test_what_is_not_here_and_may_not_be_downloaded_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "from frostline.stages.backbones import BackboneRequest as R, fingerprint\n"
        "from frostline.stages.backbones.families.registry import load\n"
        "from frostline.stages.errors import ConfigError\n"
        "assert fingerprint(R('timm:test_vit'))\n"
        "try: load(R('timm:test_vit'))\nexcept ConfigError as error: print(error)"
    )
    clean = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], check=True, env=clean, capture_output=True, text=True)
    assert "can't download the weights of timm:test_vit.r160_in1k from timm/test_vit.r160_in1k" in done.stdout
    assert "--weights FILE" in done.stdout


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet5O", "unknown timm model 'resnet5O'; did you mean 'resnet50'"),
        ("resnet50.a1_in1K", "unknown tag of resnet50 'a1_in1K'; did you mean 'a1_in1k'"),
        ("res/net", "unknown timm model"),
        ("", "unknown timm model"),
    ],
)
def test_names_that_timm_has_not_are_answered_with_the_nearest(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fingerprint(asked(name))


def test_a_fingerprint_loads_neither_torch_nor_timm_and_no_network_is_asked(folder: Path) -> None:
    code = (
        "import sys\nfrom frostline.stages.backbones import BackboneRequest as R, fingerprint\n"
        "for name in ('resnet50', 'vit_small_patch14_dinov2.lvd142m', 'local-dir:' + sys.argv[1]):\n"
        "    assert fingerprint(R('timm:' + name))\n"
        "assert not {'torch', 'timm', 'huggingface_hub', 'http.client'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True, env={})


def test_strangers_may_name_what_timm_publishes_and_no_folder() -> None:
    assert family_of("timm:resnet50")[0].trusted("resnet50")
    assert not family_of("timm:resnet50")[0].trusted("local-dir:/home/me")


class Absent(Family):
    summary = "what is not installed"
    versions = ("a-distribution-that-nobody-has",)
    extra = "absent"

    def load(self, request: BackboneRequest, /) -> LoadedModel:
        raise AssertionError


def test_what_is_not_installed_names_the_extra() -> None:
    with pytest.raises(ConfigError, match=r"absent:net needs a-dis.*; pip install 'frostline\[absent\]'"):
        check_installed("absent:net", Absent())


def test_each_name_is_described_without_its_weights() -> None:
    family = family_of("timm:resnet50")[0]
    names = list(family.names())
    assert {"resnet50", "resnet50.a1_in1k", "vit_small_patch14_dinov2.lvd142m"} <= set(names) and len(names) > 1500
    found = family.describe("vit_small_patch14_dinov2")
    assert (found.width, found.size, found.licence) == (384, (518, 518), "apache-2.0")
    assert Absent().describe("any") == Encoder() and list(Absent().names()) == []


@pytest.mark.parametrize(
    ("name", "before", "after", "pools"),
    [
        ("vit_tiny_patch16_224", "patch_embed", "blocks.0", ("cls", "mean", "cls+mean")),
        ("cait_xxs24_224", "blocks.5", "norm", ("cls",)),
        ("xcit_nano_12_p16_224", "blocks.5", "norm", ("mean",)),
    ],
)
def test_tokens_without_a_class_token_are_not_pooled_as_with_one(
    name: str, before: str, after: str, pools: tuple[str, ...]
) -> None:
    for how in pools:
        with pytest.raises(
            ConfigError, match=rf"layer '{before}' gives \d+ tokens .* expected tokens .the mean of all"
        ):
            loaded(name, layer=before, pool=how)
    with pytest.raises(ConfigError, match="expected tokens"):
        loaded(name, layer=f"{before}@mean,{after}@mean")
    assert loaded(name, layer=before, pool="tokens").width == loaded(name, layer=after, pool="mean").width


def test_weights_of_another_resolution_are_said_to_be_resampled(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "smaller.safetensors"
    save_file(drawn("test_vit", img_size=128).state_dict(), file)
    for how in ({}, {"resize": 160, "crop": None}):  # of the second the size depends on the image
        caplog.clear()
        with caplog.at_level(logging.INFO, logger="frostline"):
            code = loaded("test_vit", str(file), preprocessing=how).spec.code
        assert code == f"position embeddings resampled by timm {timm.__version__}"
        assert "position embeddings are resampled by timm for" in caplog.text


def test_a_folder_has_one_key_however_its_path_is_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = loaded(f"local-dir:{folder}", "DEFAULT").spec
    monkeypatch.chdir(folder)
    assert loaded("local-dir:.", "DEFAULT").spec == wanted and wanted.name == "timm:local-dir:saved"
    assert family_of("timm:local-dir:.")[0].portable("local-dir:.") == "local-dir:saved"


def test_quantised_weights_and_those_of_a_network_with_more_are_refused(tmp_path: Path) -> None:
    model = drawn("test_vit")
    quantised = {"blocks.0.mlp.fc1.weight": torch.ones_like(model.blocks[0].mlp.fc1.weight, dtype=torch.int8)}
    with pytest.raises(ConfigError, match=r"quantised:\n  blocks.0.mlp.fc1.weight: int8 found, float32 expected"):
        loaded("test_vit", saved(model, tmp_path / "a.safetensors", **quantised))
    for name in ("blocks.0.attn.qkv.lora_A.weight", "reg_token"):
        with pytest.raises(ConfigError, match=f"(?s)weights that this network has no place for.*{name}"):
            loaded("test_vit", saved(model, tmp_path / "b.safetensors", **{name: torch.ones(1, 4, 64)}))
