"""All samples of a source, without labels and without splits: what a head is asked about."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from frostline.stages.datasets import ALL, Request, open_dataset, open_samples
from frostline.stages.errors import DataError
from support.pictures import paint


def asked(modality: str, **more: object) -> Request:
    return Request("", modality=modality, **more)  # type: ignore[arg-type]


def test_a_folder_without_classes_or_splits_gives_every_file_once(tmp_path: Path) -> None:
    for name in ("b.png", "deep/a.png", "deep/er/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        paint(tmp_path / name, 0, 0)
    (tmp_path / "notes.txt").write_text("no image")
    samples, notes = open_samples(f"folder:{tmp_path}", asked("image"))
    assert list(samples.ids) == ["b.png", "deep/a.png", "deep/er/c.png"]
    assert samples.split == ALL
    assert samples.targets.names == ()
    assert samples.read(1).size
    assert any("notes.txt" in note for note in notes)


def test_rows_of_labelled_and_unlabelled_folders_have_the_same_names_and_content(folder: Path) -> None:
    labelled = open_dataset(f"folder:{folder}")
    samples, _ = open_samples(f"folder:{folder}", asked("image"))
    known = {n: d.tobytes() for split in labelled.splits for n, d in zip(split.ids, split.digests, strict=True)}
    assert known == {n: d.tobytes() for n, d in zip(samples.ids, samples.digests, strict=True)}


def test_tables_need_no_label(tmp_path: Path) -> None:
    paint(tmp_path / "x.png", 0, 0)
    (tmp_path / "files.csv").write_text("path\nx.png\n")
    (tmp_path / "said.csv").write_text("id,text\nfirst,hello\nsecond,you\n")
    assert list(open_samples(f"csv:{tmp_path}/files.csv", asked("image"))[0].ids) == ["x.png"]
    texts, _ = open_samples(f"csv:{tmp_path}/said.csv", asked("text"))
    assert [texts.read(row) for row in range(2)] == ["hello", "you"]
    assert list(texts.ids) == ["first", "second"]


def test_a_file_that_is_not_there_is_said_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "files.csv").write_text("path\ngone.png\n")
    with pytest.raises(DataError, match=r"line 2: gone\.png"):
        open_samples(f"csv:{tmp_path}/files.csv", asked("image"))


def test_vectors_need_no_label_and_may_be_named(tmp_path: Path) -> None:
    X = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.savez(tmp_path / "x.npz", features=X, mine=X + 1)
    samples, _ = open_samples(f"vectors:{tmp_path}/x.npz", asked("vector", columns={"features": "mine"}))
    assert list(samples.ids) == ["000001", "000002", "000003"]
    np.testing.assert_array_equal(samples.read(2), X[2] + 1)


def test_a_source_that_knows_only_splits_gives_both(tmp_path: Path) -> None:
    train, test = open_dataset("digits").splits
    samples, _ = open_samples("digits", asked("image", downloads=tmp_path))
    assert len(samples) == len(train) + len(test)
    assert sorted(samples.ids) == sorted([*train.ids, *test.ids])
    assert samples.read(len(train)).tobytes() == test.read(0).tobytes()


def test_samples_of_another_modality_are_refused() -> None:
    with pytest.raises(DataError, match=r"digits holds images; the head expects texts"):
        open_samples("digits", asked("text"))
