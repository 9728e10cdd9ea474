"""f(x): a frozen network, from pixels to features; and the one that a request names, of whatever modality."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import get_args, overload

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor, nn

from frostline.stages.backbones.checkpoints.unloaded import unloaded
from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.backbones.families.registry import load, spec_name
from frostline.stages.backbones.families.transform_check import transform_of
from frostline.stages.backbones.inference.frames import frame_for, unframed
from frostline.stages.backbones.inference.frozen import AnyBackbone, blamed
from frostline.stages.backbones.inference.item_backbone import ItemBackbone, of_items
from frostline.stages.backbones.inference.pixels import image_preprocessing, is_thumbnail, noise_like
from frostline.stages.backbones.inference.steadiness import check_steady
from frostline.stages.backbones.network.channels import size_hint
from frostline.stages.backbones.network.cut import INPUT, Cut, Trace, classifier_of, watch
from frostline.stages.backbones.network.joined import Joined, is_joined, joined
from frostline.stages.backbones.network.last_blocks import named_blocks
from frostline.stages.backbones.network.pooling import default_pool, pool
from frostline.stages.backbones.network.tokens import check_class_token, check_tokens
from frostline.stages.backbones.optimize import fused_convolutions, optimized, settle
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import BackboneSpec, Optimize, Pooling, Precision
from frostline.stages.errors import ConfigError, unknown_name
from frostline.stages.modalities.base import IMAGE, Arrays, Item
from frostline.stages.modalities.image.resize import way
from frostline.stages.modalities.image.spec import ImageTransform, LibraryTransform, Preprocessing
from frostline.stages.modalities.image.transform import centre
from frostline.stages.modalities.image.upsample import agrees, enlarged
from frostline.stages.modalities.registry import check_taken


class Backbone(AnyBackbone):
    """A network of images up to a layer.

    ``network``: from images as the network wants them to
    what the layer gives. ``prefix_tokens``: see
    ``LoadedModel``. ``frame``: what photographs go to a GPU in that resizes them, or None.
    """

    def __init__(
        self,
        spec: BackboneSpec,
        network: nn.Module,
        width: int,
        precision: Precision,
        device: str,
        given: tuple[int, ...],
        licence: str = "",
        prefix_tokens: int | None = None,
    ) -> None:
        super().__init__(spec, network, width, precision, device, given, licence)
        self.prefix_tokens = prefix_tokens
        self._as_pillow = agrees(self.device)  # not when it is asked for: the threads that decode ask
        resizes = self.device.type == "cuda" and way(self.device)
        self.frame = frame_for(self.preprocessing, spec.size) if resizes else None
        self._mean, self._deviation = _scaling(self.preprocessing, self.device)
        if self.device.type == "cuda" and fused_convolutions(network):
            self._settle()

    @torch.inference_mode()
    def _settle(self) -> None:
        noise = noise_like(self.trial()["pixels"][0])
        settle(self.network, self.prepared({"pixels": torch.from_numpy(noise).to(self.device)}))

    def features(self, given: Mapping[str, Tensor]) -> Tensor:
        """Return the features, float32 (batch, d), of images on the device: ``pixels``, (batch, h, w, 3).

        They are preprocessed, or are those that ``enlarges`` is true of, as they are, or lie in frames.
        """
        return self.pooled(self.network(self.prepared(given)))

    def prepared(self, given: Mapping[str, Tensor]) -> Tensor:
        """Return what the network is given of images as ``features`` takes them, (batch, 3, height, width)."""
        images = unframed(given).permute(0, 3, 1, 2)
        if images.shape[-2:] != self.spec.size:
            images = _enlarged(images, self.spec)
        return _to_input(images, self._mean, self._deviation).to(self.dtype)

    def pooled(self, given: Tensor) -> Tensor:
        """Return the features, float32 (batch, d), of what the layer gives."""
        return pool(given, self.spec.pool, self.prefix_tokens).float()

    def module(self) -> nn.Module:
        """Return the same as a network: images, uint8 (batch, height, width, 3), to features (batch, d)."""
        network = self.network.whole() if isinstance(self.network, Cut) else self.network
        return _FromPixels(network, self._mean, self._deviation, self.pooled)

    @property
    def preprocessing(self) -> ImageTransform:
        """How images become what the network is given."""
        return image_preprocessing(self.spec)

    def enlarges(self, size: tuple[int, int]) -> bool:
        """Whether ``embed`` may be given images of (width, height) as they are, with the same result."""
        return self._as_pillow and is_thumbnail(size, self.spec)

    def raw(self, sample: Image) -> Item | None:
        if self.enlarges(sample.size):
            return {"pixels": np.asarray(sample)}
        return self.frame.item(sample) if self.frame else None

    def trial(self) -> Arrays:
        return {"pixels": np.zeros((1, *self.spec.size, 3), self.preprocessing.dtype)}

    def _with(self, network: nn.Module, precision: Precision) -> Backbone:
        known = (str(self.device), self.given, self.licence, self.prefix_tokens)
        return Backbone(self.spec, network, self.width, precision, *known)


class _FromPixels(nn.Module):
    """Preprocessed images to features, in float32."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, network: nn.Module, mean: Tensor, deviation: Tensor, pooled: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.network, self.pooled = network, pooled
        self.register_buffer("mean", mean.clone())
        self.register_buffer("deviation", deviation.clone())

    def forward(self, images: Tensor) -> Tensor:
        batch = (images.permute(0, 3, 1, 2).float() - self.mean) / self.deviation
        return self.pooled(self.network(batch))


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
    as it is written; ``portable``: as a graph to be exported, without operations of this
    CPU's own, in either case. Raises ConfigError: unknown names, weights or layers that
    don't fit, another modality, an input size or a precision that the network can't take; unless ``allow_unsteady``,
    features of noise that change from pass to pass or with the batch (``steadiness``).
    """
    loaded = load(request)
    check_taken(request.name, loaded.preprocessing.modality, request.modality)
    if request.modality != IMAGE:
        return of_items(request, loaded, precision, device, optimize=optimize, allow_unsteady=allow_unsteady)
    if example is None:
        raise TypeError(f"{request.name} needs an image to determine its layers; got none")
    faster = _Faster(device, portable=portable, optimize=optimize)
    return _of_images(request, loaded, example, faster, precision, allow_unsteady=allow_unsteady)


@dataclass(frozen=True)
class _Faster:
    """For which device, and whether, a network is rewritten; see ``load_backbone``."""

    device: str
    portable: bool
    optimize: Optimize

    def done(self, cut: Cut | Joined, given: Tensor, batch: Tensor) -> nn.Module:
        if isinstance(cut, Cut) and (self.portable or self.optimize == "auto"):
            return optimized(cut, given, batch, device=self.device, portable=self.portable)
        return cut


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
    batch = _to_input(torch.from_numpy(noise).permute(0, 3, 1, 2), *_scaling(how, torch.device("cpu")))
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
        backbone = Backbone(spec, network, width, precision, faster.device, *known)
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


def _enlarged(images: Tensor, spec: BackboneSpec) -> Tensor:
    """Return square images resized and cropped as ``preprocess`` does."""
    how = image_preprocessing(spec)
    assert isinstance(how, Preprocessing)
    wanted = how.resize
    side = wanted[0] if isinstance(wanted, tuple) else wanted
    assert side is not None
    height, width = spec.size
    left, top, right, bottom = centre((side, side), (height, width))
    return enlarged(images, side)[..., top:bottom, left:right]


def _to_input(images: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Return (images / 255 - mean) / std, float32 (batch, 3, height, width), channels-last in memory."""
    result = images.float().contiguous(memory_format=torch.channels_last)
    batch, channels, height, width = result.shape
    rows = result.permute(0, 2, 3, 1).view(batch, height, width * channels)  # three values at a time are slow
    rows.sub_(mean.flatten().repeat(width)).div_(deviation.flatten().repeat(width))
    return result


def _scaling(how: ImageTransform, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return mean and deviation on the scale of uint8, (1, 3, 1, 1); of what is scaled already, none and 1."""
    if isinstance(how, LibraryTransform):
        return torch.zeros(1, 3, 1, 1, device=device), torch.ones(1, 3, 1, 1, device=device)
    mean, std = (torch.tensor(v, device=device).mul(255).view(1, 3, 1, 1) for v in (how.mean, how.std))
    return mean, std
