"""Folders of models that would run code, reach other files or take all memory are refused; no code in them is run."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from frostline.stages.backbones import BackboneRequest, fingerprint, load_backbone
from frostline.stages.errors import ConfigError
from support.model_folders import change_json, save_open_clip, save_processor, save_transformers

IMAGE = Image.fromarray(np.random.default_rng(3).integers(0, 256, (60, 80, 3), np.uint8))
WEIGHTS, CONFIG, PROCESSOR = "model.safetensors", "config.json", "preprocessor_config.json"
TRAP = "from pathlib import Path\nPath(__file__).with_name('sprung').touch()\nclass Evil: ...\n"
DEEP = "[" * 200_000 + "]" * 200_000
NESTED = '{"a":' * 30 + "1" + "}" * 30


def load(folder: Path, family: str = "hf:") -> np.ndarray:
    backbone = load_backbone(BackboneRequest(f"{family}{folder}"), IMAGE)
    return backbone.embed({"pixels": backbone.spec.preprocessing.item(IMAGE)["pixels"][None]})


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "vit"
    save_transformers(folder, "vit")
    return folder


@pytest.fixture
def model(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "model"))


def code(folder: Path) -> None:
    (folder / "evil.py").write_text(TRAP)
    change_json(folder / CONFIG, {"auto_map": {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}})


def code_of_another_kind(folder: Path) -> None:
    code(folder)
    change_json(folder / CONFIG, {"model_type": "evil"})


def code_of_the_processor(folder: Path) -> None:
    (folder / "evil.py").write_text(TRAP)
    changes = {"auto_map": {"AutoImageProcessor": "evil.Evil"}, "image_processor_type": "Evil"}
    change_json(folder / PROCESSOR, changes)


def code_of_a_part(folder: Path) -> None:
    (folder / "evil.py").write_text(TRAP)
    change_json(folder / CONFIG, {"vision_config": [{"auto_map": {"AutoConfig": "evil.Evil"}}]})


def linked(name: str, target: str) -> Callable[[Path], None]:
    def link(folder: Path) -> None:
        secret = folder.parent / target
        if not secret.exists():
            shutil.move(folder / name, secret)
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(secret)

    return link


def shard_elsewhere(name: str) -> Callable[[Path], None]:
    def index(folder: Path) -> None:
        shutil.move(folder / WEIGHTS, folder.parent / "other.safetensors")
        (folder / "linked.safetensors").symlink_to(folder.parent / "other.safetensors")
        tensors = load_file(folder.parent / "other.safetensors")
        (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": dict.fromkeys(tensors, name)}))

    return index


def pickled(folder: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (folder / "sprung",)

    (folder / WEIGHTS).unlink()
    torch.save({"weight": Trap()}, folder / "pytorch_model.bin")


def of_timm(**changes: Any) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        said = {"architecture": "resnet10t", "num_classes": 0, "pretrained_cfg": {"input_size": [3, 32, 32]}, **changes}
        (folder / CONFIG).write_text(json.dumps(said))

    return write


TRAPS: dict[str, tuple[Callable[[Path], None], str]] = {
    "code for the model": (code, "code that is stored with the weights"),
    "code for a kind of its own": (code_of_another_kind, "code that is stored with the weights"),
    "code for the processor": (code_of_the_processor, "code that is stored with the weights"),
    "code for a part": (code_of_a_part, "code that is stored with the weights"),
    "quantised weights": (
        lambda folder: change_json(folder / CONFIG, {"quantization_config": {"quant_method": "awq"}}),
        "quantised weights",
    ),
    "a kind of model that is none": (
        lambda folder: change_json(folder / CONFIG, {"model_type": "../vit"}),
        "unknown kind of model",
    ),
    "weights by a link": (linked(WEIGHTS, "secret"), "expected a (file|folder) inside"),
    "a configuration by a link": (linked(CONFIG, "secret"), "expected a (file|folder) inside"),
    "a processor by a link": (linked(PROCESSOR, "secret"), "expected a (file|folder) inside"),
    "a shard by a path": (shard_elsewhere("../other.safetensors"), "names files that are not next to it"),
    "a shard by a link": (shard_elsewhere("linked.safetensors"), "expected a (file|folder) inside"),
    "a shard that is missing": (shard_elsewhere("none.safetensors"), "is not in"),
    "an index of nothing": (
        lambda folder: (folder / WEIGHTS).rename(folder / "x") and (folder / f"{WEIGHTS}.index.json").write_text("{}"),
        "no model.safetensors",
    ),
    "an index that is no index": (
        lambda folder: (
            (folder / WEIGHTS).rename(folder / "x")
            and (folder / f"{WEIGHTS}.index.json").write_text('{"weight_map": 3}')
        ),
        "names files that are not next to it",
    ),
    "a pickle": (pickled, "holds more than tensors"),
    "a configuration of brackets": (lambda folder: (folder / CONFIG).write_text(DEEP), "expected"),
    "a configuration that is nested": (lambda folder: (folder / CONFIG).write_text(NESTED), "without deep nesting"),
    "a configuration that is a list": (
        lambda folder: (folder / CONFIG).write_text("[]"),
        "expected a small JSON object",
    ),
    "a configuration that is cut off": (lambda folder: (folder / CONFIG).write_text('{"model'), "expected JSON"),
    "a configuration that is a folder": (
        lambda folder: (folder / CONFIG).unlink() or (folder / CONFIG).mkdir(),
        "expected a (file|folder) inside",
    ),
    "a configuration that is a pipe": (
        lambda folder: (folder / CONFIG).unlink() or os.mkfifo(folder / CONFIG),
        "expected a (file|folder) inside",
    ),
    "values that can't be": (lambda folder: change_json(folder / CONFIG, {"hidden_size": "32"}), "can't load"),
    "a negative size": (lambda folder: change_json(folder / CONFIG, {"hidden_size": -32}), "can't load"),
    "a place for timm": (of_timm(architecture="local-dir:/etc"), "expected the name of a timm model"),
    "a repository for timm": (of_timm(architecture="hf-hub:evil/model"), "expected the name of a timm model"),
    "a file for timm": (of_timm(model_args={"checkpoint_path": "/etc/passwd"}), "and numbers as arguments"),
    "a processor of enormous images": (
        lambda folder: change_json(folder / PROCESSOR, {"size": {"height": 10**6, "width": 10**6}}),
        "is not understood",
    ),
    "a processor that enlarges without end": (
        lambda folder: change_json(
            folder / PROCESSOR,
            {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 32}, "crop_pct": 1e-9},
        ),
        "is not understood",
    ),
    "a processor of enormous images, in words of its own": (
        lambda folder: change_json(
            folder / PROCESSOR,
            {"image_processor_type": "LevitImageProcessor", "size": {"shortest_edge": 10**6}, "limit": [{"x": 1e300}]},
        ),
        "is not understood",
    ),
    "a processor that gives no image": (
        lambda folder: change_json(folder / PROCESSOR, {"image_processor_type": "LlavaNextImageProcessor"}),
        "expected (3, height, width)".replace("(", r"\(").replace(")", r"\)"),
    ),
    "a processor that divides by nothing": (
        lambda folder: change_json(folder / PROCESSOR, {"rescale_factor": 0}),
        "is not understood",
    ),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_a_folder_that_is_a_trap_is_refused(trap: str, model: Path) -> None:
    lay, message = TRAPS[trap]
    lay(model)
    with pytest.raises(ConfigError, match=message):
        load(model)
    assert not (model / "sprung").exists()


@pytest.mark.parametrize("trap", [name for name in TRAPS if "link" in name or "shard" in name])
def test_the_fingerprint_does_not_read_beyond_the_folder_either(trap: str, model: Path) -> None:
    TRAPS[trap][0](model)
    with pytest.raises(ConfigError):
        fingerprint(BackboneRequest(f"hf:{model}"))


def test_a_folder_that_points_to_another_model_gives_its_own(model: Path, tmp_path: Path) -> None:
    wanted = load(model)
    other = Path(shutil.copytree(model, tmp_path / "other"))
    save_file({name: tensor * 2 for name, tensor in load_file(other / WEIGHTS).items()}, other / WEIGHTS)
    (model / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(other), "peft_type": "LORA"}))
    change_json(model / CONFIG, {"_name_or_path": str(other), "transformers_weights": str(other / WEIGHTS)})
    assert np.array_equal(load(model), wanted)


def test_weights_that_nothing_takes_change_nothing(model: Path) -> None:
    wanted = load(model)
    more = {"evil.weight": torch.ones(3), "__class__": torch.ones(1), "encoder": torch.ones(1)}
    save_file({**load_file(model / WEIGHTS), **more}, model / WEIGHTS)
    assert np.array_equal(load(model), wanted)


def test_a_snapshot_may_link_within_its_repository_and_not_out_of_it(saved: Path, tmp_path: Path) -> None:
    repository = tmp_path / "models--org--small"
    snapshot = repository / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    shutil.copytree(saved, repository / "blobs")
    for file in saved.iterdir():
        (snapshot / file.name).symlink_to(f"../../blobs/{file.name}")
    assert np.array_equal(load(snapshot), load(saved))
    (snapshot / WEIGHTS).unlink()
    (snapshot / WEIGHTS).symlink_to(saved / WEIGHTS)
    with pytest.raises(ConfigError, match=r"expected a (file|folder) inside"):
        load(snapshot)


@pytest.mark.parametrize("name", ["open_clip_config.json", "open_clip_model.safetensors"])
def test_a_folder_of_open_clip_reaches_no_other_file(name: str, tmp_path: Path) -> None:
    save_open_clip(tmp_path / "model", "vit")
    linked(name, "secret")(tmp_path / "model")
    with pytest.raises(ConfigError, match=r"expected a (file|folder) inside"):
        load(tmp_path / "model", "open_clip:local-dir:")


def save_timm(folder: Path) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        timm.models.save_for_hf(timm.create_model("test_vit"), folder, safe_serialization=True)


def with_more_tensors(file: Path) -> None:
    more = {"evil.weight": torch.ones(3), "__class__": torch.ones(1), "../visual.proj": torch.ones(1)}
    save_file({**load_file(file), **more}, file)


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_folder_of_timm_reaches_no_other_file(name: str, tmp_path: Path) -> None:
    save_timm(tmp_path / "model")
    linked(name, "secret")(tmp_path / "model")
    with pytest.raises(ConfigError, match=r"expected a (file|folder) inside"):
        load(tmp_path / "model", "timm:local-dir:")
    with pytest.raises(ConfigError, match=r"expected a (file|folder) inside"):
        fingerprint(BackboneRequest(f"timm:local-dir:{tmp_path / 'model'}"))


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "local-dir:/etc"},
        {"architecture": "hf-hub:evil/model"},
        {"architecture": "evil.Evil"},
        {"model_args": {"checkpoint_path": "/etc/passwd"}},
        {"model_args": {"pretrained_cfg": {"file": "/etc/passwd"}}},
    ],
    ids=str,
)
def test_a_configuration_of_timm_that_reaches_for_more_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    save_timm(tmp_path / "model")
    change_json(tmp_path / "model" / CONFIG, changes)
    with pytest.raises(ConfigError, match="does not describe a model of timm"):
        load(tmp_path / "model", "timm:local-dir:")


def test_code_beside_a_model_of_timm_is_not_run(tmp_path: Path) -> None:
    save_timm(tmp_path / "model")
    wanted = load(tmp_path / "model", "timm:local-dir:")
    code(tmp_path / "model")
    change_json(tmp_path / "model" / CONFIG, {"custom_load": True, "pretrained_cfg": {"custom_load": True}})
    load(tmp_path / "model", "timm:local-dir:")
    assert wanted.size and not (tmp_path / "model" / "sprung").exists()


def test_tensors_that_nothing_takes_change_nothing_for_timm_and_open_clip(tmp_path: Path) -> None:
    save_timm(tmp_path / "timm")
    save_open_clip(tmp_path / "clip", "vit")
    for folder, family, file in (("timm", "timm:", WEIGHTS), ("clip", "open_clip:", "open_clip_model.safetensors")):
        wanted = load(tmp_path / folder, f"{family}local-dir:")
        with_more_tensors(tmp_path / folder / file)
        assert np.array_equal(load(tmp_path / folder, f"{family}local-dir:"), wanted)


@pytest.mark.parametrize(
    "part",
    [
        {"text_cfg": {"hf_model_name": "evil/model", "hf_model_pretrained": True}},
        {"vision_cfg": {"timm_model_name": "hf-hub:evil/model", "image_size": 32}},
        {"vision_cfg": {"timm_model_name": "local-dir:/etc", "image_size": 32}},
    ],
    ids=str,
)
def test_a_configuration_of_open_clip_reaches_for_nothing(part: dict[str, Any], tmp_path: Path) -> None:
    save_open_clip(tmp_path, "vit")
    wanted = load(tmp_path, "open_clip:local-dir:")
    file = tmp_path / "open_clip_config.json"
    change_json(file, {"model_cfg": {**json.loads(file.read_text())["model_cfg"], **part}})
    if "text_cfg" in part:  # the tower of texts is not built of it
        assert np.array_equal(load(tmp_path, "open_clip:local-dir:"), wanted)
        return
    with pytest.raises(ConfigError, match="expected the name of a timm model"):
        load(tmp_path, "open_clip:local-dir:")


def test_a_preprocessing_of_open_clip_that_is_none_is_refused(tmp_path: Path) -> None:
    save_open_clip(tmp_path, "vit")
    change_json(tmp_path / "open_clip_config.json", {"preprocess_cfg": {"mean": "grey", "std": [1, 1, 1]}})
    with pytest.raises(ConfigError, match="is not understood"):
        load(tmp_path, "open_clip:local-dir:")


def test_a_processor_alone_is_no_model(tmp_path: Path) -> None:
    save_processor(tmp_path, "ViT")
    with pytest.raises(ConfigError, match=r"no config\.json"):
        load(tmp_path)
