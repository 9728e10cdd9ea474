"""The network that ships inside the package."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from frostline.stages.backbones.families.base import BARE_NAMES, Encoder, Family, LoadedModel, check_bare
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.records.sealed import file_digest

_FILES = [Path(__file__).parent / "resnet8" / name for name in ("model.py", "weights.safetensors")]
_LICENCE = "apache-2.0"


class Shipped(Family):
    """``resnet8-cifar10``: see the card next to its weights."""

    summary = "included with Frostline: resnet8-cifar10, a small network trained on CIFAR-10"
    versions = ("torch", "torchvision")
    takes = IMAGE

    def check(self, request: BackboneRequest) -> None:
        check_bare(request, "shipped")

    def fingerprint(self, _request: BackboneRequest) -> list[Any]:
        return [file_digest(path) for path in _FILES]

    def load(self, _request: BackboneRequest) -> LoadedModel:
        from frostline.stages.backbones.checkpoints.read import load_weights, read_checkpoint
        from frostline.stages.backbones.families.resnet8 import MEAN, STD, WEIGHTS, ResNet8

        model = ResNet8()
        load_weights(model, read_checkpoint(WEIGHTS), WEIGHTS)
        how = Preprocessing((32, 32), None, "bilinear", MEAN, STD)
        return LoadedModel(model, file_digest(WEIGHTS), how, width=128)

    def names(self) -> Iterable[str]:
        return [name for name, owner in BARE_NAMES.items() if owner == "shipped"]

    def describe(self, _name: str) -> Encoder:
        return Encoder(128, (32, 32), _LICENCE, here=True)

    def trusted(self, _name: str) -> bool:
        return True

    def names_weights(self, word: str) -> bool:
        return word == "DEFAULT"


FAMILY = Shipped()
