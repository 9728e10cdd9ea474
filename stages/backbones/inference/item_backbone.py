"""f(x) of texts, recordings and all else that is no image: a family's module, called with named tensors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.backbones.families.registry import spec_name
from frostline.stages.backbones.inference.frozen import AnyBackbone, blamed, on_device
from frostline.stages.backbones.inference.steadiness import check_steady
from frostline.stages.backbones.optimize import packed
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import BackboneSpec, Optimize, Precision
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.base import Arrays, NoisyTransform, Sample, Transform, TriedTransform
from frostline.stages.modalities.items import stacked, taken

_FEWER = (1, 3)  # rows, of those that a network is tried with


class ItemBackbone(AnyBackbone):
    """A network that is called with a batch's tensors by name, and gives features, (batch, d)."""

    def features(self, given: Mapping[str, Tensor]) -> Tensor:
        """Return the features, float32 (batch, d); arrays of floats go in in the network's precision."""
        return _features(given, self.dtype, self.network)

    @cached_property
    def any_rows(self) -> bool:
        """Whether noise has the same bits in a batch and with fewer rows, so that none is filled up.

        Tried on a CPU, in as many threads as torch has then, for transforms that have ``trials``.
        """
        how = self.spec.preprocessing
        tried = self.device.type == "cpu" and isinstance(how, TriedTransform)
        return tried and all(self._is_alike(stacked(items)) for items in cast(TriedTransform, how).trials())

    def _is_alike(self, batch: Arrays) -> bool:
        whole = self.embed(batch)
        return all(np.array_equal(self.embed(taken(batch, slice(n))), whole[:n]) for n in _FEWER if n < len(whole))

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
    request: BackboneRequest,
    loaded: LoadedModel,
    precision: Precision,
    device: str,
    *,
    optimize: Optimize = "auto",
    allow_unsteady: bool,
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
        if optimize == "auto" and device == "cpu":
            network = _faster(network, noise)
        backbone = ItemBackbone(spec, network, width, precision, device, (width,), loaded.licence)
        found = backbone.embed(noise)
        if found.shape != (4, width):
            raise ConfigError(
                f"{request.name} gives {found.shape} for 4 samples; expected (4, {width}), as its family declares"
            )
        if not allow_unsteady:
            names = [f"noise {i}" for i in range(1, 5)]
            check_steady(request.name, backbone.embed, noise, names, precision, "sample")
    return backbone


def _features(given: Mapping[str, Tensor], dtype: torch.dtype, network: nn.Module) -> Tensor:
    cast = {name: one.to(dtype) if one.is_floating_point() else one for name, one in given.items()}
    features: Tensor = network(**cast)
    return features.float()


@torch.inference_mode()
def _faster(network: nn.Module, noise: Arrays) -> nn.Module:
    given = on_device(noise, torch.device("cpu"))
    return packed(network, partial(_features, given, torch.float32))


def _spec(request: BackboneRequest, loaded: LoadedModel) -> BackboneSpec:
    if not (loaded.layer and loaded.pool and loaded.width):
        said = f"layer {loaded.layer!r}, pool {loaded.pool!r}, width {loaded.width!r}"
        raise ConfigError(
            f"the family of {request.name} returns {said}; expected all three, because the samples are not images"
        )
    name = spec_name(request.name, loaded.name)
    return BackboneSpec(name, loaded.code, loaded.weights, loaded.layer, loaded.pool, loaded.preprocessing)
