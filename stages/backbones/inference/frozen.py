"""f(x): what frozen networks of all modalities share, from a batch of named arrays to features."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from frostline.stages.backbones.inference.batches import BatchLimit, Embeddings
from frostline.stages.backbones.inference.dispatch import stream
from frostline.stages.backbones.optimize import has_hooks
from frostline.stages.backbones.spec import BackboneSpec, Precision
from frostline.stages.errors import ConfigError, FrostlineError
from frostline.stages.gpu import compute_exactly
from frostline.stages.modalities.base import Arrays, Item, Sample

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class AnyBackbone(ABC):
    """A network in evaluation mode, its weights frozen: a batch of named arrays to features.

    ``spec``: what it is, resolved. ``network``: what computes. ``width``: d, the length of a feature. ``given``: the
    shape of what the layer gives for a sample. ``licence``: of its weights. Not to be used by two threads at once.
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
    ) -> None:
        self.spec, self.width, self.given, self.licence = spec, width, given, licence
        self.precision = precision
        self.device = torch.device(device)
        if self.device.type == "cuda":
            compute_exactly()
        self.dtype = _DTYPES[precision]
        self.network = network.to(self.device, self.dtype)

    @torch.inference_mode()
    def embed(self, batch: Arrays) -> NDArray[np.float32]:
        """Return the features, float32 (batch, d), of a batch: items of the spec's transform, stacked by name."""
        return self.features(on_device(batch, self.device)).cpu().numpy()

    def stream(self, batches: Iterable[Arrays], limit: BatchLimit) -> Iterator[Embeddings]:
        """Yield what ``embed`` gives of each batch, in order, while the next ones are on their way."""
        return stream(self, batches, limit)

    @abstractmethod
    def features(self, given: Mapping[str, Tensor]) -> Tensor:
        """Return the features, float32 (batch, d), of a batch's arrays on the device."""

    @abstractmethod
    def raw(self, sample: Sample) -> Item | None:
        """Return what ``embed`` takes of a sample as it is, in place of its item, or None."""

    @abstractmethod
    def trial(self) -> Arrays:
        """Return some batch that the network takes."""

    @abstractmethod
    def _with(self, network: nn.Module, precision: Precision) -> AnyBackbone:
        """Return the same with a copy of the network that computes in another precision."""

    @property
    def reference(self) -> AnyBackbone:
        """The backbone whose features those of lower precision must agree with: this one, computed by torch."""
        return self

    @property
    def has_weights(self) -> bool:
        """Whether the network computes anything that a precision could make faster."""
        return any(True for _ in self.network.parameters())

    def at(self, precision: Precision) -> AnyBackbone:
        """Return a copy that computes in another precision. Raises ConfigError if the network can't."""
        if has_hooks(self.network):  # a copy's hooks would still write to the original
            raise ConfigError(
                f"{self.spec.name} has hooks, so it can't be copied to {precision}; choose another --precision"
            )
        with blamed(f"{self.spec.name} can't run in {precision} on {self.device}", "see --precision, --device"):
            other = self._with(copy.deepcopy(self.network), precision)
            other.embed(other.trial())
        return other


def on_device(batch: Arrays, device: torch.device) -> dict[str, Tensor]:
    """Return a batch as tensors on a device, in the same shapes."""
    writable = {name: np.require(array, requirements=["C", "W"]) for name, array in batch.items()}  # torch warns else
    return {name: torch.from_numpy(array).to(device, non_blocking=True) for name, array in writable.items()}


@contextmanager
def blamed(what: str, remedy: str) -> Iterator[None]:
    """Raise as ConfigError whatever a network raises: its code may be anyone's."""
    try:
        yield
    except FrostlineError:
        raise
    except Exception as error:
        raise ConfigError(f"{what} ({type(error).__name__}: {error}); {remedy}") from error
