"""Frozen features, linear heads: run a pretrained encoder once, cache its features, fit and compare heads.

The commands as functions, with their settings and records; nothing is loaded before it is used. Types stand in
``__init__.pyi``.

>>> import frostline
>>> report = frostline.run(frostline.Settings(dataset="digits", backbone="pixels", head=("ridge",)))
>>> round(report.probes[0].evaluation.scores["accuracy"].value, 3)
0.922
"""

from importlib import import_module
from typing import Any

_RUN, _PREDICT = "frostline.pipeline.run.run", "frostline.pipeline.serve.predict"
_RECORDS, _SETTINGS = "frostline.pipeline.records.run", "frostline.pipeline.settings"
_ERRORS, _STORE = "frostline.stages.errors", "frostline.stages.store"
_ESTIMATORS, _HEADS = "frostline.pipeline.estimators", "frostline.stages.heads.estimators"
_CLASSIFIERS = ["AdamW", "Centroid", "KNN", "LDA", "LinearSGD", "Logistic", "Ridge", "SVM"]
_PLACES = {
    **dict.fromkeys(["run", "extract", "fit", "evaluate"], _RUN),
    **dict.fromkeys(["Classifier", "load_classifier", "predict"], _PREDICT),
    "Prediction": "frostline.pipeline.serve.answers",
    **dict.fromkeys(["Report", "Probe", "Extracted", "Fitted"], _RECORDS),
    **dict.fromkeys(["Settings", "ExtractSettings", "HeadSettings", "PredictSettings"], _SETTINGS),
    **dict.fromkeys(["FrostlineError", "ConfigError", "DataError", "StoreError"], _ERRORS),
    **dict.fromkeys(["Features", "FeatureSet", "load", "open_set"], _STORE),
    "FrozenFeatures": f"{_ESTIMATORS}.frozen_features",
    **dict.fromkeys(["LogisticProbeCV", "RidgeClassifierProbeCV"], f"{_ESTIMATORS}.probe_classifiers"),
    "RidgeProbeCV": f"{_ESTIMATORS}.probe_regressor",
    **dict.fromkeys([f"{name}Classifier" for name in _CLASSIFIERS], _HEADS),
    **dict.fromkeys(["KNNRegressor", "LinearSGDRegressor", "RidgeRegressor"], _HEADS),
}
__all__ = sorted(_PLACES)  # noqa: PLE0605 (the stub lists them for who reads)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("frostline")
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
