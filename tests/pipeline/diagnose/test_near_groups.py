"""Copies and near duplicates become groups, and a file of them keeps each on one side."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from frostline.pipeline.diagnose.health import health
from frostline.pipeline.diagnose.near_groups import near_groups, write_groups
from frostline.pipeline.run.run import run
from frostline.pipeline.settings import ExtractSettings, Settings
from frostline.stages.datasets import open_dataset
from frostline.stages.errors import DataError
from support.pictures import paint


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """40 pictures of two colours, of which two of a colour are there four times each, once with another name."""
    monkeypatch.chdir(tmp_path)
    for i in range(40):
        paint(tmp_path / "photos" / "rg"[i % 2] / f"{i:02d}.png", i % 2, i)
    for name, copies in (("r/00", "abc"), ("g/01", "xyz")):
        for one in copies:
            shutil.copy(tmp_path / f"photos/{name}.png", tmp_path / f"photos/{name}{one}.png")
    return tmp_path / "photos"


def settings(folder: Path, kind: type[ExtractSettings], **more: object) -> ExtractSettings:
    return kind(dataset=f"folder:{folder}", backbone="pixels", resize=(8, 8), device="cpu", **more)


def test_samples_that_are_one_picture_are_one_group_in_a_file(folder: Path, tmp_path: Path) -> None:
    run(settings(folder, Settings, head=("ridge",)))
    found = health(settings(folder, ExtractSettings))
    groups = {group for group in near_groups(found) if len(group) == 4}
    alike = {("r/00", "abc"), ("g/01", "xyz")}
    assert groups == {(f"{name}.png", *(f"{name}{one}.png" for one in copies)) for name, copies in alike}
    assert write_groups(found, tmp_path / "groups.csv") == len(near_groups(found))


def test_a_file_of_groups_keeps_each_on_one_side(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "groups.csv"
    names = [f"{'rg'[i % 2]}/{i:02d}.png" for i in range(40)]
    file.write_text("path,group\n" + "".join(f"{name},{i // 8}\n" for i, name in enumerate(names[:32])))
    dataset = open_dataset(f"folder:{folder}", group_file=file)
    sides = [{names.index(one) // 8 for one in samples.ids if one in names[:32]} for samples in dataset.splits]
    assert not sides[0] & sides[1] and sides[0] | sides[1] == {0, 1, 2, 3}
    alone = [one for samples in dataset.splits for one in samples.ids if one not in names[:32]]
    assert len(alone) == 14


def test_a_file_that_names_no_sample_is_an_error_that_shows_a_path(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "groups.csv").write_text("path,group\nphotos/r/00.png,1\n")
    with pytest.raises(DataError, match=r"contains none of the 46 samples of photos; expected paths such as g/01\.png"):
        open_dataset(f"folder:{folder}", group_file=tmp_path / "groups.csv")
