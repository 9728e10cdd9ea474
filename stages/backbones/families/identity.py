"""No network at all: what is given, made one vector."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from frostline.stages.backbones.families.base import BARE_NAMES, Family, LoadedModel, check_bare
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.modalities.registry import check_taken
from frostline.stages.modalities.vector.transform import Vectors

_LAYER, _POOL = "vector", "none"


class Identity(Family):
    """``pixels``: all values of an image, in 0..1. ``vectors``: vectors as they are."""

    summary = "no network: pixels, the values of an image as they are; vectors, as they are"
    versions = ("torch", "torchvision")

    def check(self, request: BackboneRequest) -> None:
        check_bare(request, "identity")
        if request.name == "vectors" and not (request.layer in (None, _LAYER) and request.pool in (None, _POOL)):
            raise ConfigError("vectors are taken as they are; leave --layer and --pool out")

    def fingerprint(self, _request: BackboneRequest) -> list[Any]:
        return []

    def load(self, request: BackboneRequest) -> LoadedModel:
        if request.name == "vectors":
            return _vectors(request)
        from torch import nn

        return LoadedModel(nn.Sequential(OrderedDict(flatten=nn.Flatten())), "", Preprocessing(), layer="flatten")

    def names(self) -> Iterable[str]:
        return [name for name, owner in BARE_NAMES.items() if owner == "identity"]

    def trusted(self, _name: str) -> bool:
        return True

    def names_weights(self, word: str) -> bool:
        return word == "DEFAULT"

    def width(self, spec: BackboneSpec) -> int | None:
        if isinstance(spec.preprocessing, Vectors):
            return spec.preprocessing.width
        return 3 * spec.size[0] * spec.size[1] if spec.size and spec.pool in ("none", "flatten") else None


def _vectors(request: BackboneRequest) -> LoadedModel:
    check_taken(request.name, Vectors.modality, request.modality)
    how = Vectors(**request.preprocessing)
    from torch import Tensor, nn

    class AsTheyAre(nn.Module):
        def forward(self, vector: Tensor) -> Tensor:
            return vector

    return LoadedModel(AsTheyAre(), "", how, layer=_LAYER, pool=_POOL, width=how.width)


FAMILY = Identity()
