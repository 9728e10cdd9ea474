"""What a user writes, as a type checker sees it; ``type: ignore`` marks mistakes that it must find."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import frostline as fl


def used(images: NDArray[np.uint8], labels: list[str]) -> float:
    report: fl.Report = fl.run(dataset=(images, labels), head=["ridge", "lda"], weights=Path("w.pth"))
    report = fl.run(dataset=Path("images"), grid={"alpha": [1.0]}, folds=5, resize=(64, 64), train_sizes=[10, "all"])
    report = fl.run(fl.Settings(dataset="digits", head=["ridge"], shots=[1, 2], grid={"alpha": np.array([1.0])}))
    report = fl.run(dataset="digits", device=torch.device("cpu"), class_weight=None)
    encoder: fl.Encoder = fl.load_encoder("resnet50", resize=(224, 224))
    X: NDArray[np.float32] = encoder(images)
    dataset: fl.Dataset = fl.load_dataset("folder:images", test_fraction=0.5)
    features: fl.Features = fl.open_features(fl.extract(dataset=dataset)[0])
    answers: list[fl.Prediction] = fl.predict(report, images)
    answers = fl.predict(fl.evaluate(dataset=dataset), images)
    train, test = dataset
    assert train[0] is not None and len(test[:2]) == 2
    assert len(features.ids) and answers[0].label and X.size
    return report.accuracy.value


def misused() -> None:
    fl.run(dataset="digits", backbon="pixels")  # type: ignore[call-arg]
    fl.run(dataset="digits", test_fraction="half")  # type: ignore[arg-type]
    fl.load_encoder("resnet50", resise=3)  # type: ignore[call-arg]
    fl.Settings(shots=1.5)  # type: ignore[arg-type]
    score: str = fl.run().accuracy  # type: ignore[assignment]
    assert score
