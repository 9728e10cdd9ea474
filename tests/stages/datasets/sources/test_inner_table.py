"""Tables in zip files: each names the samples of its own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from frostline.stages.datasets import Dataset, open_dataset
from frostline.stages.errors import DataError
from support.archives import forest, pictures, zip_of


def table(count: int, swap: bool = False, header: str = "path,label") -> tuple[str, bytes]:
    """Return a table of 0.png, 1.png, …, with labels a and b in turn, or b and a."""
    more = ",3" * (header.count(",") - 1)
    rows = "".join(f"{i}.png,{'ab'[(i + swap) % 2]}{more}\n" for i in range(count))
    return "images/labels.csv", f"{header}\n{rows}".encode()


def images(first: int, count: int) -> list[tuple[str, bytes]]:
    return pictures(first, *(f"images/{i}.png" for i in range(count)))


def labels(found: Dataset) -> dict[bytes, str]:
    """Return the label of each sample, by its pixels."""
    return {
        split.read(row).tobytes(): split.targets.names[split.targets.values[row]]
        for split in found.splits
        for row in range(len(split))
    }


def test_a_table_names_no_samples_of_another_file(tmp_path: Path) -> None:
    zip_of(tmp_path / "x.zip", [*images(0, 8), table(8)])
    zip_of(tmp_path / "y.zip", images(20, 8))
    with pytest.raises(
        DataError, match=r"x.zip/images/labels.csv names samples, and 1 file next to it(.|\n)*  .*y.zip"
    ):
        open_dataset(f"zip:{tmp_path}/{{y,x}}.zip")


def test_each_file_has_its_table(tmp_path: Path) -> None:
    zip_of(tmp_path / "x.zip", [*images(0, 8), table(8)])
    zip_of(tmp_path / "y.zip", [*images(20, 6), table(6, swap=True)])
    both = open_dataset(f"zip:{tmp_path}/{{x,y}}.zip", test_fraction=0.5)
    alone = [open_dataset(f"zip:{tmp_path}/{name}.zip", test_fraction=0.5) for name in "xy"]
    assert labels(both) == labels(alone[0]) | labels(alone[1]) and len(labels(both)) == 14


def test_two_places_have_a_table_each(tmp_path: Path) -> None:
    zip_of(tmp_path / "x.zip", [*images(0, 8), table(8)])
    zip_of(tmp_path / "w.zip", [*images(20, 4), table(4, swap=True)])
    found = open_dataset(f"zip:{tmp_path}/x.zip", test=f"{tmp_path}/w.zip")
    assert (len(found.train), len(found.test)) == (8, 4)
    assert found.test.targets.values.tolist() == [1, 0, 1, 0] and found.train.targets.values.tolist()[:2] == [0, 1]


def test_a_table_beside_class_folders_is_an_error(tmp_path: Path) -> None:
    zip_of(tmp_path / "x.zip", [*images(0, 8), table(8)])
    zip_of(tmp_path / "y.zip", pictures(20, "a/0.png", "b/0.png"))
    with pytest.raises(DataError, match=r"have no such table; expected a table in each(.|\n)*y.zip"):
        open_dataset(f"zip:{tmp_path}/x.zip", test=f"{tmp_path}/y.zip")


def test_tables_of_other_columns_are_an_error(tmp_path: Path) -> None:
    zip_of(tmp_path / "x.zip", [*images(0, 8), table(8)])
    zip_of(tmp_path / "y.zip", [*images(20, 8), table(8, header="path,label,age")])
    with pytest.raises(DataError, match="have different columns: age only in one of them"):
        open_dataset(f"zip:{tmp_path}/*.zip")


def test_two_tables_of_one_file_are_a_question(tmp_path: Path) -> None:
    members = [*images(0, 8), table(8), ("more.csv", table(8)[1].replace(b"\n", b"\nimages/", 8))]
    with pytest.raises(DataError, match="both list samples; keep only one"):
        open_dataset(f"zip:{zip_of(tmp_path / 'x.zip', members)}")


@pytest.mark.parametrize("order", [1, -1])
def test_tables_that_are_not_used_are_told_in_any_order(tmp_path: Path, order: int) -> None:
    tables = [table(8), ("images/other.csv", b"path,label\nz.png,a\n"), ("about.csv", b"name\nx\n")]
    found = open_dataset(f"zip:{zip_of(tmp_path / 'x.zip', [*images(0, 8), *tables[::order]])}")
    assert {note for note in found.notes if "is not used" in note} == {
        "images/other.csv is not used: none of its paths, such as z.png, is the path of a sample in it",
        "about.csv is not used: no column path that names samples",
    }


def test_without_labels_an_error_speaks_of_zip_files_and_of_their_tables(tmp_path: Path) -> None:
    file = zip_of(tmp_path / "x.zip", [*pictures(0, "0.png", "1.png"), ("t.csv", b"path,label\nz.png,a\n")])
    with pytest.raises(DataError, match=r"found no columns; expected class folders, or a table in the zip .*t.csv is"):
        open_dataset(f"zip:{file}")


def test_a_table_that_is_not_needed_is_no_error(tmp_path: Path) -> None:
    zip_of(tmp_path / "x.zip", [*forest(), ("about.csv", b"name\nx\n")])
    zip_of(tmp_path / "y.zip", [(f"more/{name}", data) for name, data in forest(30)])
    assert (
        "x.zip/about.csv is not used: no column path that names samples"
        in open_dataset(f"zip:{tmp_path}/{{x,y}}.zip", class_level=2).notes
    )


def test_a_column_of_a_table_that_is_called_as_a_component_is_no_label(tmp_path: Path) -> None:
    members = [*images(0, 8), table(8, header="path,label,cls")]
    found = open_dataset(f"zip:{zip_of(tmp_path / 'x.zip', members)}", test_fraction=0.5)
    assert found.train.targets.names == ("a", "b")
