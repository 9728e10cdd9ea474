"""A folder's model as a backbone: with its weights, its preprocessing, and the feature that it is known by."""

from __future__ import annotations

import logging
from typing import Any

import transformers
from torch import nn
from transformers import AutoImageProcessor

from frostline.stages.backbones.checkpoints.read import state_digest
from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.backbones.families.huggingface.download import download
from frostline.stages.backbones.families.huggingface.folder import (
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
from frostline.stages.backbones.families.huggingface.preprocessing import Processor, of_timm, of_transformers
from frostline.stages.backbones.families.huggingface.takes import check_takes_images
from frostline.stages.backbones.families.huggingface.vision import (
    PROJECTION,
    Ask,
    Tower,
    ask_of,
    is_two_towers,
    pooled,
    prefix_tokens,
    unwrapped,
)
from frostline.stages.backbones.families.model_folder import ModelFolder
from frostline.stages.backbones.families.resolution import at_resolution, check_patches, image_size
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import OUTPUT
from frostline.stages.errors import ConfigError, listing
from frostline.stages.modalities.audio.waveform import AUDIO
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.modalities.text.modality import TEXT

log = logging.getLogger("frostline")
_NEEDED = ("mean", "std")  # of the user, where no processor says them
FILES = ("*.json", "*.safetensors", "README.md", "vocab.txt", "merges.txt", "*.model")


def from_folder(request: BackboneRequest) -> LoadedModel:
    """Return the model that a request names. Raises ConfigError: see ``Family.load``."""
    folder = find_folder(request.name) or _downloaded(request.name)
    if request.modality == AUDIO:
        return _of_recordings(folder, request)
    if request.modality == TEXT:
        return _of_texts(folder, request)
    processor = _processor(folder, request)
    filled, weights = weighted(folder, request)
    tokens = request.layer in (None, OUTPUT) and request.pool not in (None, "none")
    _check_pooler(folder, filled, request, tokens=tokens)
    ask = ask_of(filled.model, tokens=tokens, swapped=processor.swapped)
    how = at_resolution(processor.how, request.preprocessing)
    size = image_size(how, request.preprocessing)
    module = _called(folder, filled.model, ask, size)
    return LoadedModel(
        module,
        weights,
        how,
        code=_code(folder, ask, size),
        layer=_layer(folder, module, ask, request),
        licence=folder.licence() or str(folder.config().get("pretrained_cfg", {}).get("license") or ""),
        prefix_tokens=prefix_tokens(module, size) if request.layer or request.pool else None,
        own_transform=processor.own,
    )


def _of_recordings(folder: ModelFolder, request: BackboneRequest) -> LoadedModel:
    from frostline.stages.backbones.families.huggingface.audio import check_takes_recordings, loaded_audio

    check_takes_recordings(folder)
    return loaded_audio(folder, request, *weighted(folder, request))


def _of_texts(folder: ModelFolder, request: BackboneRequest) -> LoadedModel:
    from frostline.stages.backbones.families.huggingface.text_module import TextEncoder
    from frostline.stages.backbones.families.huggingface.texts import (
        Ways,
        check_takes_texts,
        loaded_text,
        modes_of,
        tokens_of,
    )

    filled, weights = weighted(folder, request)
    check_takes_texts(folder.name, filled.model)
    how, pool = tokens_of(folder, filled.model, Ways(), request.preprocessing), str(request.pool)
    module = TextEncoder(filled.model, modes_of(folder, filled, pool))
    return loaded_text(folder, module, how, pool, weights)


def _code(folder: ModelFolder, ask: Ask, size: tuple[int, int] | None) -> str:
    """Return what else than the weights makes the numbers. Raises ConfigError for a size that patches don't fill."""
    code = f"configuration {config_digest(folder.config())[:16]}{', BGR' if ask.swapped else ''}"
    if size is None or ask.patch is None or ask.size in (None, size):
        return code
    check_patches(folder.name, size, ask.patch)
    log.info("%s: transformers adapts the position embeddings to %d × %d pixels", folder.name, *size)
    return f"{code}, positions fitted by transformers {transformers.__version__}"


def _downloaded(name: str) -> ModelFolder:
    download(name, FILES, "give a folder: hf:FOLDER")
    folder = cached(name)
    if folder is None:
        raise ConfigError(f"hf:{name} has no config.json with a model.safetensors next to it; choose another model")
    return folder


def weighted(folder: ModelFolder, request: BackboneRequest) -> tuple[Filled, str]:
    """Return a model with weights and their digest."""
    if request.weights == "random":
        model = build(folder)
        return Filled(model), state_digest(model)
    files = [request.weights_file] if request.weights_file else folder.weights()
    if not files:
        raise ConfigError(
            f"{folder.name}: no model.safetensors in {folder.path}; give the weights with --weights FILE, or use "
            "--weights random"
        )
    return fill(folder, files, request.weights_part), request.weights_digest or weights_digest(files)


def _check_pooler(folder: ModelFolder, filled: Filled, request: BackboneRequest, *, tokens: bool) -> None:
    if filled.pooler_missing and request.layer is None and not tokens:
        raise ConfigError(
            f"{folder.name}: the weights of its pooling layer are missing and would be random; choose --pool cls, "
            f"mean or cls+mean, or a --layer. Missing:\n{listing(filled.pooler_missing)}"
        )


def _layer(folder: ModelFolder, module: nn.Module, ask: Ask, request: BackboneRequest) -> str:
    """Return the default layer: of a model of images and texts what comes before the projection."""
    projected = getattr(module, PROJECTION, None) is not None
    if request.layer in (PROJECTION, f"{PROJECTION}:input") and not projected:
        raise ConfigError(f"{folder.name} has no projection; leave --layer {request.layer} out")
    return f"{PROJECTION}:input" if projected and not ask.tokens else OUTPUT


def _called(folder: ModelFolder, model: Any, ask: Ask, size: tuple[int, int] | None) -> nn.Module:
    check_takes_images(folder.name, model)
    if is_two_towers(model):
        return Tower(model.vision_model, getattr(model, "visual_projection", None), ask)
    whole = None if ask.tokens else unwrapped(model, size)
    return pooled(model, ask) if whole is None else whole


def _processor(folder: ModelFolder, request: BackboneRequest) -> Processor:
    """Return the image processor of a folder; one that does nothing if it has none and the user says what it would."""
    said, is_timm = folder.processor(), "pretrained_cfg" in folder.config()
    check_configuration(folder, said)
    if said is None and not is_timm:
        if all(name in request.preprocessing for name in _NEEDED):
            return Processor(Preprocessing())
        raise ConfigError(
            f"{folder.name}: no preprocessor_config.json in {folder.path}; give the preprocessing with --resize, "
            "--crop, --mean and --std"
        )
    with said_by_transformers(folder):
        found = AutoImageProcessor.from_pretrained(
            folder.path, backend="pil", local_files_only=True, trust_remote_code=False
        )
    return of_timm(folder.name, found) if is_timm else of_transformers(folder.name, found)
