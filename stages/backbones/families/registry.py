"""Where a network comes from: the shipped one, torchvision's, one's own, or plain pixels."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from frostline.stages.backbones.checkpoints.read import load_weights, read_checkpoint, state_digest
from frostline.stages.backbones.families.base import Origin
from frostline.stages.backbones.families.user_code import made_by_factory
from frostline.stages.backbones.request import PIXELS, SHIPPED, BackboneRequest
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.records.sealed import file_digest
from frostline.stages.user_code.locate import code_digest


def build(request: BackboneRequest) -> Origin:
    """Return the network that a request names. Raises ConfigError."""
    if request.is_factory:
        return _own(request)
    if request.name in (SHIPPED, PIXELS):
        if request.weights != "DEFAULT":
            raise ConfigError(f"weights {request.weights!r} for {request.name}, which takes none; leave --weights out")
        return _shipped() if request.name == SHIPPED else _pixels()
    from frostline.stages.backbones.families.torchvision import from_torchvision

    return from_torchvision(request)


def _shipped() -> Origin:
    from frostline.stages.backbones.families.resnet8 import MEAN, STD, WEIGHTS, ResNet8

    model = ResNet8()
    load_weights(model, read_checkpoint(WEIGHTS), WEIGHTS)
    return Origin(model, file_digest(WEIGHTS), Preprocessing((32, 32), None, "bilinear", MEAN, STD))


def _pixels() -> Origin:
    return Origin(nn.Sequential(OrderedDict(flatten=nn.Flatten())), "", Preprocessing(), layer="flatten")


def _own(request: BackboneRequest) -> Origin:
    file = request.weights_file
    if file is None and request.weights not in ("random", "factory"):
        raise ConfigError(
            f"weights {request.weights!r} for {request.name}; wanted a file (--weights FILE), "
            "or `factory` to keep the weights that the factory returns"
        )
    model = made_by_factory(request.name)
    if file is not None:
        load_weights(model, read_checkpoint(file), file)
    weights = file_digest(file) if file else state_digest(model)
    return Origin(model, weights, Preprocessing(), code_digest(request.name))
