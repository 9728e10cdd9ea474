"""FrozenFeatures on real encoders and real samples, next to scripts of the libraries themselves."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from sentence_transformers import SentenceTransformer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from frostline.pipeline.estimators.frozen_features import FrozenFeatures
from frostline.pipeline.estimators.probe_classifiers import LogisticProbeCV
from frostline.stages.store import FeatureStore
from support.cifar import unpack_cifar

pytestmark = pytest.mark.usefixtures("work")


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def rows_kept() -> int:
    return sum(one.layout.rows for one in FeatureStore(Path("data/features")).sets())


def test_photographs_through_timm_are_what_timm_gives_and_are_classified(assets: Path, tmp_path: Path) -> None:
    folder = assets / "vision" / "tf_efficientnet_lite0"
    photographs = unpack_cifar(assets, tmp_path / "cifar", train=4, test=2)
    paths = {split: sorted((photographs / split).rglob("*.jpg")) for split in ("train", "test")}
    names = {split: [path.parent.name for path in own] for split, own in paths.items()}
    probe = make_pipeline(FrozenFeatures(f"timm:local-dir:{folder}", device="cpu"), LogisticProbeCV([1e-3, 1e-2]))
    assert probe.fit(paths["train"], names["train"]).score(paths["test"], names["test"]) > 0.5
    assert rows_kept() == 60 and probe[0].width_ == 1280
    model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    images = [Image.open(path) for path in paths["test"]]
    with torch.inference_mode():
        expected = np.asarray(model(torch.stack([transform(image.convert("RGB")) for image in images])))
    found = probe[0].transform(paths["test"])
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
    assert cross_val_score(probe, paths["train"], names["train"], cv=2).mean() > 0.25 and rows_kept() == 60


def test_questions_through_sentence_transformers_are_what_it_gives_and_are_classified(assets: Path) -> None:
    folder = assets / "text" / "all-MiniLM-L6-v2"
    with (assets / "text" / "trec6" / "trec6.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"][:200]
    texts, labels = np.array([row["text"] for row in rows]), [row["label"] for row in rows]
    encoder = FrozenFeatures(f"st:{folder}", device="cpu")
    expected = SentenceTransformer(str(folder), device="cpu").encode(texts.tolist())
    np.testing.assert_allclose(encoder.fit_transform(texts), expected, atol=1e-5)
    different = rows_kept()
    assert different == len({text.strip() for text in texts.tolist()})
    probe = make_pipeline(encoder, LogisticProbeCV())
    assert cross_val_score(probe, texts, labels, cv=3).mean() > 0.6 and rows_kept() == different
