"""The functions of ``import frostline``: keywords as settings, objects as datasets, a cache that knows them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import frostline as fl
from frostline.pipeline.settings import Settings
from support.pages import Page

RNG = np.random.default_rng(0)
N = 40
y = np.array(["dark", "light"] * (N // 2))
X = RNG.integers(0, 150, (N, 8, 8, 3), np.uint8)
X[y == "light"] += 100
HOW = {"backbone": "resnet8-cifar10", "head": "ridge", "device": "cpu"}


def computed(found: Iterable[fl.Extracted]) -> int:
    return sum(done.computed for done in found)


@pytest.fixture
def report(work: Path) -> fl.Report:
    return fl.run(dataset=(X, y), **HOW)  # type: ignore[arg-type]


def test_keywords_are_the_settings_with_the_values_of_python(work: Path) -> None:
    how = {"dataset": "digits", "backbone": "pixels", "head": "ridge", "grid": {"alpha": [1, 10]}}
    found = fl.run(**how, data_dir=work / "here", train_sizes=[100, 200], draws=2)  # type: ignore[arg-type]
    same = fl.run(Settings(dataset="digits", backbone="pixels", head="ridge", grid="alpha=1,10", train_sizes="100,200",
                           draws=2, data_dir=work / "here"))  # fmt: skip
    assert found.path == same.path and found.path.is_relative_to(work / "here")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"datasett": "digits"}, "unknown setting 'datasett'; did you mean 'dataset'"),
        ({"dataset": "digits", "test_fraction": 2}, "test_fraction 2: expected a number below 1"),
        ({"dataset": "digits", "folds": 1}, "expected folds 2 to 100, auto, loo, or 0 to hold out"),
        ({"dataset": "digits", "C": 1}, 'unknown setting .C.; expected grid={"C": …}'),
        ({"dataset": "digits", "cv": 5}, "unknown setting 'cv'; expected folds=…"),
        ({"dataset": "digits", "qqq": 5}, r"unknown setting 'qqq'; .*help\(frostline.run\)"),
        ({"dataset": (X, y), "group": y}, r"group <U5 array \(40,\): expected text; a group is named by its column"),
        ({"dataset": (X, y), "engine": "processes"}, "engine processes with objects of Python"),
        ({"dataset": (X, y), "backbone": "pixels", "layer": "a,b"}, "2 runs in one call .*'a'.*'b'.*; expected one"),
    ],
)
def test_a_wrong_keyword_is_explained(work: Path, given: dict[str, object], said: str) -> None:
    with pytest.raises(fl.ConfigError, match=said):
        fl.run(**given)  # type: ignore[arg-type]


def test_settings_and_keywords_together_are_refused(work: Path) -> None:
    with pytest.raises(fl.ConfigError, match="settings and the keyword backbone; expected one or the other"):
        fl.run(Settings(), backbone="pixels")
    with pytest.raises(fl.ConfigError, match="got ExtractSettings; expected Settings"):
        fl.run(fl.ExtractSettings())  # type: ignore[arg-type]


def test_the_same_object_again_is_cached_and_of_a_changed_one_the_changed_row_is_computed(report: fl.Report) -> None:
    assert computed(report.probes[0].features) == N
    assert computed(fl.extract(dataset=(X, y), backbone="resnet8-cifar10", device="cpu")) == 0
    changed = X.copy()
    changed[7] = 255 - changed[7]
    assert computed(fl.extract(dataset=(changed, y), backbone="resnet8-cifar10", device="cpu")) == 1
    images = [Image.fromarray(one) for one in X]
    assert computed(fl.extract(dataset=(images, y.tolist()), backbone="resnet8-cifar10", device="cpu")) == 0


def test_fit_and_evaluate_take_objects_too(report: fl.Report) -> None:
    [fitted] = fl.fit(dataset=(X, y), **HOW)  # type: ignore[arg-type]
    [probe] = fl.evaluate(dataset=(X, y), **HOW)  # type: ignore[arg-type]
    assert fitted.cached and probe.evaluation and probe.evaluation.scores["accuracy"] == report.accuracy


def test_the_page_of_an_object_names_no_command(report: fl.Report) -> None:
    page = Page(report.path.with_name("report.html"))
    assert "No command can run it again, because the samples were Python objects" in page.text
    assert "frostline run " not in page.text and "memory:" not in page.text


class Restless(torch.utils.data.Dataset):
    def __len__(self):
        return N

    def __getitem__(self, row):
        return Image.fromarray(X[row] ^ RNG.integers(0, 2, X[row].shape, np.uint8)), y[row]


def test_a_random_transform_is_refused_before_anything_is_cached(work: Path) -> None:
    with pytest.raises(fl.DataError, match="is not what it was when it was first read"):
        fl.run(dataset=Restless(), **HOW)  # type: ignore[arg-type]
    assert not list(work.rglob("*.h5"))


def test_vectors_need_no_backbone_and_an_open_dataset_keeps_its_name(work: Path) -> None:
    vectors = RNG.normal(size=(N, 4)) + (y == "light")[:, None] * 3
    dataset = fl.load_dataset((vectors, y), name="moons", test_fraction=0.5)
    found = fl.run(dataset=dataset, head="lda")
    assert found.dataset == "moons" and found.rows.test == N // 2 and found.probes[0].backbone == "vectors"
    with pytest.raises(fl.ConfigError, match="test_fraction with a dataset that is open"):
        fl.run(dataset=dataset, test_fraction=0.3)


def test_a_path_is_a_folder_or_a_table(work: Path) -> None:
    for row in range(N):
        file = work.parent / "images" / y[row] / f"{row}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(X[row]).save(file)
    assert fl.load_dataset(Path("images")).train.content == fl.load_dataset("folder:images").train.content


def test_features_are_opened_by_folder_file_and_name(report: fl.Report) -> None:
    folder = report.probes[0].features[0].folder
    found = [fl.open_features(one) for one in (folder, folder / "features.h5", folder.name)]
    assert all(np.array_equal(one.X, found[0].X) and one.ids == found[0].ids for one in found)
    frame = found[0].to_frame()
    assert frame.shape == (32, 129) and {*frame["label"]} == {"dark", "light"} and [*frame.index] == [*found[0].ids]
    with pytest.raises(fl.ConfigError, match="no features in nowhere; expected a folder of data/features, or its name"):
        fl.open_features("nowhere")


def test_predictions_of_objects_are_those_of_their_files(report: fl.Report, tmp_path: Path) -> None:
    files = [tmp_path / f"{row}.png" for row in range(4)]
    for row, file in enumerate(files):
        Image.fromarray(X[row]).save(file)
    wanted = [one.classes for one in fl.predict(report, files)]
    [fitted] = fl.fit(dataset=(X, y), **HOW)  # type: ignore[arg-type]
    for given in (X[:4], list(X[:4]), [Image.open(file) for file in files], list(map(str, files))):
        assert [one.classes for one in fl.predict(fitted, given)] == wanted
    assert [one.classes for one in fl.predict(fitted.folder, Image.open(files[0]))] == wanted[:1]
    assert [one.classes for one in fl.load_classifier(report).predict(X[:4])] == wanted
    with pytest.raises(fl.DataError, match="got int '7'; expected a PIL image"):
        fl.predict(report, [7])


def test_two_open_splits_are_a_dataset_and_a_dataset_is_two_splits(work: Path) -> None:
    train, test = dataset = fl.load_dataset((X, y), name="shades")
    for given in ((train, test), {"train": train, "test": test}, (test, train)):
        assert fl.load_dataset(given).name == "shades"
    found = fl.load_dataset((train, test))
    assert found.train.content == dataset.train.content and found.test.split == "test"
    assert fl.load_dataset((test, train)).train.split == "train"
    other = fl.load_dataset((X, ["a", "b", "c", "d"] * (N // 4))).test
    with pytest.raises(fl.DataError, match=r"splits that differ: .* expected the same classes"):
        fl.load_dataset((train, other))


def test_values_are_those_of_the_libraries_around(work: Path) -> None:
    how = {"dataset": "digits", "backbone": "pixels", "head": "ridge", "class_weight": None}
    found = fl.run(**how, device=torch.device("cpu"), grid={"alpha": np.array([1, 10])})  # type: ignore[arg-type]
    assert found.settings["device"] == "cpu" and found.settings["class_weight"] == "none"
    assert [one["grid"] for one in [found.settings]] == [["alpha", [1, 10]]]


def test_an_object_in_settings_and_a_name_in_their_place_say_where_they_go(work: Path) -> None:
    with pytest.raises(fl.ConfigError, match=r"^dataset ") as told:
        fl.Settings(dataset=(X, y))  # type: ignore[arg-type]
    assert len(str(told.value)) < 400 and "run(dataset=…)" in str(told.value)
    with pytest.raises(fl.ConfigError, match="got str; expected Settings, or keywords; give a dataset as dataset=…"):
        fl.run("digits")  # type: ignore[arg-type]


def test_errors_name_keywords_and_functions_and_those_of_the_command_line_name_flags(work: Path) -> None:
    with pytest.raises(fl.StoreError, match=r"frostline.extract\(…\)"):
        fl.fit(dataset="digits", backbone="pixels", head="ridge")
    with pytest.raises(fl.ConfigError, match="several values of grid with folds, got one"):
        fl.run(dataset="digits", backbone="pixels", head="ridge", grid={"alpha": 1}, folds=3)
    from frostline.pipeline.settings import load_settings

    with pytest.raises(fl.ConfigError, match="expected --folds 2 to 100"):
        load_settings(Settings, {"folds": "1"})
