"""Labels as Python has them: of one, of several, of amounts; and what is said of those that can't be."""

from __future__ import annotations

import datasets as hf
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from torch.utils.data import Subset, TensorDataset, random_split

from frostline.stages.datasets import Dataset, Request, open_object
from frostline.stages.errors import DataError

N = 20
V = np.random.default_rng(0).normal(size=(N, 5))
y = np.arange(N) % 2
NAMES = ["ant", "bee"] * (N // 2)
TEXTS = [f"text number {row}" for row in range(N)]
LISTS = [[0, 1], [1], [0], [1, 2]] * (N // 4)


def opened(given: object, **asked: object) -> Dataset:
    return open_object(given, Request("", **asked))  # type: ignore[arg-type]


def what(found: Dataset) -> tuple[str, tuple[str, ...]]:
    return found.train.targets.kind, found.classes


@pytest.mark.parametrize(
    "labels",
    [y[:, None], y[:, None].tolist(), torch.tensor(y)[:, None], pd.DataFrame({"kind": y}), pl.DataFrame({"kind": y})],
    ids=["array", "lists", "tensor", "pandas", "polars"],
)
def test_one_column_of_labels_is_one_label_a_row(labels: object) -> None:
    found, wanted = opened((V, labels)), opened((V, y))
    assert what(found) == what(wanted) == ("single-label", ("0", "1"))
    assert np.array_equal(found.train.targets.values, wanted.train.targets.values)


@pytest.mark.parametrize("column", ["label", "labels"])
def test_lists_of_the_numbers_of_labels_are_several_labels_in_every_kind_of_object(column: str) -> None:
    named = {"target": (column,)} if column != "label" else {}
    wanted = opened((TEXTS, LISTS))
    assert what(wanted) == ("multi-label", ("0", "1", "2"))
    theirs = [kind({"text": TEXTS, column: LISTS}) for kind in (hf.Dataset.from_dict, pd.DataFrame, pl.DataFrame)]
    for given in (*theirs, {"text": TEXTS, column: LISTS}):
        found = opened(given, **named)
        assert what(found) == what(wanted) and found.train.modality == "text"
        assert np.array_equal(found.train.targets.values, wanted.train.targets.values)


def test_lists_of_classes_and_sets_are_several_labels_even_where_each_has_one() -> None:
    features = hf.Features({"text": hf.Value("string"), "label": hf.Sequence(hf.ClassLabel(names=["ant", "bee"]))})
    ones = [[name] for name in NAMES]
    for given in (
        hf.Dataset.from_dict({"text": TEXTS, "label": y[:, None].tolist()}, features=features),
        hf.Dataset.from_dict({"text": TEXTS, "label": ones}),
        pd.DataFrame({"text": TEXTS, "label": ones}),
        (TEXTS, ones),
        (TEXTS, [{name} for name in NAMES]),
    ):
        assert what(opened(given)) == ("multi-label", ("ant", "bee"))


def test_as_many_flags_for_each_are_a_label_each() -> None:
    flags = np.random.default_rng(1).integers(0, 2, (N, 3))
    wanted = opened((TEXTS, flags))
    for given in ((TEXTS, flags.tolist()), hf.Dataset.from_dict({"text": TEXTS, "label": flags.tolist()})):
        assert what(opened(given)) == what(wanted) == ("multi-label", ("label_0", "label_1", "label_2"))
    frame = opened((pd.DataFrame(V), pd.DataFrame(flags, columns=["red", "round", "ripe"])))
    assert what(frame) == ("multi-label", ("red", "round", "ripe"))
    assert np.array_equal(frame.train.targets.values, wanted.train.targets.values) or len(frame.train) == 16


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_a_frame_of_numbers_is_vectors_by_row_and_one_of_a_column_is_that_column(kind: type) -> None:
    wanted = opened((V, NAMES))
    frame = kind({f"f{at}": V[:, at] for at in range(5)})
    assert opened((frame, NAMES)).train.digests.tobytes() == wanted.train.digests.tobytes()
    assert opened((kind({"t": TEXTS}), NAMES)).train.modality == "text"
    with pytest.raises(DataError, match="X is a frame whose columns t are not numbers; expected columns of numbers"):
        opened((kind({"t": TEXTS, "f": V[:, 0]}), NAMES))


def test_whole_numbers_as_floats_are_amounts_with_a_note_or_classes_where_the_task_says_so() -> None:
    found = opened((V, y.astype(float)))
    assert found.train.targets.kind == "regression"
    assert any('for classes give whole numbers or names, or task="single-label"' in note for note in found.notes)
    assert what(opened((V, y.astype(float)), task="single-label")) == ("single-label", ("0", "1"))
    assert what(opened(pd.DataFrame({"e": list(V), "label": y * 1.0}))) == ("single-label", ("0", "1"))
    assert not opened((V, y + 0.5)).notes
    hot = np.eye(2)[y]
    assert opened((V, hot), task="multi-label").train.targets.kind == "multi-label" and opened((V, hot)).notes


class Broken(torch.utils.data.Dataset):
    def __len__(self):
        return N

    def __getitem__(self, row):
        if row == 7:
            raise ValueError("no such file")
        return torch.tensor(V[row]), int(y[row])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((V, [None, *NAMES[1:]]), "row 0: no label"),
        ((V, {"a": 1}), "the labels, the second of the pair, are dict .*; expected a list, an array or a series"),
        ((V, [[0.5], [0.5, 1.5]] * 10), "lists of floats of different lengths"),
        ([V, y], r"a list of two arrays of one length; expected a pair, \(X, y\)"),
        ((one for one in V), r"got generator .*call list\(\) first"),
        ({"a": 1}, "column a is int '1'; expected a list with a value for each row"),
        (pd.DataFrame({"text": TEXTS, "cls": NAMES}), 'no column label; found text, cls; .*target="cls"'),
        (pd.DataFrame({"text": TEXTS, "labels": LISTS}), 'no column label; found text, labels; .*target="labels"'),
        (
            (V, [f"{v:.4f}" for v in V[:, 0]]),
            "the classes are numbers such as .*; for amounts choose --task regression",
        ),
        (Broken(), r"item 7 of Broken can't be read \(ValueError: no such file\)"),
    ],
    ids=range(10),
)
def test_what_is_wrong_is_said_of_what_is_wrong(given: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        opened(given)


def test_a_list_of_two_splits_is_train_and_test() -> None:
    whole = TensorDataset(torch.tensor(V), torch.tensor(y))
    parts = random_split(whole, [12, 8], torch.Generator().manual_seed(0))
    assert isinstance(parts, list) and isinstance(parts[0], Subset)
    assert tuple(map(len, opened(parts))) == (12, 8)


def test_rows_are_asked_for_by_number_and_by_slice() -> None:
    train, test = opened((V, y))
    assert len(train[:2]) == 2 and np.array_equal(train[:2][1], train[1]) and len(test) == 4
    with pytest.raises(IndexError, match="row 99 of 16 samples; expected 0 to 15"):
        train[99]


def test_what_of_a_dataset_is_not_used_is_noted() -> None:
    class Named(TensorDataset):
        classes = ("only",)

    found = opened(Named(torch.tensor(V), torch.tensor(y)))
    assert found.classes == ("0", "1")
    assert "classes of the dataset are not used: 1, while labels are 0 to 1" in found.notes
    theirs = hf.Dataset.from_dict({"text": TEXTS, "label": NAMES})
    theirs.set_transform(lambda batch: batch)
    assert any("own transform is not applied" in note for note in opened(theirs).notes)
    both = (V, NAMES)
    notes = opened({"train": both, "validation": both, "test": both}).notes
    assert "splits that are not used, because there is test: validation" in notes


def test_a_row_without_a_label_says_nothing_of_files() -> None:
    with pytest.raises(DataError) as told:
        opened(pd.DataFrame({"path": ["a.png", "b.png"], "label": ["a", None]}))
    assert "files are searched in" in str(told.value)  # they are not there
    with pytest.raises(DataError) as told:
        opened(pd.DataFrame({"text": TEXTS, "label": [None, *NAMES[1:]]}))
    assert "row 0: no label" in str(told.value) and "searched" not in str(told.value)
