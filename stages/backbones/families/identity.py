"""No network at all: what is given, made one vector."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from frostline.stages.backbones.families.base import BARE_NAMES, Family, LoadedModel, check_bare
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.modalities.image.spec import Preprocessing


class Identity(Family):
    """``pixels``: all values of an image, in 0..1."""

    summary = "no network: pixels, the values of an image as they are"
    versions = ("torch", "torchvision")

    def check(self, request: BackboneRequest) -> None:
        check_bare(request, "identity")

    def fingerprint(self, _request: BackboneRequest) -> list[Any]:
        return []

    def load(self, _request: BackboneRequest) -> LoadedModel:
        from torch import nn

        return LoadedModel(nn.Sequential(OrderedDict(flatten=nn.Flatten())), "", Preprocessing(), layer="flatten")

    def names(self) -> Iterable[str]:
        return [name for name, owner in BARE_NAMES.items() if owner == "identity"]

    def trusted(self, _name: str) -> bool:
        return True

    def names_weights(self, word: str) -> bool:
        return word == "DEFAULT"

    def width(self, spec: BackboneSpec) -> int | None:
        return 3 * spec.size[0] * spec.size[1] if spec.size and spec.pool in ("none", "flatten") else None


FAMILY = Identity()
