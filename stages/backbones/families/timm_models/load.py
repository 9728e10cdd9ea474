"""timm's models, with weights that are read here and loaded as timm loads them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import timm
import torch
from timm.data import create_transform, resolve_data_config
from timm.models import get_pretrained_cfg, is_model
from timm.models._hub import load_model_config_from_path
from torch import nn

from frostline.stages.backbones.checkpoints.read import read_checkpoint, state_digest
from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.backbones.families.resolution import at_resolution, check_patches, image_size
from frostline.stages.backbones.families.timm_models.folder import LOCAL, local_files, portable_name
from frostline.stages.backbones.families.timm_models.names import check_name, has_class_token, width_of
from frostline.stages.backbones.families.timm_models.plain_layers import with_plain_layers
from frostline.stages.backbones.families.timm_models.preprocessing import translated
from frostline.stages.backbones.families.timm_models.weights import check_fit, published_file, weights_given
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.errors import ConfigError, FrostlineError, shortened
from frostline.stages.modalities.image.spec import LibraryTransform, Preprocessing
from frostline.stages.records.sealed import canonical_json, file_digest

log = logging.getLogger("frostline")
_NOT_ARGUMENTS = {"pretrained", "checkpoint_path", "cache_dir", "pretrained_cfg", "pretrained_cfg_overlay"}


@dataclass(frozen=True)
class _Model:
    """What a name means to timm: an architecture, how it is configured, and which tag's or folder's weights."""

    name: str
    architecture: str
    cfg: dict[str, Any]
    arguments: dict[str, Any] = field(default_factory=dict)
    code: str = ""
    weights: Path | None = None


def from_timm(request: BackboneRequest) -> LoadedModel:
    """Return a model of timm's without its classifier: its output is timm's own feature.

    It is built with the classifier, which then is taken off: built without one, some draw random weights in its place.
    Raises ConfigError: unknown names; weights that can't be had, or lack anything but the classifier; a size that the
    model can't take.
    """
    wanted = _resolved(request.name)
    file = request.weights_file or (_default_file(wanted) if request.weights == "DEFAULT" else None)
    own, transform = _prepared(wanted)
    how = at_resolution(own, request.preprocessing)
    size = image_size(how, request.preprocessing)
    model, resampled = _built(wanted, file, request.weights_part, _size_arguments(wanted, size))
    _check_size(wanted, model, size)
    weights = request.weights_digest or (file_digest(file) if file else state_digest(model))
    with_plain_layers(model, size)
    return LoadedModel(
        model,
        weights,
        how,
        code=_code(wanted, model, resampled, size),
        layer="output",
        width=width_of(model),
        name=wanted.name if request.weights == "DEFAULT" else "",
        licence=str(wanted.cfg.get("license") or "") if file and not request.weights_file else "",
        prefix_tokens=getattr(model, "num_prefix_tokens", None),
        class_token=has_class_token(model),
        own_transform=transform,
    )


def _resolved(name: str) -> _Model:
    if not name.startswith(LOCAL):
        check_name(name)
        cfg = get_pretrained_cfg(name).to_dict()
        architecture = name.partition(".")[0]
        return _Model(f"{architecture}.{cfg['tag']}" if cfg.get("tag") else architecture, architecture, cfg)
    config, weights = local_files(name)
    try:
        cfg, architecture, arguments = load_model_config_from_path(config.parent)
        code = canonical_json([architecture, arguments]).decode()
    except Exception as error:  # anyone's JSON
        raise ConfigError(f"{config} does not describe a model of timm ({type(error).__name__}: {error})") from error
    if not is_model(str(architecture)) or set(arguments) & _NOT_ARGUMENTS:
        raise ConfigError(f"{config} does not describe a model of timm: {shortened(code)}; expected an architecture")
    return _Model(portable_name(name), architecture, _full(cfg), arguments, code, weights)


def _full(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """Return a folder's configuration with what it leaves out, and without where its weights are."""
    known = {n: v for n, v in cfg.items() if n in timm.models.PretrainedCfg.__dataclass_fields__}
    return cast(dict[str, Any], timm.models.PretrainedCfg(**known).to_dict(remove_source=True))


def _default_file(wanted: _Model) -> Path:
    return wanted.weights or published_file(wanted.name, wanted.cfg)


def _prepared(wanted: _Model) -> tuple[Preprocessing, LibraryTransform]:
    """Return a model's preprocessing, as ours and as timm's own."""
    try:
        data = resolve_data_config(pretrained_cfg=wanted.cfg)
        how = translated(f"timm:{wanted.name}", data)
        own = create_transform(**data, is_training=False)
        return how, LibraryTransform(f"timm {timm.__version__}", canonical_json(data).decode(), own)
    except (TypeError, ValueError, KeyError, ArithmeticError) as error:  # a folder's configuration may be anyone's
        found = f"{type(error).__name__}: {shortened(str(error))}"
        raise ConfigError(f"timm:{wanted.name} has preprocessing that can't be understood ({found})") from error


def _size_arguments(wanted: _Model, size: tuple[int, int] | None) -> dict[str, Any]:
    """Return what has a model of a fixed size built for another."""
    is_fixed = wanted.cfg.get("fixed_input_size") or "img_size" in wanted.arguments
    return {"img_size": size} if size and _is_other(wanted, size) and is_fixed else {}


def _is_other(wanted: _Model, size: tuple[int, int]) -> bool:
    return size != tuple(wanted.cfg["input_size"][1:])


def _built(wanted: _Model, file: Path | None, part: str, more: Mapping[str, Any]) -> tuple[nn.Module, list[str]]:
    """Return the network without its classifier, and the names of tensors that are not a file's own but resampled."""
    tensors = read_checkpoint(file, part) if file else {}
    try:
        with torch.random.fork_rng(devices=[]), weights_given(tensors, file) if file else nullcontext() as fit:
            torch.manual_seed(0)
            how = {**wanted.arguments, **more}
            model: Any = timm.create_model(wanted.architecture, file is not None, wanted.cfg, **how)
            model.reset_classifier(0)
    except FrostlineError:
        raise
    except Exception as error:
        raise ConfigError(
            f"timm can't build {wanted.name} {'from ' + str(file) if file else ''} with {dict(more)} "
            f"({type(error).__name__}: {shortened(str(error))}); see --weights, --resize"
        ) from error
    if fit is None or file is None:
        return model, []
    check_fit(model, fit, file)
    return model, [*fit.resampled, *more]


def _check_size(wanted: _Model, model: nn.Module, size: tuple[int, int] | None) -> None:
    """Raise ConfigError for a size that would leave pixels at the edges out of every patch."""
    patch = getattr(getattr(model, "patch_embed", None), "patch_size", None)
    if size and patch and _is_other(wanted, size):
        check_patches(f"timm:{wanted.name}", size, (patch, patch) if isinstance(patch, int) else tuple(patch))


def _code(wanted: _Model, model: nn.Module, resampled: list[str], size: tuple[int, int] | None) -> str:
    """Return what else than the weights makes the numbers: a folder's arguments, and who resampled for another size."""
    is_other = size is not None and _is_other(wanted, size)
    in_each_pass = (
        is_other and getattr(model, "dynamic_img_size", False) and getattr(model, "pos_embed", None) is not None
    )
    if not (resampled or in_each_pass):
        return wanted.code
    height, width = wanted.cfg["input_size"][1:]
    log.info(
        "timm:%s was trained on %d × %d pixels; its position embeddings are resampled by timm for %s",
        *(wanted.name, height, width, f"{size[0]} × {size[1]}" if size else "other images"),
    )
    return f"{wanted.code} position embeddings resampled by timm {timm.__version__}".strip()
