"""A table without a split column is split by its target, by other columns, or by nothing but the samples' content."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from frostline.stages.datasets import Dataset, open_dataset
from frostline.stages.errors import ConfigError, DataError
from support.pictures import paint

HEADER = ["path", "label", "warm", "weight", "rare"]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """120 pictures; ``rare`` is one of 8 classes that has no value in every tenth row."""
    rows = []
    for i in range(120):
        paint(tmp_path / f"{i:03d}.png", i % 3, i)
        rare = "" if i % 10 == 0 else f"r{min(i % 7, 3)}"
        rows.append([f"{i:03d}.png", "abc"[i % 3], str(int(i % 4 == 0)), f"{i * 0.37:.2f}", rare])
    return written(tmp_path / "table.csv", rows)


def written(file: Path, rows: list[list[str]]) -> Path:
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([HEADER, *rows])
    return file


def split(table: Path, target: str, *stratify: str) -> Dataset:
    return open_dataset(f"csv:{table}", target=(target,), task="single-label", stratify=stratify)


def held(dataset: Dataset) -> frozenset[str]:
    return frozenset(dataset.test.ids)


def test_targets_that_are_stratified_alike_share_one_split(table: Path) -> None:
    columns = ("label", "warm", "rare")
    one, other = (split(table, target, *columns) for target in ("label", "warm"))
    assert (one.train.content, one.test.content) == (other.train.content, other.test.content)
    assert held(split(table, "label")) != held(split(table, "warm"))


def test_every_class_of_every_column_is_on_both_sides_in_its_share(table: Path) -> None:
    found = split(table, "label", "label", "warm", "rare")
    with table.open(newline="") as stream:
        rows = {row["path"]: row for row in csv.DictReader(stream)}
    for column in ("label", "warm", "rare"):
        for value in {row[column] for row in rows.values()} - {""}:
            having = {path for path, row in rows.items() if row[column] == value}
            assert abs(len(having & held(found)) - 0.2 * len(having)) <= 1.5, (column, value)


def test_the_column_of_another_target_splits_as_it_splits_for_itself(table: Path) -> None:
    assert held(split(table, "warm", "label")) == held(split(table, "label"))


def test_a_column_of_numbers_is_stratified_by_its_quantiles(table: Path) -> None:
    weights = [float(name[:3]) for name in split(table, "label", "weight", "label").test.ids]
    counts = np.histogram(weights, 4, (0, 120))[0]
    assert counts.min() >= 5


def test_without_strata_a_corrected_label_moves_no_sample(table: Path) -> None:
    before = held(split(table, "label", "none"))
    with table.open(newline="") as stream:
        rows = [list(row) for row in csv.reader(stream)][1:]
    rows[0][1] = rows[1][1] = "c"
    assert held(split(written(table, rows), "label", "none")) == before
    assert 12 <= len(before) <= 36


def test_a_column_that_is_not_there_is_an_error_with_the_nearest_names(table: Path) -> None:
    with pytest.raises(DataError, match="no column lable; found path, label"):
        split(table, "label", "lable")


def test_none_stands_alone(table: Path) -> None:
    with pytest.raises(ConfigError, match="stratify none, label: expected columns, or only none"):
        split(table, "label", "none", "label")


def test_a_class_of_one_sample_is_named_with_its_column(table: Path) -> None:
    with table.open(newline="") as stream:
        rows = [list(row) for row in csv.reader(stream)][1:]
    rows[5][4] = "single"
    with pytest.raises(DataError, match="'rare=single': 1 sample with it"):
        split(written(table, rows), "label", "label", "rare")
