"""Frozen features, linear heads: run a pretrained encoder once, cache its features, fit and compare heads.

The commands as functions, with what they take and return; nothing is loaded before it is used. Types stand in
``__init__.pyi``.

>>> import frostline as fl
>>> report = fl.run(dataset="digits", backbone="pixels", head="ridge")
>>> round(report.accuracy.value, 3)
0.922
"""

from importlib import import_module
from typing import Any

_API = "frostline.pipeline.api"
_RECORDS, _SETTINGS = "frostline.pipeline.records.run", "frostline.pipeline.settings"
_ERRORS, _STORE = "frostline.stages.errors", "frostline.stages.store"
_ESTIMATORS, _HEADS = "frostline.pipeline.estimators", "frostline.stages.heads.estimators"
_CLASSIFIERS = ["AdamW", "Centroid", "KNN", "LDA", "LinearSGD", "Logistic", "Ridge", "SVM"]
_PLACES = {
    **dict.fromkeys(["run", "extract", "fit", "evaluate"], f"{_API}.calls"),
    **dict.fromkeys(["predict", "load_classifier"], f"{_API}.prediction"),
    **dict.fromkeys(["load_dataset", "open_features"], f"{_API}.data"),
    **dict.fromkeys(["Encoder", "load_encoder"], f"{_API}.encoder"),
    "Report": f"{_API}.report",
    "Classifier": "frostline.pipeline.serve.predict",
    "Prediction": "frostline.pipeline.serve.answers",
    **dict.fromkeys(["Probe", "Extracted", "Fitted"], _RECORDS),
    "Score": "frostline.stages.metrics",
    **dict.fromkeys(["Settings", "ExtractSettings", "HeadSettings"], _SETTINGS),
    **dict.fromkeys(["FrostlineError", "ConfigError", "DataError", "StoreError"], _ERRORS),
    **dict.fromkeys(["Dataset", "Samples"], "frostline.stages.datasets"),
    "Targets": "frostline.stages.targets.values",
    "Features": _STORE,
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
