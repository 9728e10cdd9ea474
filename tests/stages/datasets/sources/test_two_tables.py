"""Two tables are the two splits of one dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostline.pipeline.settings import ExtractSettings
from frostline.stages.datasets import open_dataset
from frostline.stages.errors import ConfigError, DataError
from support.pictures import put


def tables(folder: Path, test: str = "b.csv", columns: str = "label,path") -> tuple[Path, Path]:
    for i in range(8):
        put(folder / f"{i}.png")
    (folder / test).parent.mkdir(exist_ok=True)
    (folder / "a.csv").write_text("path,label\n" + "".join(f"{i}.png,{'ab'[i % 2]}\n" for i in range(6)))
    (folder / test).write_text(f"{columns}\n" + "".join(f"{'ab'[i % 2]},{i}.png\n" for i in range(6, 8)))
    return folder / "a.csv", folder / test


def test_the_second_table_is_the_test_split(tmp_path: Path) -> None:
    train, test = tables(tmp_path)
    found = open_dataset(f"csv:{train}", test=str(test))
    assert ([*found.train.ids], [*found.test.ids]) == ([f"{i}.png" for i in range(6)], ["6.png", "7.png"])
    assert found.test.targets.values.tolist() == [0, 1] and found.name == "a"


@pytest.mark.parametrize("name", ["split", "Fold"])
def test_a_column_of_splits_that_is_not_used_is_told(tmp_path: Path, name: str) -> None:
    train, test = tables(tmp_path, columns="label,path")
    for file in (train, test):
        first, *rest = file.read_text().splitlines()
        file.write_text("\n".join([f"{first},{name}", *(f"{row},train" for row in rest)]))
    columns = {} if name == "split" else {"split": name}
    found = open_dataset(f"csv:{train}", test=str(test), columns=columns)
    assert (len(found.train), len(found.test)) == (6, 2)
    assert f"column {name} is not used: the split is taken from --test" in found.notes


def test_a_fault_names_its_table_and_line(tmp_path: Path) -> None:
    train, test = tables(tmp_path)
    test.write_text(test.read_text() + "a,0.png\na,gone.png\n")
    with pytest.raises(
        DataError, match=r"b.csv, line 4: 0.png appears twice, first on line 2\n  b.csv, line 5: gone.png: no such"
    ):
        open_dataset(f"csv:{train}", test=str(test))


def test_tables_of_other_columns_are_an_error(tmp_path: Path) -> None:
    train, test = tables(tmp_path, columns="label,path")
    test.write_text(test.read_text().replace("label,path", "label,path,age").replace("png", "png,3"))
    with pytest.raises(DataError, match="have different columns: age only in one of them"):
        open_dataset(f"csv:{train}", test=str(test))


def test_tables_in_two_folders_need_a_root(tmp_path: Path) -> None:
    train, test = tables(tmp_path, "x/b.csv")
    with pytest.raises(ConfigError, match="are in two folders; give the folder"):
        open_dataset(f"csv:{train}", test=str(test))
    assert len(open_dataset(f"csv:{train}", test=str(test), root=tmp_path).test) == 2


def test_texts_are_told_apart_by_their_table(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text(
            "".join(f'{{"text": "{name} {i}", "label": "{i % 2}"}}\n' for i in range(4))
        )
    found = open_dataset(f"jsonl:{tmp_path}/a.jsonl", test=f"{tmp_path}/b.jsonl")
    assert (found.train.ids[0], found.test.ids[0]) == ("line 1", "b.jsonl, line 1")


def test_a_setting_names_the_training_split_as_well(tmp_path: Path) -> None:
    train, test = tables(tmp_path)
    asked = ExtractSettings(dataset="csv", train=str(train), test=str(test))
    assert asked == ExtractSettings(dataset=f"csv:{train}", train=str(train), test=str(test))
    assert (
        asked.dataset == f"csv:{train}"
        and "train" not in asked.model_dump()
        and asked.model_dump()["test"] == str(test)
    )
    with pytest.raises(
        ConfigError, match=r"expected dataset PREFIX and train PLACE, got dataset csv:.*a.csv and train x"
    ):
        ExtractSettings(dataset=f"csv:{train}", train="x.csv")
    with pytest.raises(
        ConfigError,
        match=r"expected test only with csv:FILE, jsonl:FILE, .*, tar:PATTERN, zip:FILE, .* got folder:x",
    ):
        ExtractSettings(dataset="folder:x", test="y")
    with pytest.raises(
        ConfigError,
        match=r"expected test only with .*, got folder:x[.] A folder has its splits inside: put train/CLASS/",
    ):
        ExtractSettings(dataset="folder", train="x", test="y")
