"""torchvision's classification models, with weights loaded as torchvision loads them."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import WeightsEnum

from frostline.stages.backbones.checkpoints.prefixes import under_prefix
from frostline.stages.backbones.checkpoints.read import load_weights, read_checkpoint, state_digest
from frostline.stages.backbones.families.base import BARE_NAMES, Encoder, LoadedModel
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.errors import ConfigError, shortened, unknown_name
from frostline.stages.modalities.image.spec import Interpolation, Preprocessing
from frostline.stages.records.sealed import file_digest


def from_torchvision(request: BackboneRequest) -> LoadedModel:
    """Return a torchvision model by name, with the weights that are asked for.

    A file of torchvision's own, known by its name or its hash, is loaded as torchvision
    does, wherever it lies. Any other is loaded into the bare model, with as many classes as
    the file has. Raises ConfigError: unknown names, weights that can't be had or don't fit.
    """
    entries = check_names(request)
    if request.weights == "random":
        model = _bare(request.name)
        return LoadedModel(
            model, state_digest(model), _preset_for(model, entries), layer=_layer(model), prefix_tokens=_prefix(model)
        )
    file = request.weights_file
    if file is None:
        entry = _entry(entries, request)
        return _official(request.name, entry, _downloaded(entry))
    sha256 = file_digest(file)
    for entry in entries if not request.weights_part else ():
        if file.name == _file_name(entry) or sha256.startswith(_hash(entry) or "-"):
            return _official(request.name, entry, file)
    return _unofficial(request, entries, file)


def all_names() -> list[str]:
    """Return the names of torchvision's classification models."""
    names: list[str] = torchvision.models.list_models(module=torchvision.models)
    return names


def described(name: str) -> Encoder:
    """Return what is known of a model with its default weights; its width is that of a network without memory."""
    entry: Any = torchvision.models.get_model_weights(name).DEFAULT
    with torch.device("meta"):
        model = _bare(name)
    *_, last = (m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d) and m.weight.shape[0] == 1000)
    (side,) = entry.transforms().crop_size
    here = Path(torch.hub.get_dir(), "checkpoints", _file_name(entry)).is_file()
    return Encoder(int(last.weight.shape[1]), (side, side), "", here)


def check_names(request: BackboneRequest) -> Any:
    """Return the weights of a model. Raises ConfigError with the nearest names if torchvision hasn't it, or them."""
    names = all_names()
    if request.name not in names:
        raise unknown_name(
            "backbone", request.name, [*BARE_NAMES, *names, "tfidf:FILE", "file.py:factory", "pkg.module:factory"]
        )
    entries: Any = torchvision.models.get_model_weights(request.name)
    if request.weights != "random" and request.weights_file is None:
        _entry(entries, request)
    return entries


def _entry(entries: Any, request: BackboneRequest) -> Any:
    names = [*entries.__members__, "DEFAULT"]
    wanted = request.weights.removeprefix(f"{entries.__name__}.")
    if wanted not in names:
        raise unknown_name(f"weights of {request.name}", request.weights, [*names, "random", "FILE"])
    return getattr(entries, wanted)


def _downloaded(entry: Any) -> Path:
    """Return an entry's file in torch.hub's folder, downloaded if it isn't there."""
    file = Path(torch.hub.get_dir(), "checkpoints", _file_name(entry))
    if file.is_file():
        return file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(entry.url, os.fspath(file), _hash(entry), progress=sys.stderr.isatty())
    except (OSError, HTTPException, RuntimeError) as error:
        raise ConfigError(
            f"can't download {entry.url}: {error}\nPut that file at {file} (TORCH_HOME says where), "
            "or name it where it is: --weights FILE"
        ) from error
    return file


def _official(name: str, entry: Any, file: Path) -> LoadedModel:
    with _instead_of_download(read_checkpoint(file)):
        try:
            model = torchvision.models.get_model(name, weights=entry)
        except RuntimeError as error:
            raise ConfigError(f"the weights {file} don't fit {name}: {shortened(str(error), 1000)}") from error
    # The bytes don't say that the model rescales its input, so the key must
    code = "transform_input" if getattr(model, "transform_input", False) else ""
    return LoadedModel(model, file_digest(file), _preset(entry), code, _layer(model), prefix_tokens=_prefix(model))


@contextmanager
def _instead_of_download(tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """Have torchvision's builders, which know every model's quirks, take what is read already.

    Their own way of reading would run code that a checkpoint holds.
    """
    original = WeightsEnum.get_state_dict
    WeightsEnum.get_state_dict = lambda *_, **__: dict(tensors)
    try:
        yield
    finally:
        WeightsEnum.get_state_dict = original


def _unofficial(request: BackboneRequest, entries: Any, file: Path) -> LoadedModel:
    usual = _bare(request.name)
    tensors = under_prefix(usual.state_dict(), read_checkpoint(file, request.weights_part), file)
    model = _bare(request.name, tensors, usual)
    load_weights(model, tensors, file)
    return LoadedModel(
        model,
        request.weights_digest or "",
        _preset_for(model, entries),
        layer=_layer(model),
        prefix_tokens=_prefix(model),
    )


def _bare(name: str, tensors: Mapping[str, Tensor] | None = None, usual: nn.Module | None = None) -> nn.Module:
    """Return a model without weights; with the classes and heads of ``tensors``, if given.

    ``usual``: the model that is returned without them, which is taken where it has these, too.
    """
    arguments: dict[str, Any] = {}
    if name in ("googlenet", "inception_v3"):
        arguments["init_weights"] = False  # its default takes a minute, and warns
        arguments["aux_logits"] = tensors is None or any(n.lower().startswith("aux") for n in tensors)
    model = usual if arguments.get("aux_logits", True) else None
    if model is None:
        model = _built(name, arguments)
    last, own = list(model.state_dict().items())[-1]
    found = (tensors or {}).get(last, own)
    if found.shape[:1] != own.shape[:1] and found.ndim == own.ndim:
        model = _built(name, {**arguments, "num_classes": len(found)})
    return model


def _built(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: nn.Module = torchvision.models.get_model(name, weights=None, **arguments)
    return model


def _preset_for(model: nn.Module, entries: Any) -> Preprocessing:
    """Return the first preset whose size a model without official weights can take."""
    presets = [_preset(entry) for entry in entries]
    wanted = getattr(model, "image_size", presets[0].crop)
    return next(preset for preset in presets if preset.crop == wanted)


def _preset(entry: Any) -> Preprocessing:
    """Return the transform that a weights entry of torchvision comes with."""
    own = entry.transforms()
    filtering = cast(Interpolation, own.interpolation.value)
    return Preprocessing(own.resize_size[0], own.crop_size[0], filtering, tuple(own.mean), tuple(own.std))


def _layer(model: nn.Module) -> str | None:
    """Return the input of a classifier that does not make the output itself: SqueezeNet's, after which it averages."""
    return "classifier.1:input" if isinstance(model, torchvision.models.SqueezeNet) else None


def _prefix(model: nn.Module) -> int | None:
    """Return how many tokens come before those of the patches, of vision transformers: the class token."""
    return 1 if isinstance(model, torchvision.models.VisionTransformer) else None


def _file_name(entry: Any) -> str:
    name: str = entry.url.rpartition("/")[2]
    return name


def _hash(entry: Any) -> str | None:
    """Return the first digits of the SHA-256 that an official file's name ends in."""
    found = re.search(r"-([0-9a-f]{8,})\.pth$", entry.url)
    return found and found[1]
