"""f(x) of texts, recordings and all else that is no image: a family's module, called with named tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.backbones.families.registry import spec_name
from frostline.stages.backbones.inference.frozen import AnyBackbone, blamed
from frostline.stages.backbones.inference.steadiness import check_steady
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import BackboneSpec, Precision
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.base import Arrays, NoisyTransform, Sample, Transform
from frostline.stages.modalities.items import stacked


class ItemBackbone(AnyBackbone):
    """A network that is called with a batch's tensors by name, and gives features, (batch, d)."""

    def features(self, given: Mapping[str, Tensor]) -> Tensor:
        """Return the features, float32 (batch, d); arrays of floats go in in the network's precision."""
        cast = {name: one.to(self.dtype) if one.is_floating_point() else one for name, one in given.items()}
        features: Tensor = self.network(**cast)
        return features.float()

    def raw(self, _sample: Sample) -> None:
        return None

    def trial(self) -> Arrays:
        return noise_for(self.spec.preprocessing, 2)

    def _with(self, network: nn.Module, precision: Precision) -> ItemBackbone:
        known = (self.width, precision, str(self.device), self.given, self.licence)
        return ItemBackbone(self.spec, network, *known)


def noise_for(how: Transform[Any], n: int) -> Arrays:
    """Return a batch of n items of no sample, as a transform of another modality than the image's makes them."""
    noisy = cast(NoisyTransform[Any], how)
    return stacked(noisy.noise(n))


def of_items(
    request: BackboneRequest, loaded: LoadedModel, *, precision: Precision, device: str, allow_unsteady: bool
) -> ItemBackbone:
    """Return the backbone of a network that its family has resolved.

    Raises ConfigError: the family does not say what it resolved to, or the network gives something else on noise; a
    precision that it can't run in; unless ``allow_unsteady``, features that change from pass to pass or with the batch.
    """
    spec = _spec(request, loaded)
    noise = noise_for(spec.preprocessing, 4)
    network = loaded.module.eval().requires_grad_(False).float()
    width = loaded.width or 0
    with blamed(f"{request.name} can't run in {precision} on {device}", "see --precision, --device"):
        backbone = ItemBackbone(spec, network, width, precision, device, (width,), loaded.licence)
        found = backbone.embed(noise)
        if found.shape != (4, width):
            raise ConfigError(f"{request.name} gives {found.shape} for 4 samples; its family says (4, {width})")
        if not allow_unsteady:
            names = [f"noise {i}" for i in range(1, 5)]
            check_steady(request.name, backbone.embed, noise, names, precision, "sample")
    return backbone


def _spec(request: BackboneRequest, loaded: LoadedModel) -> BackboneSpec:
    if not (loaded.layer and loaded.pool and loaded.width):
        said = f"layer {loaded.layer!r}, pool {loaded.pool!r}, width {loaded.width!r}"
        raise ConfigError(
            f"the family of {request.name} says {said}; expected all three of other networks than images'"
        )
    name = spec_name(request.name, loaded.name)
    return BackboneSpec(name, loaded.code, loaded.weights, loaded.layer, loaded.pool, loaded.preprocessing)
