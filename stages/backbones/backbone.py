"""f(x): a frozen network, from uint8 pixels to features."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL.Image import Image
from torch import Tensor, nn

from stages.backbones.allocator import keep_pages
from stages.backbones.folding import folded
from stages.backbones.origin import build
from stages.backbones.pooling import default_pool, pool
from stages.backbones.preprocess import preprocess
from stages.backbones.request import BackboneRequest
from stages.backbones.tracing import INPUT, classifier_of, module_of, tapped, watch
from stages.errors import ConfigError
from stages.specs import BackboneSpec, Precision, Preprocessing

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class Backbone:
    """A network cut at a layer, in evaluation mode, its weights frozen.

    ``spec``: what it is, resolved. ``input_shape``: (height, width, 3) of a preprocessed
    image. ``width``: d, the length of a feature.
    """

    def __init__(
        self,
        spec: BackboneSpec,
        model: nn.Module,
        input_shape: tuple[int, ...],
        width: int,
        precision: Precision,
        device: str,
    ) -> None:
        self.spec = spec
        self.input_shape = input_shape
        self.width = width
        self.precision = precision
        self.device = torch.device(device)
        self._dtype = _DTYPES[precision]
        self._model = model.eval().requires_grad_(False).to(self.device, self._dtype, memory_format=torch.channels_last)
        self._mean, self._deviation = _scaling(spec.preprocessing, self.device)
        keep_pages()

    @torch.inference_mode()
    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the features, float32 (batch, d), of preprocessed images, uint8 (batch, height, width, 3)."""
        batch = to_input(pixels, self._mean, self._deviation).to(self._dtype)
        with tapped(self._model, self.spec.layer) as run:
            features = pool(run(batch), self.spec.pool)
        result: NDArray[np.float32] = features.float().cpu().numpy()
        return result


def load_backbone(
    request: BackboneRequest, example: Image, *, precision: Precision = "fp32", device: str = "cpu"
) -> Backbone:
    """Return the backbone that a request names, resolved on one image of the dataset.

    The default layer is the input of the final classifier, found by watching one forward
    pass. Raises ConfigError: unknown names, weights or layers that don't fit, an input size
    that the network can't take.
    """
    origin = build(request)
    how = preprocessing_of(request, origin.preprocessing)
    model = origin.model.eval()
    image = preprocess(example, how)
    batch = to_input(np.stack([image, image]), *_scaling(how, torch.device("cpu")))
    try:
        layer = request.layer or origin.layer or default_layer(model, batch)
        module_of(model, layer)
        with torch.inference_mode(), tapped(model, layer) as run:
            given = run(batch)
            how_pooled = request.pool or default_pool(given)
            width = pool(given, how_pooled).shape[1]
        model = folded(model, layer, batch)
    except RuntimeError as error:
        size = " × ".join(map(str, image.shape[:2]))
        raise ConfigError(f"{request.name} can't take images of {size} pixels ({error}); see --resize, --crop") from error
    spec = BackboneSpec(request.name, origin.code, origin.weights, layer, how_pooled, how)
    return Backbone(_portable(spec), model, image.shape, width, precision, device)


def default_layer(model: nn.Module, batch: Tensor) -> str:
    """Return the name of the input of the model's final classifier."""
    return classifier_of(model, *watch(model, batch)).name + INPUT


def preprocessing_of(request: BackboneRequest, own: Preprocessing) -> Preprocessing:
    """Return the weights' own preprocessing with what the request replaces."""
    return replace(own, **request.preprocessing)


def to_input(pixels: NDArray[np.uint8], mean: Tensor, deviation: Tensor) -> Tensor:
    """Return (pixels / 255 - mean) / std, float32 (batch, 3, height, width), channels-last in memory."""
    batch = torch.from_numpy(np.ascontiguousarray(pixels)).to(mean.device, non_blocking=True)
    return batch.permute(0, 3, 1, 2).float().sub_(mean).div_(deviation)


def _scaling(how: Preprocessing, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return mean and deviation on the scale of uint8, (1, 3, 1, 1)."""
    values: Any = [torch.tensor(v, device=device).mul(255).view(1, 3, 1, 1) for v in (how.mean, how.std)]
    return values[0], values[1]


def _portable(spec: BackboneSpec) -> BackboneSpec:
    """Return the spec with a factory file's folders cut off: moving the file changes nothing."""
    return replace(spec, name=spec.name.rpartition("/")[2])
