"""A frozen encoder by itself: samples to vectors, nothing kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from frostline.pipeline.api.asked import settings_of
from frostline.pipeline.plan.machine import cores, device_of
from frostline.pipeline.serve.asked import Asked
from frostline.pipeline.serve.objects import as_list, asked_object
from frostline.pipeline.settings import ExtractSettings
from frostline.pipeline.settings.python_words import python_words
from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.families.registry import family_of
from frostline.stages.errors import DataError, counted, listing
from frostline.stages.modalities.base import IMAGE, Item, Transform
from frostline.stages.modalities.given import sample_of
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.serve.embed import embed

if TYPE_CHECKING:
    from frostline.pipeline.settings.keywords import TorchDevice, TransformKeywords
    from frostline.stages.backbones.inference.frozen import AnyBackbone
    from frostline.stages.backbones.spec import Precision

_SIDE = 224
Place = str | Path


class Encoder:
    """A frozen network up to a layer. ``load_encoder`` makes one.

    ``encoder(samples)`` returns their features, float32 (n, ``width``). Not to be used by two threads at once.
    """

    def __init__(self, backbone: AnyBackbone, batch_size: int | None, workers: int | None) -> None:
        self._backbone, self._batch_size, self._workers = backbone, batch_size, workers

    @python_words()
    def __call__(self, samples: object) -> NDArray[np.float32]:
        """Return the features of samples, float32 (n, ``width``), in their order.

        ``samples``: a list of PIL images, of uint8 arrays (h, w, 3) or of paths; an array (n, h, w, 3); texts for an
        encoder of texts; pairs ``(samples, rate)`` for one of recordings. One sample alone gives (1, ``width``). For an
        encoder of texts a ``str`` is a text, for any other a path. Raises DataError that lists what can't be read.
        """
        from frostline.stages.backbones.calibrate.batch_size import usual

        kind = MODALITIES.load(self.modality)
        asked = [asked_object(at, one, kind) for at, one in enumerate(as_list(samples, kind.name))]
        how: Any = {"workers": self._workers or cores()}
        how |= {"batch_size": self._batch_size or usual(self._backbone.device)[0]}
        found = np.empty((len(asked), self.width), np.float32)
        faults: dict[int, str] = {}
        for batch, features in embed(
            self._backbone, lambda row: asked[row].read(kind.decode), range(len(asked)), **how
        ):
            faults |= batch.faults
            if features is not None:
                found[list(batch.rows)] = features
        _check(asked, faults)
        return found

    def __repr__(self) -> str:
        spec = self._backbone.spec
        pooled = "" if spec.pool == "none" else f", {spec.pool} pooling"
        noun = MODALITIES.load(self.modality).noun
        return (
            f"<Encoder {self.name}: {noun}s to {self.width:,} features, layer {spec.layer}{pooled}, on {self.device}>"
        )

    @property
    def name(self) -> str:
        """The network's name."""
        return self._backbone.spec.name

    @property
    def width(self) -> int:
        """The length of a feature."""
        return self._backbone.width

    @property
    def modality(self) -> str:
        """What it takes: ``image``, ``text``, ``audio`` or ``vector``."""
        return self._backbone.spec.modality

    @property
    def device(self) -> str:
        """Where it runs, such as ``cpu``."""
        return str(self._backbone.device)

    @property
    def transform(self) -> Inputs:
        """What makes of a sample the network's input: ``transform(sample)`` returns arrays by name."""
        return Inputs(self._backbone.spec.preprocessing, self.modality)


class Inputs:
    """What a network is given for a sample. ``how``: the preprocessing, whose fields are its settings."""

    def __init__(self, how: Transform[Any], modality: str) -> None:
        self.how, self._modality = how, modality

    def __call__(self, sample: object) -> Item:
        """Return arrays by name, such as ``pixels`` (h, w, 3). Raises DataError for an object of another kind."""
        return self.how.item(sample_of(sample, self._modality))

    def __repr__(self) -> str:
        return f"<Inputs: {self.how!r}>"


@python_words()
def load_encoder(
    name: str,
    *,
    weights: Place = "DEFAULT",
    layer: str | None = None,
    pool: str | None = None,
    device: str | TorchDevice = "auto",
    precision: Precision = "fp32",
    modality: str = "",
    batch_size: int | None = None,
    workers: int | None = None,
    **transform: Unpack[TransformKeywords],
) -> Encoder:
    """Return a frozen encoder.

    Args:
        name: a torchvision model, ``timm:NAME``, ``hf:NAME``, ``st:NAME``, ``open_clip:NAME``, ``file.py:factory``, …;
            see ``frostline encoders``.
        weights: ``"DEFAULT"``, the name of weights, or a file.
        layer: where the network is cut; by default the input of its final classifier.
        pool: how a layer's output becomes one vector.
        device: ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        precision: ``"fp32"``, ``"bf16"`` or ``"fp16"``. Commands choose by default; here nothing is measured.
        modality: of the samples, for a network that takes several kinds; by default what its name says, else images.
        batch_size, workers: how many samples at once, and how many threads decode them.
        transform: ``resize``, ``crop``, ``mean``, ``std``, ``prompt``, … in place of the weights' own.

    Raises ConfigError for names, weights, layers or settings that can't be.

    >>> from PIL import Image
    >>> encoder = load_encoder("resnet8-cifar10", device="cpu")
    >>> encoder
    <Encoder resnet8-cifar10: images to 128 features, layer fc:input, on cpu>
    >>> encoder([Image.new("RGB", (40, 30))]).shape
    (1, 128)
    """
    keywords: dict[str, Any] = {"backbone": name, "weights": weights, "layer": layer, "pool": pool, "device": device}
    keywords |= {"batch_size": batch_size, "workers": workers, **transform}
    s = settings_of(ExtractSettings, None, keywords)
    asked = s.request()
    kind = modality or _modality_of(name)
    request = BackboneRequest(asked.name, asked.weights, asked.layer, asked.pool, asked.preprocessing, kind)
    example: Any = Image.new("RGB", (_SIDE, _SIDE)) if kind == IMAGE else None
    return Encoder(
        load_backbone(request, example, precision=precision, device=device_of(s.device)), s.batch_size, s.workers
    )


def _modality_of(name: str) -> str:
    family, rest = family_of(name)
    return family.taken_by(rest) or IMAGE


def _check(asked: Sequence[Asked], faults: Mapping[int, str]) -> None:
    if faults:
        lines = [f"{asked[row].path}: {why}" for row, why in sorted(faults.items())]
        raise DataError(f"{counted(len(faults), 'sample')} of {len(asked):,} can't be read:\n{listing(lines)}")
