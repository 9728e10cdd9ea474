"""The backbone that a request names, of whatever modality: that of images is cut at its layer and checked here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor, nn

from frostline.stages.backbones.checkpoints.unloaded import unloaded
from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.backbones.families.registry import load, spec_name
from frostline.stages.backbones.families.transform_check import transform_of
from frostline.stages.backbones.inference.backbone import Backbone, scaling, to_input
from frostline.stages.backbones.inference.frozen import AnyBackbone, blamed
from frostline.stages.backbones.inference.item_backbone import ItemBackbone, of_items
from frostline.stages.backbones.inference.on_openvino import check_openvino, on_openvino
from frostline.stages.backbones.inference.pixels import noise_like
from frostline.stages.backbones.inference.steadiness import check_steady
from frostline.stages.backbones.network.channels import size_hint
from frostline.stages.backbones.network.cut import INPUT, Cut, Trace, classifier_of, watch
from frostline.stages.backbones.network.joined import Joined, is_joined, joined
from frostline.stages.backbones.network.last_blocks import named_blocks
from frostline.stages.backbones.network.pooling import default_pool, pool
from frostline.stages.backbones.network.tokens import check_class_token, check_tokens
from frostline.stages.backbones.optimize import optimized
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import BackboneSpec, Optimize, Pooling, Precision
from frostline.stages.errors import ConfigError, unknown_name
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.image.spec import ImageTransform
from frostline.stages.modalities.registry import check_taken


@overload
def load_backbone(
    request: BackboneRequest,
    example: Image,
    *,
    precision: Precision = "fp32",
    device: str = "cpu",
    portable: bool = False,
    optimize: Optimize = "auto",
    allow_unsteady: bool = False,
) -> Backbone: ...


@overload
def load_backbone(
    request: BackboneRequest,
    example: None,
    *,
    precision: Precision = "fp32",
    device: str = "cpu",
    portable: bool = False,
    optimize: Optimize = "auto",
    allow_unsteady: bool = False,
) -> ItemBackbone: ...


def load_backbone(
    request: BackboneRequest,
    example: Image | None,
    *,
    precision: Precision = "fp32",
    device: str = "cpu",
    portable: bool = False,
    optimize: Optimize = "auto",
    allow_unsteady: bool = False,
) -> AnyBackbone:
    """Return the backbone that a request names, for samples of its modality.

    One of images is resolved for those of ``example``'s size; of others its family resolves all, and there is no
    example. The default layer is the family's own, or else the input of the final classifier, found by
    watching a forward pass over noise. ``optimize``: whether the network is made faster, or runs
    as it is written, or is run by OpenVINO; ``portable``: as a graph to be exported, without operations of this
    CPU's own, in any case. Raises ConfigError: unknown names, weights or layers that
    don't fit, another modality, an input size or a precision that the network can't take; a network, a device or a
    modality that OpenVINO is not used for; unless ``allow_unsteady``,
    features of noise that change from pass to pass or with the batch (``steadiness``).
    """
    loaded = load(request)
    check_taken(request.name, loaded.preprocessing.modality, request.modality)
    if optimize == "openvino" and not portable:
        check_openvino(request.name, request.modality, device)
    if request.modality != IMAGE:
        return of_items(request, loaded, precision, device, optimize=optimize, allow_unsteady=allow_unsteady)
    if example is None:
        raise TypeError(f"{request.name} needs an image to determine its layers; got none")
    faster = _Faster(device, portable=portable, optimize="auto" if portable else optimize)
    return _of_images(request, loaded, example, faster, precision, allow_unsteady=allow_unsteady)


@dataclass(frozen=True)
class _Faster:
    """For which device, and whether, a network is rewritten; see ``load_backbone``."""

    device: str
    portable: bool
    optimize: Optimize

    def done(self, cut: Cut | Joined, given: Tensor, batch: Tensor) -> nn.Module:
        if isinstance(cut, Cut) and self.optimize != "none":
            portable = self.portable or self.optimize == "openvino"
            return optimized(cut, given, batch, device=self.device, portable=portable)
        return cut

    def run(self, backbone: Backbone, precision: Precision, some: NDArray[Any]) -> Backbone:
        """Return what computes a backbone's features in a precision; ``some``: images to try it with."""
        return on_openvino(backbone, precision, some) if self.optimize == "openvino" else backbone


def _of_images(
    request: BackboneRequest,
    loaded: LoadedModel,
    example: Image,
    faster: _Faster,
    precision: Precision,
    *,
    allow_unsteady: bool,
) -> Backbone:
    how = _preprocessing(request, loaded)
    pixels = how.item(example)["pixels"]
    shape, noise = pixels.shape, noise_like(pixels)
    batch = to_input(torch.from_numpy(noise).permute(0, 3, 1, 2), *scaling(how, torch.device("cpu")))
    model = _frozen(loaded.module)
    with blamed(f"{request.name} can't take images of {shape[0]} × {shape[1]} pixels", size_hint(model)):
        layer = named_blocks(model, request.layer or loaded.layer or _default_layer(model, batch))
        cut, layer, asked = _cut(model, layer, request.pool, batch, loaded.prefix_tokens)
        trace = watch(cut, batch)
        _check_loaded(model, trace, layer)
        given: Tensor = trace.output
        pooling = asked or (None if request.layer else loaded.pool) or default_pool(given, *shape[:2])
        width = _width(layer, given, pooling, loaded.prefix_tokens)
        check_tokens(model, layer, given, pooling, loaded.prefix_tokens, batch)
        if not loaded.class_token:
            check_class_token(layer, pooling)
        if not (request.layer or request.pool):
            _check_width(width, loaded.width, layer)
        network = faster.done(cut, given, batch)
    size = (shape[0], shape[1])
    spec = BackboneSpec(spec_name(request.name, loaded.name), loaded.code, loaded.weights, layer, pooling, how, size)
    with blamed(f"{request.name} can't run in {precision} on {faster.device}", "see --precision, --device"):
        known = (tuple(given.shape[1:]), loaded.licence, loaded.prefix_tokens)
        at_first: Precision = "fp32" if faster.optimize == "openvino" else precision
        backbone = Backbone(spec, network, width, at_first, faster.device, *known)
        backbone = faster.run(backbone, precision, np.concatenate([pixels[None], noise]))
        if not allow_unsteady:
            check_steady(request.name, backbone.embed, {"pixels": noise}, ("noise 1", "noise 2"), precision)
    return backbone


def _preprocessing(request: BackboneRequest, loaded: LoadedModel) -> ImageTransform:
    """Return how images are preprocessed, as a request changes it. Raises ConfigError, for a pooling too."""
    if request.pool and request.pool not in get_args(Pooling):
        raise unknown_name("pool", request.pool, get_args(Pooling))
    return transform_of(request.name, loaded, request.preprocessing)


def _cut(
    model: nn.Module, layer: str, asked: str | None, batch: Tensor, prefix_tokens: int | None
) -> tuple[Cut | Joined, str, str | None]:
    """Return the model up to a layer, or to several side by side, its name, and the pooling that is left to do."""
    if not is_joined(layer):
        return Cut(model, layer).eval(), layer, asked
    several, named = joined(model, layer, asked, batch, prefix_tokens)
    return several.eval(), named, "none"


def _frozen(model: nn.Module) -> nn.Module:
    """Return the model in evaluation mode, without gradients, float32, channels-last in memory where that can be."""
    model = model.eval().requires_grad_(False).float()
    solid = any(parameter.ndim == 5 for parameter in model.parameters())  # torch refuses a model with any of them
    return model if solid else model.to(memory_format=torch.channels_last)


def _default_layer(model: nn.Module, batch: Tensor) -> str:
    """Return the name of the input of the model's final classifier."""
    return classifier_of(model, watch(model, batch)) + INPUT


def _check_loaded(model: nn.Module, trace: Trace, layer: str) -> None:
    """Raise ConfigError if a layer depends on one whose weights the checkpoint did not hold."""
    called = {name.removeprefix("model.") for name, _ in trace.calls}
    lacking = [name for name in unloaded(model) if name in called]
    if lacking:
        raise ConfigError(
            f"layer {layer!r} needs the weights of {', '.join(lacking)}, which are missing in the checkpoint; "
            f"choose an earlier layer, such as --layer {lacking[0]}{INPUT}, or other --weights"
        )


def _width(layer: str, given: Tensor, pooling: str, prefix_tokens: int | None) -> int:
    if given.ndim == 0 or len(given) != 2:
        raise ConfigError(
            f"layer {layer!r} gives {tuple(given.shape)} for 2 images; expected one row per image. Choose another "
            "layer with --layer"
        )
    return pool(given, pooling, prefix_tokens).shape[1]


def _check_width(width: int, wanted: int | None, layer: str) -> None:
    if wanted not in (None, width):
        raise ConfigError(
            f"layer {layer!r} gives {width} features, but its family declares {wanted}; choose a layer with --layer"
        )
