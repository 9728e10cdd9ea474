"""A frozen encoder as a scikit-learn transformer, with the feature cache of the command behind it.

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

from frostline.pipeline.estimators.given_samples import NAME, alike, listed, modality_for, samples_of
from frostline.pipeline.estimators.row_cache import features_of, width_of
from frostline.pipeline.estimators.words import as_value_error
from frostline.pipeline.settings import ExtractSettings
from frostline.stages.backbones.spec import Precision
from frostline.stages.datasets import Samples
from frostline.stages.errors import unknown_name
from frostline.stages.modalities.base import IMAGE
from frostline.stages.store.key import StoredType

_OF_INPUT = ("resize", "crop", "interpolation", "mean", "std", "seconds", "hop", "prompt", "max_length", "windows")
_SETTINGS = (*_OF_INPUT, "concatenate", "optimize", "allow_unsteady")
_WORDS = {name: f"settings[{name!r}]" for name in _SETTINGS}


class FrozenFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns samples into the features of a pretrained encoder. Nothing is learned; each sample is computed once.

    Features are cached in ``data_dir`` by the content of the sample, in the store of ``frostline run``. A second call
    with the same samples computes nothing and loads no network, also for some of them or in another order. So do other
    folds, a search over the head, and other processes. Processes that need the same new samples wait for the first.

    Args:
        backbone: an encoder by name, such as "resnet50", "timm:vit_small_patch14_dinov2" or "st:all-MiniLM-L6-v2"; see
            ``frostline encoders``.
        weights: "DEFAULT", the name of weights, or a file.
        layer: the layer whose output is taken; None: the input of the final classifier.
        pool: how the layer's output becomes one vector; None: by its shape.
        settings: more settings of the command by name, such as {"resize": 256, "crop": 224} or {"max_length": 128};
            None: those of the encoder.
        modality: of the samples, for an encoder of several modalities; "": by its name, else images.
        precision: "fp32", "bf16" or "fp16". The command measures which to use; here nothing is measured, so the
            features of a sample never depend on the other samples.
        dtype: of the features, "float32" or "float16".
        device: "auto", "cpu", "cuda" or "cuda:1".
        batch_size, workers: how many samples at once, and how many threads decode; None: as in the command.
        data_dir: the folder of the cache.

    Attributes:
        width_: number of features of a sample.
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
        """Look up the encoder, by the first sample. Nothing is learned, and no feature is computed.

        Raises ValueError for encoders and settings that can't be, and for samples of another kind.
        """
        with as_value_error(_WORDS):
            own = self._settings()
            self.width_ = width_of(self._samples(listed(X)[:1]), own)
        return self

    def transform(self, X: Any) -> NDArray[np.floating]:
        """Return the features of samples, float (n, ``width_``), of type ``dtype``.

        Args:
            X: a list, an array, a series, or a frame or array (n, 1) of one column: of PIL images, uint8 arrays
                (h, w, 3) (or one (n, h, w, 3)), paths, texts for an encoder of texts, or pairs ``(samples, rate)`` for
                one of recordings. A ``str`` is a text for an encoder of texts, for any other a path.

        Raises:
            ValueError: samples that can't be read, which it lists, or of another kind than the encoder takes.
            StoreError: the cache can't be written.
        """
        check_is_fitted(self)
        with as_value_error(_WORDS):
            samples = self._samples(X)
            result = np.empty((len(samples), self.width_), self.dtype)
            for rows, part in alike(samples):
                result[rows] = features_of(part, self._settings())
        return result

    def __repr__(self, N_CHAR_MAX: int = 700) -> str:
        """Return it as scikit-learn shows estimators, always with the encoder."""
        said: str = super().__repr__(N_CHAR_MAX)
        name, _, given = said.partition("(")
        if "backbone=" in given:
            return said
        return f"{name}(backbone={self.backbone!r}{', ' if given != ')' else ''}{given}"

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
