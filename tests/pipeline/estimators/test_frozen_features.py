"""FrozenFeatures: an encoder in a pipeline of scikit-learn's, each sample through it once."""

from __future__ import annotations

import doctest
import logging
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import SkipTestWarning
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from frostline.pipeline.estimators import frozen_features
from frostline.pipeline.estimators.frozen_features import FrozenFeatures
from frostline.pipeline.estimators.probe_classifiers import LogisticProbeCV
from frostline.pipeline.maintain.inventory import garbage, verify
from frostline.pipeline.run.run import extract
from frostline.pipeline.settings import ExtractSettings
from frostline.stages.store import FeatureStore, load, open_set

COLOURS = ("red", "green", "blue")
pytestmark = pytest.mark.usefixtures("work")


def drawn(n: int = 30, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return images (n, 8, 8, 3) of noise with much of one colour, and which."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    X = rng.integers(0, 90, (n, 8, 8, 3), np.uint8)
    X[np.arange(n), ..., y] += 120
    return X, np.array(COLOURS)[y]


def shipped(**more: object) -> FrozenFeatures:
    return FrozenFeatures("resnet8-cifar10", **{"device": "cpu", "data_dir": "data", **more})


def probe(**more: object) -> Pipeline:
    return make_pipeline(shipped(**more), LogisticProbeCV([0.1, 1.0], cv=2))


def computed() -> int:
    """Return how many rows went through the encoder in all, by the sets that they lie in."""
    return sum(one.layout.rows for one in FeatureStore(Path("data/features")).sets())


@pytest.fixture
def passes(caplog: pytest.LogCaptureFixture) -> list[int]:
    """The numbers of rows that were sent through the encoder so far."""
    caplog.set_level(logging.INFO, "frostline")

    class Passes(list[int]):
        def __iter__(self):
            said = [record.getMessage() for record in caplog.records]
            found = [int(one.split(": ")[1].split()[0].replace(",", "")) for one in said if one.endswith(" to compute")]
            return iter([rows for rows in found if rows])

    return Passes()


def test_scikit_learns_checks_pass_as_far_as_they_take_no_table() -> None:
    with pytest.warns(SkipTestWarning, match="Can't test estimator FrozenFeatures which requires input"):
        done = check_estimator(shipped())
    assert {one["status"] for one in done} == {"passed"}
    print(", ".join(one["check_name"] for one in done))


def test_features_are_those_of_the_command(tmp_path: Path) -> None:
    X, _ = drawn()
    for at, pixels in enumerate(X):
        place = tmp_path / "pictures" / COLOURS[at % 3] / f"{at:02}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place)
    settings = ExtractSettings(dataset=f"folder:{tmp_path / 'pictures'}", device="cpu", precision="fp32")
    sets = [load(open_set(one.folder)) for one in extract(settings)]
    before = computed()
    for rows in sets:
        paths = [tmp_path / "pictures" / name for name in rows.ids]
        np.testing.assert_array_equal(shipped().fit_transform(paths), rows.X)
        np.testing.assert_array_equal(shipped().fit_transform(list(map(str, paths))), rows.X)
    assert computed() == before  # files that the command has seen are found by their content
    paths = [tmp_path / "pictures" / name for name in sets[0].ids]
    np.testing.assert_array_equal(shipped().fit_transform([Image.open(path) for path in paths]), sets[0].X)


def test_some_of_the_samples_in_any_order_and_more_than_once_compute_nothing(passes: list[int]) -> None:
    X, _ = drawn()
    features = shipped().fit_transform(X)
    assert features.shape == (30, 128) and features.dtype == np.float32 and [*passes] == [30]
    rows = np.array([7, 3, 3, 29, 0])
    again = shipped().fit(X)
    np.testing.assert_array_equal(again.transform(X[rows]), features[rows])
    np.testing.assert_array_equal(again.transform([Image.fromarray(X[row]) for row in rows]), features[rows])
    assert [*passes] == [30]
    more, _ = drawn(40)
    more[:30] = X
    np.testing.assert_array_equal(again.transform(more)[:30], features)
    assert [*passes] == [30, 10]


def test_one_column_of_a_frame_or_an_array_is_a_list_of_samples(tmp_path: Path) -> None:
    X, _ = drawn(4)
    paths = [str(tmp_path / f"{at}.png") for at in range(4)]
    for path, pixels in zip(paths, X, strict=True):
        Image.fromarray(pixels).save(path)
    expected = shipped().fit_transform(X)
    frame = pd.DataFrame({"path": paths, "number": range(4)})
    columns = ColumnTransformer([("image", shipped(), ["path"])], sparse_threshold=0)
    np.testing.assert_array_equal(columns.fit_transform(frame), expected)
    for one in (frame[["path"]], pl.DataFrame({"path": paths}), np.array(paths)[:, None], frame[["path"]].to_numpy()):
        np.testing.assert_array_equal(shipped().fit_transform(one), expected)
    with pytest.raises(ValueError, match=r"a frame of 2 columns; expected one column, such as X\['path'\]"):
        shipped().fit(frame)


def test_it_is_shown_with_its_encoder() -> None:
    assert repr(FrozenFeatures("resnet8-cifar10")) == "FrozenFeatures(backbone='resnet8-cifar10')"
    assert repr(FrozenFeatures("resnet18")) == "FrozenFeatures(backbone='resnet18')"
    assert repr(FrozenFeatures(pool="mean")) == "FrozenFeatures(backbone='resnet8-cifar10', pool='mean')"


def test_features_that_are_cached_and_a_head_of_theirs_load_no_torch() -> None:
    X, y = drawn(12)
    np.savez("drawn.npz", X=X, y=y, features=shipped().fit_transform(X))
    code = "import sys, numpy as np, frostline as fl; given = np.load('drawn.npz')\n"
    code += "features = fl.FrozenFeatures('resnet8-cifar10', device='cpu', data_dir='data').fit_transform(given['X'])\n"
    code += "np.testing.assert_array_equal(features, given['features'])\n"
    code += "fl.KNNClassifier(k=3).fit(features, given['y']).predict(features)\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_errors_name_parameters_of_python() -> None:
    with pytest.raises(ValueError, match=r"batch_size") as caught:
        shipped(batch_size=0).fit(drawn(1)[0])
    assert "--" not in str(caught.value)


def test_nothing_is_loaded_where_all_is_known(passes: list[int], caplog: pytest.LogCaptureFixture) -> None:
    X, _ = drawn()
    shipped().fit_transform(X)
    caplog.clear()
    shipped().fit_transform(X[::-1])
    assert not [record for record in caplog.records if "loading" in record.getMessage()] and not [*passes]


def test_folds_and_searches_send_each_sample_through_the_encoder_once(passes: list[int]) -> None:
    X, y = drawn()
    assert cross_val_score(probe(), list(X), y, cv=5).mean() > 0.9
    assert sum(passes) == 30
    search = GridSearchCV(probe(), {"logisticprobecv__scaling": ["none", "l2"]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.9 and sum(passes) == 30
    assert (cross_val_predict(probe(), X, y, cv=3) == y).mean() > 0.9 and sum(passes) == 30


@pytest.mark.parametrize("known", [False, True])
def test_processes_side_by_side_send_each_sample_through_the_encoder_once(known: bool) -> None:
    X, y = drawn()
    if known:
        probe().fit(X, y)
        before = {folder.name for folder in Path("data/features").iterdir()}
    scores = cross_val_score(probe(data_dir=Path.cwd() / "data"), X, y, cv=3, n_jobs=2)
    assert scores.mean() > 0.9 and computed() == 30
    assert not known or {folder.name for folder in Path("data/features").iterdir()} == before


def test_a_pipeline_is_cloned_and_pickled_and_predicts_the_same() -> None:
    X, y = drawn()
    fitted = probe().fit(X, y)
    new, _ = drawn(9, seed=1)
    thawed = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(thawed.predict_proba(new), fitted.predict_proba(new))
    fresh = clone(fitted)
    assert fresh.get_params()["frozenfeatures__backbone"] == "resnet8-cifar10" and not hasattr(fresh[0], "width_")
    np.testing.assert_array_equal(fresh.fit(X, y).predict(new), fitted.predict(new))


def test_many_small_calls_leave_few_sets() -> None:
    X, _ = drawn(12)
    encoder = shipped().fit(X)
    one_by_one = np.concatenate([encoder.transform(X[at : at + 1]) for at in range(12)])
    sets = [*FeatureStore(Path("data/features")).sets()]
    assert len(sets) <= 5 and computed() == 12
    shutil.rmtree("data")
    np.testing.assert_array_equal(shipped().fit_transform(X), one_by_one)  # the same bits in any company
    assert verify(Path("data"))[1] == [] and not garbage(Path("data"))


def test_a_damaged_shard_is_computed_again(passes: list[int]) -> None:
    X, _ = drawn()
    features = shipped().fit_transform(X)
    (shard,) = Path("data/features").glob("*/shards/*.h5")
    shard.write_bytes(shard.read_bytes()[:-7] + b"damaged")
    np.testing.assert_array_equal(shipped().fit_transform(X), features)
    assert [*passes] == [30, 30]


def test_columns_have_names_and_frames_come_out() -> None:
    pandas = pytest.importorskip("pandas", reason="frames need pandas")
    X, _ = drawn(6)
    encoder = shipped().set_output(transform="pandas").fit(X)
    frame = encoder.transform(X)
    assert isinstance(frame, pandas.DataFrame) and frame.shape == (6, 128)
    assert list(frame.columns) == list(encoder.get_feature_names_out())
    assert frame.columns[0] == "frozenfeatures0" and encoder.width_ == 128


def test_a_series_of_paths_is_a_list_of_them(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="frames need pandas")
    X, _ = drawn(3)
    for at, pixels in enumerate(X):
        Image.fromarray(pixels).save(tmp_path / f"{at}.png")
    frame = pandas.DataFrame({"path": [str(tmp_path / f"{at}.png") for at in range(3)]}, index=[7, 5, 3])
    assert shipped().fit_transform(frame["path"]).shape == (3, 128)
    with pytest.raises(ValueError, match="got a frame of 2 columns; expected one column"):
        shipped().fit(frame.assign(number=1))


def test_layers_types_and_settings_are_other_features() -> None:
    X, _ = drawn(4)
    assert shipped(dtype="float16").fit_transform(X).dtype == np.float16
    assert shipped(layer="layer1", pool="avg").fit(X).width_ != 128
    plain, resized = (shipped(settings=how).fit_transform(X) for how in (None, {"resize": "16x16"}))
    assert plain.shape == resized.shape and not np.allclose(plain, resized)


def test_what_cannot_be_used_is_refused_in_words(tmp_path: Path) -> None:
    X, _ = drawn(3)
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    encoder = shipped().fit(X)
    with pytest.raises(ValueError, match=r"2 images of 2 can't be read:\n.*torn.png.*\n.*none.png"):
        encoder.transform([tmp_path / "torn.png", tmp_path / "none.png"])
    for given, said in (
        ("a.png", "got str; expected a list"),
        ([], "got 0 samples"),
        (X.astype(float), "expected a PIL image, or a uint8 array"),
        ([1, 2], "expected a PIL image"),
    ):
        with pytest.raises(ValueError, match=said):
            encoder.transform(given)
    with pytest.raises(ValueError, match="did you mean 'resnet50'"):
        FrozenFeatures("resnet5o", data_dir="data").fit(X)
    with pytest.raises(ValueError, match="unknown setting of FrozenFeatures 'resise'; did you mean 'resize'"):
        shipped(settings={"resise": 3}).fit(X)
    with pytest.raises(ValueError, match="not fitted"):
        shipped().transform(X)


def test_the_examples_are_true() -> None:
    done = doctest.testmod(frozen_features)
    assert done.attempted == 8 and not done.failed
