"""An encoder by itself gives the features that a command caches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import frostline as fl

X = np.random.default_rng(0).integers(0, 256, (20, 12, 10, 3), np.uint8)


@pytest.fixture(scope="module")
def encoder() -> fl.Encoder:
    return fl.load_encoder("resnet8-cifar10", device="cpu")


def test_it_gives_the_cached_features(encoder: fl.Encoder, work: Path) -> None:
    how = {"backbone": "resnet8-cifar10", "device": "cpu", "precision": "fp32", "decode": "full"}
    train, _ = fl.extract(dataset=(X, np.arange(20) % 2), **how)  # type: ignore[arg-type]
    cached = fl.open_features(train.folder)
    rows = [int(name.removeprefix("row ")) for name in cached.ids]
    assert np.allclose(encoder(X)[rows], cached.X, rtol=1e-4, atol=1e-5)


def test_arrays_images_and_files_are_alike(encoder: fl.Encoder, tmp_path: Path) -> None:
    Image.fromarray(X[0]).save(tmp_path / "0.png")
    wanted = encoder(X[:1])
    assert wanted.shape == (1, encoder.width) and wanted.dtype == np.float32
    for given in (X[0], [Image.fromarray(X[0])], Image.fromarray(X[0]), tmp_path / "0.png", [str(tmp_path / "0.png")]):
        assert np.array_equal(encoder(given), wanted)
    assert encoder([]).shape == (0, 128)


def test_each_has_its_own_features_in_any_company(encoder: fl.Encoder) -> None:
    assert np.array_equal(encoder(X)[7:8], encoder(X[7]))


def test_it_says_what_it_is(encoder: fl.Encoder) -> None:
    assert repr(encoder) == "<Encoder resnet8-cifar10: images to 128 features, layer fc:input, on cpu>"
    assert (encoder.name, encoder.width, encoder.modality) == ("resnet8-cifar10", 128, "image")
    assert encoder.transform(X[0])["pixels"].shape == (32, 32, 3)


def test_what_cannot_be_read_is_listed(encoder: fl.Encoder, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(fl.DataError, match=r"2 samples of 3 can't be read:\n.*bad.png: .*\n.*gone.png: not a regular"):
        encoder([X[0], tmp_path / "bad.png", "gone.png"])
    with pytest.raises(fl.DataError, match=r"got float64 array .*expected a PIL image, or a uint8 array"):
        encoder([X[0] / 255])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "resnet8"}, "resnet8"),
        ({"name": "resnet8-cifar10", "layer": "nowhere"}, "nowhere"),
        ({"name": "resnet8-cifar10", "resise": 3}, "unknown setting 'resise'; did you mean 'resize'"),
    ],
)
def test_names_and_settings_that_cannot_be_are_said(given: dict[str, object], said: str) -> None:
    with pytest.raises(fl.ConfigError, match=said):
        fl.load_encoder(**given)  # type: ignore[arg-type]


def test_texts_are_texts_and_a_path_is_a_file(tmp_path: Path) -> None:
    from frostline.stages.modalities.text.terms import learn_vocabulary

    (tmp_path / "words.json").write_bytes(learn_vocabulary(["good film", "bad film", "good book"]).to_json())
    (tmp_path / "one.txt").write_text("good film\n")
    encoder = fl.load_encoder(f"tfidf:{tmp_path / 'words.json'}")
    assert encoder.modality == "text"
    assert np.array_equal(encoder("good film"), encoder(tmp_path / "one.txt"))
