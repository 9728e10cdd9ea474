"""f(x): a frozen network of images, from pixels to features."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor, nn

from frostline.stages.backbones.inference.frames import frame_for, unframed
from frostline.stages.backbones.inference.frozen import AnyBackbone
from frostline.stages.backbones.inference.pixels import image_preprocessing, is_thumbnail, noise_like
from frostline.stages.backbones.network.cut import Cut
from frostline.stages.backbones.network.pooling import pool
from frostline.stages.backbones.optimize import fused_convolutions, settle
from frostline.stages.backbones.spec import BackboneSpec, Precision
from frostline.stages.modalities.base import Arrays, Item
from frostline.stages.modalities.image.resize import way
from frostline.stages.modalities.image.spec import ImageTransform, LibraryTransform, Preprocessing
from frostline.stages.modalities.image.transform import centre
from frostline.stages.modalities.image.upsample import agrees, enlarged


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
        self._mean, self._deviation = scaling(self.preprocessing, self.device)
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
        return to_input(self.sized(given), self._mean, self._deviation).to(self.dtype)

    def sized(self, given: Mapping[str, Tensor]) -> Tensor:
        """Return images as ``features`` takes them, resized and cropped, (batch, 3, height, width)."""
        images = unframed(given).permute(0, 3, 1, 2)
        return images if images.shape[-2:] == self.spec.size else _enlarged(images, self.spec)

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


def to_input(images: Tensor, mean: Tensor, deviation: Tensor) -> Tensor:
    """Return (images / 255 - mean) / std, float32 (batch, 3, height, width), channels-last in memory."""
    result = images.float().contiguous(memory_format=torch.channels_last)
    batch, channels, height, width = result.shape
    rows = result.permute(0, 2, 3, 1).view(batch, height, width * channels)  # three values at a time are slow
    rows.sub_(mean.flatten().repeat(width)).div_(deviation.flatten().repeat(width))
    return result


def scaling(how: ImageTransform, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return mean and deviation on the scale of uint8, (1, 3, 1, 1); of what is scaled already, none and 1."""
    if isinstance(how, LibraryTransform):
        return torch.zeros(1, 3, 1, 1, device=device), torch.ones(1, 3, 1, 1, device=device)
    mean, std = (torch.tensor(v, device=device).mul(255).view(1, 3, 1, 1) for v in (how.mean, how.std))
    return mean, std
