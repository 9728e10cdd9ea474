"""No network at all: what is given, made one vector."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any

from frostline.stages.backbones.families.base import BARE_NAMES, Family, LoadedModel, check_bare
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import OUTPUT, BackboneSpec
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.audio.spectrum import MeanSpectrum
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.modalities.registry import check_taken
from frostline.stages.modalities.vector.transform import Vectors

_LAYERS, _POOL = {"vectors": "vector", "spectrum": OUTPUT}, "none"


class Identity(Family):
    """``pixels``: all values of an image, in 0..1. ``vectors``: vectors as they are.

    ``spectrum``: the mean log-mel spectrum of a recording.
    """

    summary = "no network: pixels or vectors unchanged; spectrum: the mean log-mel spectrum of a recording"
    versions = ("torch", "torchvision")

    def check(self, request: BackboneRequest) -> None:
        check_bare(request, "identity")
        layer = _LAYERS.get(request.name)
        if layer and not (request.layer in (None, layer) and request.pool in (None, _POOL)):
            raise ConfigError(f"{request.name} has no layers and no pooling; leave --layer and --pool out")
        if request.name == "spectrum" and any(one is not None for one in request.preprocessing.values()):
            named = ", ".join(request.preprocessing)
            raise ConfigError(f"{named} with spectrum, which always uses whole recordings; leave it out")

    def fingerprint(self, _request: BackboneRequest) -> list[Any]:
        return []

    def load(self, request: BackboneRequest) -> LoadedModel:
        if request.name == "vectors":
            check_taken(request.name, Vectors.modality, request.modality)  # others know no width
            vectors = Vectors(**request.preprocessing)
            return _given(request, vectors, vectors.width)
        if request.name == "spectrum":
            spectrum = MeanSpectrum()
            return _given(request, spectrum, spectrum.bands)
        from torch import nn

        return LoadedModel(nn.Sequential(OrderedDict(flatten=nn.Flatten())), "", Preprocessing(), layer="flatten")

    def taken_by(self, name: str) -> str:
        return {"vectors": Vectors.modality, "spectrum": MeanSpectrum.modality}.get(name, Preprocessing.modality)

    def names(self) -> Iterable[str]:
        return [name for name, owner in BARE_NAMES.items() if owner == "identity"]

    def trusted(self, _name: str) -> bool:
        return True

    def names_weights(self, word: str) -> bool:
        return word == "DEFAULT"

    def width(self, spec: BackboneSpec) -> int | None:
        if isinstance(spec.preprocessing, Vectors):
            return spec.preprocessing.width
        if isinstance(spec.preprocessing, MeanSpectrum):
            return spec.preprocessing.bands
        return 3 * spec.size[0] * spec.size[1] if spec.size and spec.pool in ("none", "flatten") else None


def _given(request: BackboneRequest, how: Vectors | MeanSpectrum, width: int) -> LoadedModel:
    """Return a network that gives the one array of items as it is."""
    check_taken(request.name, how.modality, request.modality)
    from torch import Tensor, nn

    class AsTheyAre(nn.Module):
        def forward(self, **given: Tensor) -> Tensor:
            (array,) = given.values()
            return array

    return LoadedModel(AsTheyAre(), "", how, layer=_LAYERS[request.name], pool=_POOL, width=width)


FAMILY = Identity()
