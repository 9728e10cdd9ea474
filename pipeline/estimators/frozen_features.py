"""A frozen encoder as a transformer of scikit-learn's, with the cache of the command line behind it.

>>> from PIL import Image
>>> from sklearn.pipeline import make_pipeline
>>> from frostline.pipeline.estimators.probe_classifiers import LogisticProbeCV
>>> images = [Image.new("RGB", (8, 8), (25 * i, 0, 255 * (i % 2))) for i in range(10)]
>>> probe = make_pipeline(FrozenFeatures("resnet8-cifar10"), LogisticProbeCV())
>>> probe.fit(images, ["red", "blue"] * 5).predict(images[:2]).tolist()
['red', 'blue']
>>> features = probe[0].transform(images)  # from the cache: no network is loaded
>>> features.shape, features.dtype
((10, 128), dtype('float32'))
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from frostline.pipeline.estimators.choosing import as_value_error
from frostline.pipeline.estimators.given_samples import NAME, alike, listed, modality_for, samples_of
from frostline.pipeline.estimators.row_cache import features_of, width_of
from frostline.pipeline.settings import ExtractSettings
from frostline.stages.backbones.spec import Precision
from frostline.stages.datasets import Samples
from frostline.stages.errors import unknown_name
from frostline.stages.modalities.base import IMAGE
from frostline.stages.store.key import StoredType

_OF_INPUT = ("resize", "crop", "interpolation", "mean", "std", "seconds", "hop", "prompt", "max_length", "windows")
_SETTINGS = (*_OF_INPUT, "concatenate", "optimize", "allow_unsteady")


class FrozenFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Samples to the features of a pretrained encoder, which does not learn; each sample is computed once.

    Features are kept in ``data_dir`` by the content of their sample, where ``frostline run`` keeps and finds its own. A
    second call with the same samples, some of them, or in another order computes nothing and loads no network; nor does
    another process, another fold of a cross-validation, or a search over the parameters of the head. Processes that
    want the same new samples at once wait for the first.

    Args:
        backbone: an encoder by name, such as "resnet50", "timm:vit_small_patch14_dinov2" or "st:all-MiniLM-L6-v2"; see
            ``frostline encoders``.
        weights: "DEFAULT", the name of weights, or a file.
        layer: where the network is cut; None: the input of its final classifier.
        pool: how a layer's output becomes one vector; None: as suits it.
        settings: further settings of the command by name, such as {"resize": 256, "crop": 224} or
            {"max_length": 128}; None: the encoder's own.
        modality: of the samples, for a network that takes several kinds; "": what its name says, else images.
        precision: "fp32", "bf16" or "fp16". The command picks one by default; here nothing is measured, so that a
            sample has the same features whatever the others are.
        dtype: of the features, "float32" or "float16".
        device: "auto", "cpu", "cuda" or "cuda:1".
        batch_size, workers: how many samples at once, and how many threads decode; None: as the command does.
        data_dir: the folder of the cache.

    Attributes:
        width_: how many features a sample has.
    """

    def __init__(
        self,
        backbone: str = "resnet8-cifar10",
        *,
        weights: str = "DEFAULT",
        layer: str | None = None,
        pool: str | None = None,
        settings: Mapping[str, Any] | None = None,
        modality: str = "",
        precision: Precision = "fp32",
        dtype: StoredType = "float32",
        device: str = "auto",
        batch_size: int | None = None,
        workers: int | None = None,
        data_dir: str | Path = "data",
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.layer = layer
        self.pool = pool
        self.settings = settings
        self.modality = modality
        self.precision = precision
        self.dtype = dtype
        self.device = device
        self.batch_size = batch_size
        self.workers = workers
        self.data_dir = data_dir

    def fit(self, X: Any, y: Any = None) -> Self:  # noqa: ARG002
        """Find out what the encoder is, by the first sample; nothing is learned and no feature computed.

        Raises ValueError for encoders and settings that can't be, and for samples of another kind.
        """
        with as_value_error():
            own = self._settings()
            self.width_ = width_of(self._samples(listed(X)[:1]), own)
        return self

    def transform(self, X: Any) -> NDArray[np.floating]:
        """Return the features of samples, float (n, ``width_``), of type ``dtype``.

        Args:
            X: a list, an array or a series: of PIL images, uint8 arrays (h, w, 3) (or one (n, h, w, 3)), paths, texts
                for an encoder of texts, or pairs ``(samples, rate)`` for one of recordings. A ``str`` is a text for an
                encoder of texts, for any other a path.

        Raises:
            ValueError: samples that can't be read, which it lists, or of another kind than the encoder takes.
            StoreError: the cache can't be written.
        """
        check_is_fitted(self)
        with as_value_error():
            samples = self._samples(X)
            result = np.empty((len(samples), self.width_), self.dtype)
            for rows, part in alike(samples):
                result[rows] = features_of(part, self._settings())
        return result

    def _samples(self, X: Any) -> Samples:
        return samples_of(X, modality_for(self.backbone, self.modality))

    def _settings(self) -> ExtractSettings:
        names = ("backbone", "weights", "layer", "pool", "precision", "dtype", "device", "batch_size", "workers")
        own = {name: getattr(self, name) for name in names}
        fixed: dict[str, Any] = {"dataset": f"memory:{NAME}", "engine": "local", "data_dir": self.data_dir}
        if modality_for(self.backbone, self.modality) == IMAGE:
            fixed["decode"] = "full"
        return ExtractSettings(**own, **self._given(), **fixed)

    def _given(self) -> Mapping[str, Any]:
        for name in self.settings or {}:
            if name not in _SETTINGS:
                raise unknown_name("setting of FrozenFeatures", name, _SETTINGS)
        return self.settings or {}

    @property
    def _n_features_out(self) -> int:
        return self.width_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "width_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.string, tags.no_validation = False, True, True
        return tags
