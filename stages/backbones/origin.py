"""Where a network comes from: the shipped one, torchvision's, one's own, or plain pixels."""

from __future__ import annotations

import importlib
import importlib.util
import os
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from stages.backbones.request import BackboneRequest, factory_file
from stages.backbones.weights import load_weights, read_checkpoint, state_digest
from stages.errors import ConfigError, unknown_name
from stages.specs import Interpolation, Preprocessing, file_digest


@dataclass(frozen=True)
class Origin:
    """A network with its weights loaded, and what is known of it before it is traced.

    ``weights``: the digest of their bytes. ``file``: where they were read, if from a file.
    ``layer``: the default layer, or None for the input of the final classifier.
    """

    model: nn.Module
    weights: str
    preprocessing: Preprocessing
    code: str = ""
    file: Path | None = None
    layer: str | None = None


def build(request: BackboneRequest) -> Origin:
    """Return the network that a request names, on the CPU. Raises ConfigError."""
    if request.name == "resnet8-cifar10":
        return _shipped()
    if request.name == "pixels":
        return Origin(nn.Sequential(OrderedDict(flatten=nn.Flatten())), "", Preprocessing(), layer="flatten")
    if ":" in request.name:
        return _own(request)
    return _torchvision(request)


def known_names() -> list[str]:
    """Return every name that isn't a factory."""
    import torchvision

    return ["resnet8-cifar10", "pixels", *torchvision.models.list_models(module=torchvision.models)]


def _shipped() -> Origin:
    from stages.backbones.resnet8 import MEAN, STD, WEIGHTS, ResNet8

    model = ResNet8()
    load_weights(model, read_checkpoint(WEIGHTS), WEIGHTS)
    return Origin(model, file_digest(WEIGHTS), Preprocessing((32, 32), None, "bilinear", MEAN, STD), file=WEIGHTS)


def _own(request: BackboneRequest) -> Origin:
    factory = _factory(request.name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = factory()
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{request.name}() returned a {type(model).__name__}; wanted a torch.nn.Module")
    code = file_digest(factory_file(request.name))
    if request.weights in ("random", "factory"):
        return Origin(model, state_digest(model), Preprocessing(), code)
    path = request.weights_file
    if path is None:
        raise ConfigError(
            f"weights {request.weights!r} for {request.name}; wanted a file (--weights FILE), "
            "or `factory` to keep the weights that the factory returns"
        )
    load_weights(model, read_checkpoint(path), path)
    return Origin(model, file_digest(path), Preprocessing(), code, path)


def _factory(name: str) -> Callable[[], Any]:
    place, _, attribute = name.rpartition(":")
    if place.endswith(".py"):
        path = factory_file(name)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    else:
        module = importlib.import_module(place)
    if not callable(getattr(module, attribute, None)):
        raise unknown_name(f"factory in {place}", attribute, [n for n in vars(module) if not n.startswith("_")])
    return cast(Callable[[], Any], getattr(module, attribute))


def _torchvision(request: BackboneRequest) -> Origin:
    import torchvision

    names = torchvision.models.list_models(module=torchvision.models)
    if request.name not in names:
        raise unknown_name("backbone", request.name, [*known_names(), "file.py:factory", "pkg.module:factory"])
    enum: Any = torchvision.models.get_model_weights(request.name)
    if request.weights == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = _bare(request.name)
        return Origin(model, state_digest(model), _own_preprocessing(next(iter(enum))))
    if request.weights_file is None:
        entry = _entry(enum, request)
        file = Path(torch.hub.get_dir()) / "checkpoints" / Path(entry.url).name
        return _official(request.name, entry, file, download=True)
    return _from_file(request.name, enum, request.weights_file)


def _entry(enum: Any, request: BackboneRequest) -> Any:
    names = [*enum.__members__, "DEFAULT"]
    wanted = request.weights.rpartition(".")[2]
    if wanted not in names:
        raise unknown_name(f"weights of {request.name}", request.weights, [*names, "random", "FILE"])
    return getattr(enum, wanted)


def _from_file(name: str, enum: Any, file: Path) -> Origin:
    """Load a file of weights; one with an official name is loaded as torchvision loads it."""
    for entry in enum:
        if Path(entry.url).name == file.name:
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "checkpoints").mkdir()
                (Path(folder) / "checkpoints" / file.name).symlink_to(file.absolute())
                with _hub(folder):
                    return replace(_official(name, entry, file, download=False), file=file)
    tensors = read_checkpoint(file)
    last = list(tensors.values())[-1] if tensors else torch.empty(0, 0)
    model = _bare(name, **({"num_classes": len(last)} if last.ndim == 1 else {}))
    load_weights(model, tensors, file)
    return Origin(model, file_digest(file), _own_preprocessing(next(iter(enum))), file=file)


def _official(name: str, entry: Any, file: Path, *, download: bool) -> Origin:
    import torchvision

    try:
        model = torchvision.models.get_model(name, weights=entry, progress=download)
    except OSError as error:
        raise ConfigError(
            f"can't download {entry.url} ({error}); put that file at {file}, or name it with --weights FILE"
        ) from error
    except Exception as error:  # a damaged or hostile file raises whatever its parser meets
        raise ConfigError(f"can't load the weights {file}: {error}") from error
    return Origin(model, file_digest(file), _own_preprocessing(entry), file=file)


def _bare(name: str, **arguments: Any) -> nn.Module:
    """Return a torchvision model without weights."""
    import torchvision

    if name in ("googlenet", "inception_v3"):
        arguments["init_weights"] = False  # its default takes a minute, and warns
    model: nn.Module = torchvision.models.get_model(name, weights=None, **arguments)
    return model


def _own_preprocessing(entry: Any) -> Preprocessing:
    """Return the transform that a weights entry of torchvision comes with."""
    preset = entry.transforms()
    return Preprocessing(
        preset.resize_size[0],
        preset.crop_size[0],
        cast(Interpolation, preset.interpolation.value),
        tuple(preset.mean),
        tuple(preset.std),
    )


@contextmanager
def _hub(folder: str) -> Iterator[None]:
    before = torch.hub.get_dir()
    torch.hub.set_dir(folder)
    try:
        yield
    finally:
        torch.hub.set_dir(os.fspath(before))
