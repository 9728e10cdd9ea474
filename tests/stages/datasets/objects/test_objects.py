"""Objects of Python as datasets: real ones of each kind, known by their content."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import datasets as hf
import numpy as np
import pandas as pd
import polars as pl
import pytest
import soundfile
import torch
from PIL import Image
from torch.utils.data import IterableDataset, Subset, TensorDataset

from frostline.stages.datasets import Dataset, Request, open_dataset, open_object
from frostline.stages.errors import ConfigError, DataError

RNG = np.random.default_rng(0)
N = 20
X = RNG.integers(0, 256, (N, 8, 6, 3), np.uint8)
NAMES = ["ant", "bee"] * (N // 2)
y = np.arange(N) % 2
V = RNG.normal(size=(N, 5))


def opened(given: object, name: str = "", **asked: object) -> Dataset:
    return open_object(given, Request("", **asked), name)  # type: ignore[arg-type]


class Pictures(torch.utils.data.Dataset):
    """A map-style dataset, as torchvision's are."""

    classes = ("ant", "bee")

    def __len__(self):
        return N

    def __getitem__(self, row):
        return Image.fromarray(X[row]), int(y[row])


class Dicts(Pictures):
    def __getitem__(self, row):
        return {"index": row, "image": Image.fromarray(X[row]), "label": int(y[row])}


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    for row, pixels in enumerate(X):
        Image.fromarray(pixels).save(tmp_path / f"{row:02}.png")
    return sorted(tmp_path.iterdir())


IMAGES: dict[str, Callable[[], object]] = {
    "an array": lambda: (X, NAMES),
    "a dict": lambda: {"X": X, "y": np.array(NAMES)},
    "a list of PIL images": lambda: ([Image.fromarray(one) for one in X], NAMES),
    "a list of pairs": lambda: [(Image.fromarray(one), name) for one, name in zip(X, NAMES, strict=True)],
    "torch": Pictures,
    "torch, dicts": Dicts,
    "torch, tensors": lambda: TensorDataset(torch.tensor(X).permute(0, 3, 1, 2), torch.tensor(y)),
    "tensors": lambda: (torch.tensor(X).permute(0, 3, 1, 2), torch.tensor(y)),
}


@pytest.mark.parametrize("kind", IMAGES)
def test_the_same_images_are_the_same_whatever_holds_them(kind: str) -> None:
    found, wanted = opened(IMAGES[kind](), stratify=("none",)), opened((X, NAMES), stratify=("none",))
    assert found.train.content == wanted.train.content and found.test.content == wanted.test.content
    assert found.train.modality == "image" and len(found.train) == 16
    assert np.array_equal(found.train.targets.values, wanted.train.targets.values)
    row = int(found.train.ids[3].removeprefix("row "))
    assert np.array_equal(np.asarray(found.train[3]), X[row])


def test_files_have_the_digests_that_a_table_of_them_has(paths: list[Path], tmp_path: Path) -> None:
    table = tmp_path.parent / f"{tmp_path.name}.csv"
    table.write_text("path,label\n" + "".join(f"{p},{n}\n" for p, n in zip(paths, NAMES, strict=True)))
    wanted = open_dataset(f"csv:{table}", root=tmp_path).train
    pairs = list(zip(paths, NAMES, strict=True))
    frames = [library.DataFrame({"path": list(map(str, paths)), "label": NAMES}) for library in (pd, pl)]
    for given in (pairs, [(str(p), n) for p, n in pairs], *frames):
        assert opened(given).train.content == wanted.content


def test_bytes_in_a_frame_and_files_of_hugging_face_are_known_by_their_bytes(paths: list[Path]) -> None:
    data = [path.read_bytes() for path in paths]
    frames = [library.DataFrame({"photo": data, "kind": NAMES}) for library in (pd, pl)]
    features = hf.Features({"image": hf.Image(), "label": hf.ClassLabel(names=["ant", "bee"])})
    saved = hf.Dataset.from_dict({"image": list(map(str, paths)), "label": y.tolist()}, features=features)
    digests = [sorted(map(bytes, opened(frame, target=("kind",)).train.digests)) for frame in frames]
    theirs = opened(saved)
    assert digests[0] == digests[1] == sorted(map(bytes, theirs.train.digests))
    assert theirs.classes == ("ant", "bee") and theirs.train.encoded is not None


def test_texts_are_those_of_a_table(tmp_path: Path) -> None:
    texts = [f"a {name}, number {row}" for row, name in enumerate(NAMES)]
    table = tmp_path / "t.csv"
    pd.DataFrame({"text": texts, "label": NAMES}).to_csv(table, index=False)
    wanted = sorted(map(bytes, open_dataset(f"csv:{table}").train.digests))
    given = [
        (texts, NAMES),
        (pd.Series(texts), pd.Series(NAMES)),
        pl.DataFrame({"text": texts, "label": NAMES}),
        hf.Dataset.from_dict({"text": texts, "label": NAMES}),
    ]
    for one in given:
        found = opened(one)
        assert found.train.modality == "text" and sorted(map(bytes, found.train.digests)) == wanted


@pytest.mark.parametrize(
    ("labels", "kind", "names"),
    [
        (y, "single-label", ("0", "1")),
        (RNG.normal(size=N), "regression", ("label",)),
        (RNG.integers(0, 2, (N, 3)), "multi-label", ("label_0", "label_1", "label_2")),
        (RNG.normal(size=(N, 2)), "regression", ("label_0", "label_1")),
        ([["a", "b"] if row % 2 else ["c"] for row in range(N)], "multi-label", ("a", "b", "c")),
    ],
)
def test_the_type_of_labels_says_what_they_are(labels: object, kind: str, names: tuple[str, ...]) -> None:
    found = opened((V, labels))
    assert (found.train.targets.kind, found.classes, found.train.modality) == (kind, names, "vector")
    assert found.train.options == {"width": 5}


def test_vectors_are_rows_of_arrays_of_frames_and_of_hugging_face() -> None:
    wanted = opened((V, NAMES)).train.digests.tobytes()
    for given in (
        pd.DataFrame({"embedding": list(V), "label": NAMES}),
        pl.DataFrame({"embedding": V.tolist(), "label": NAMES}),
        hf.Dataset.from_dict({"embedding": V.tolist(), "label": NAMES}),
        TensorDataset(torch.tensor(V), torch.tensor(y)),
    ):
        assert opened(given).train.digests.tobytes() == wanted


def test_recordings_are_samples_and_a_rate() -> None:
    waves = [np.sin(np.arange(1600) * (row + 1) / 50) for row in range(N)]
    found = opened(([(wave, 16_000) for wave in waves], NAMES)).train
    assert found.modality == "audio" and found[0].rate == 16_000 and found[0].samples.dtype == np.float32


def test_recordings_of_hugging_face_of_dicts_and_of_columns_are_their_files(tmp_path: Path) -> None:
    files = [str(tmp_path / f"{row:02}.wav") for row in range(N)]
    for row, file in enumerate(files):
        soundfile.write(file, np.sin(np.arange(800) * (row + 1) / 50), 16_000)
    theirs = hf.Dataset.from_dict({"audio": files, "label": NAMES}).cast_column("audio", hf.Audio(decode=False))
    rows = [{"path": file, "label": name} for file, name in zip(files, NAMES, strict=True)]
    digests = [sorted(map(bytes, opened(one).train.digests)) for one in (theirs, rows, {"path": files, "label": NAMES})]
    assert digests[0] == digests[1] == digests[2] and opened(theirs).train.modality == "audio"


@pytest.mark.parametrize(
    "given",
    [
        ((X[:12], NAMES[:12]), (X[12:], NAMES[12:])),
        {"train": (X[:12], NAMES[:12]), "validation": (X[12:], NAMES[12:])},
        (Subset(Pictures(), range(12)), Subset(Pictures(), range(12, N))),
        hf.DatasetDict(
            train=hf.Dataset.from_dict({"e": V[:12].tolist(), "label": NAMES[:12]}),
            test=hf.Dataset.from_dict({"e": V[12:].tolist(), "label": NAMES[12:]}),
        ),
        tuple(pd.DataFrame({"e": list(V[part]), "label": NAMES[part]}) for part in (slice(12), slice(12, N))),
    ],
    ids=["pair", "dict", "torch", "DatasetDict", "frames"],
)
def test_splits_are_kept(given: object) -> None:
    found = opened(given)
    assert (len(found.train), len(found.test)) == (12, 8)
    assert found.train.ids[0] == "train/0" and not {*found.train.ids} & {*found.test.ids}


def test_a_column_names_the_split_the_group_and_the_row() -> None:
    frame = pd.DataFrame(
        {"e": list(V), "label": NAMES, "who": [row // 4 for row in range(N)], "id": range(100, 100 + N)}
    )
    found = opened(frame, group="who", test_fraction=0.4)
    assert found.train.targets.groups is not None and found.train.ids[0].startswith("1")
    frame["split"] = ["train"] * 15 + ["test"] * 5
    assert len(opened(frame).test) == 5
    indexed = pd.DataFrame({"e": list(V), "label": NAMES}, index=[f"k{row}" for row in range(N)])
    assert all(name.startswith("k") for name in opened(indexed).train.ids)


def test_a_changed_row_has_another_digest() -> None:
    changed = X.copy()
    changed[3, 0, 0, 0] ^= 1
    was, now = (opened(((one, NAMES), (one, NAMES))).train.digests for one in (X, changed))
    assert np.flatnonzero((was != now).any(axis=1)).tolist() == [3]


class Restless(Pictures):
    """What a random transform makes of a dataset."""

    def __getitem__(self, row):
        image, label = super().__getitem__(row)
        return image.rotate(random.choice([90, 180, 270])), label


def test_a_sample_that_changes_from_reading_to_reading_is_refused() -> None:
    train = opened(Restless()).train
    with pytest.raises(DataError, match="is not what it was when it was first read"):
        for _ in range(64):
            train.read(0)


def test_a_sample_that_cannot_be_used_is_a_problem_of_its_own() -> None:
    bad = V.copy()
    bad[4, 2] = np.nan
    found = opened((bad, NAMES))
    assert {x.ids[row]: why for x in found.splits for row, why in x.problems.items()} == {
        "row 4": "number 3 of 5 is NaN"
    }


class Stream(IterableDataset):
    def __iter__(self):
        return iter([(V[0], 0)])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((X, NAMES[:5]), "20 samples and 5 labels; expected one label for each sample"),
        ((X / 255, NAMES), "got float64 array .* expected a PIL image, or a uint8 array"),
        ((torch.zeros(N, 3, 8, 8), y), "got float32 tensor"),
        (7, "got int '7' as a dataset; expected"),
        ([1, 2], "a row of the list is int '1'; expected"),
        (Stream(), "expected a map-style Dataset"),
        (pl.DataFrame({"a": [1]}).lazy(), "expected a DataFrame: call .collect"),
        ({"train": (X, NAMES), "other": (X, NAMES)}, "splits train, other; expected train and test"),
        (pd.DataFrame({"e": list(V), "f": list(V), "label": NAMES}), "several columns could hold the samples: e, f"),
        (pd.DataFrame({"e": list(V), "kind": NAMES}), "no column label; found kind"),
        ((["nope.png"] * 2, ["a", "b"]), "nope.png: no such file"),
        (((X, NAMES), (V, NAMES)), "splits of different columns"),
    ],
    ids=range(12),
)
def test_what_is_no_dataset_is_said_to_be_none(given: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        opened(given)


def test_settings_of_files_are_refused_and_no_name_opens_an_object() -> None:
    with pytest.raises(ConfigError, match="root here with samples that are no paths"):
        opened((X, NAMES), root=Path("here"))
    with pytest.raises(ConfigError, match="was an object of Python's memory"):
        open_dataset("memory:array")
    with pytest.raises(ConfigError) as told:
        open_dataset("memry:array")
    assert "memory" not in str(told.value).partition("wanted")[2]
