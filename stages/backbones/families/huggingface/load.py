"""A folder's model as a backbone: with its weights, its preprocessing, and the feature that it is known by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn
from transformers import AutoImageProcessor, PreTrainedModel

from frostline.stages.backbones.checkpoints.read import state_digest
from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.backbones.families.huggingface.download import download
from frostline.stages.backbones.families.huggingface.folder import (
    ModelFolder,
    cached,
    config_digest,
    find_folder,
    weights_digest,
)
from frostline.stages.backbones.families.huggingface.models import (
    Filled,
    build,
    check_configuration,
    fill,
    said_by_transformers,
)
from frostline.stages.backbones.families.huggingface.preprocessing import own_transform, swaps_channels, translated
from frostline.stages.backbones.families.huggingface.vision import (
    Tower,
    ask_of,
    is_two_towers,
    pooled,
    prefix_tokens,
)
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import OUTPUT
from frostline.stages.errors import ConfigError, listing
from frostline.stages.modalities.image.spec import Preprocessing

PROJECTION = "projection"
_NEEDED = ("mean", "std")  # of the user, where no processor says them
_FILES = ("*.json", "*.safetensors", "README.md")


def from_folder(request: BackboneRequest) -> LoadedModel:
    """Return the model that a request names. Raises ConfigError: see ``Family.load``."""
    folder = find_folder(request.name) or _downloaded(request.name)
    filled, weights = _filled(folder, request)
    processor = _processor(folder, request)
    said: Mapping[str, Any] = processor.to_dict() if processor else {}
    swapped = swaps_channels(said)
    module, layer = _module(folder, filled, request, swapped=swapped)
    return LoadedModel(
        module,
        weights,
        translated(folder.name, said) if processor else Preprocessing(),
        code=f"configuration {config_digest(folder.config())[:16]}{', BGR' if swapped else ''}",
        layer=layer,
        licence=folder.licence() or str(folder.config().get("pretrained_cfg", {}).get("license") or ""),
        prefix_tokens=prefix_tokens(module),
        own_transform=own_transform(processor, swapped=swapped) if processor else None,
    )


def _downloaded(name: str) -> ModelFolder:
    download(name, _FILES, "give a folder: hf:FOLDER")
    folder = cached(name)
    if folder is None:
        raise ConfigError(f"hf:{name} has no config.json with model.safetensors beside it; choose another model")
    return folder


def _filled(folder: ModelFolder, request: BackboneRequest) -> tuple[Filled, str]:
    """Return a model with weights and their digest."""
    if request.weights == "random":
        model = build(folder)
        return Filled(model), state_digest(model)
    files = [request.weights_file] if request.weights_file else folder.weights()
    if not files:
        raise ConfigError(
            f"{folder.name}: no model.safetensors in {folder.path}; name the weights with --weights FILE, or take random"
        )
    return fill(folder, files), weights_digest(files)


def _module(folder: ModelFolder, filled: Filled, request: BackboneRequest, *, swapped: bool) -> tuple[nn.Module, str]:
    """Return what is called, and its default layer."""
    tokens = request.layer in (None, OUTPUT) and request.pool not in (None, "none")
    if filled.pooler_missing and request.layer is None and not tokens:
        raise ConfigError(
            f"{folder.name}: the weights of its pooling layer are in no file, and would be random; choose --pool cls, "
            f"mean or cls+mean, or a --layer. Missing:\n{listing(filled.pooler_missing)}"
        )
    module = _called(folder, filled.model, tokens=tokens, swapped=swapped)
    projection = getattr(module, PROJECTION, None)
    if request.layer in (PROJECTION, f"{PROJECTION}:input") and projection is None:
        raise ConfigError(f"{folder.name} has no projection; leave --layer {request.layer} out")
    return module, f"{PROJECTION}:input" if projection is not None and not tokens else OUTPUT


def _called(folder: ModelFolder, model: PreTrainedModel, *, tokens: bool, swapped: bool) -> nn.Module:
    if is_two_towers(model):
        tower: Any = model.vision_model
        return Tower(tower, getattr(model, "visual_projection", None), ask_of(tower, tokens=tokens, swapped=swapped))
    if model.main_input_name != "pixel_values":
        raise ConfigError(
            f"{folder.name} is a {type(model).__name__}, which takes {model.main_input_name}; wanted a model of images"
        )
    return pooled(model, ask_of(model, tokens=tokens, swapped=swapped))


def _processor(folder: ModelFolder, request: BackboneRequest) -> Any:
    """Return the image processor of a folder; None if it has none and the user says what it would."""
    said = folder.processor()
    check_configuration(folder, said)
    if said is None and "pretrained_cfg" not in folder.config():  # timm's configuration says both
        if all(name in request.preprocessing for name in _NEEDED):
            return None
        raise ConfigError(
            f"{folder.name}: no preprocessor_config.json in {folder.path}; say it yourself: --resize, --crop, --mean, --std"
        )
    with said_by_transformers(folder):
        return AutoImageProcessor.from_pretrained(
            folder.path, backend="pil", local_files_only=True, trust_remote_code=False
        )
