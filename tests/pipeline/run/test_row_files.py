"""A whole run on images of CIFAR-10 in a folder, in Parquet and as ``save_to_disk`` leaves them: one result."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from frostline.pipeline.run.run import run
from frostline.pipeline.settings import Settings
from frostline.stages.store import load, open_set
from support.cifar import unpack_cifar
from support.project import REPOSITORY
from support.row_files import FILE, IMAGE, class_label, save_dict_to_disk, with_features

Write = Callable[[Path, Path], str]


@pytest.fixture(scope="module")
def cifar(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpack_cifar(assets, tmp_path_factory.mktemp("cifar"), train=12, test=6)


def table_of(folder: Path, split: str) -> pyarrow.Table:
    """Return a split as a table, its rows in the order of the folder's samples and called as they are."""
    files = sorted(file for file in next(folder.rglob(split)).rglob("*.jpg"))
    root = next(folder.rglob(split)).parent
    classes = sorted({file.parent.name for file in files})
    cells = [{"bytes": file.read_bytes(), "path": file.relative_to(root).as_posix()} for file in files]
    labels = [classes.index(file.parent.name) for file in files]
    table = pyarrow.table({"image": pyarrow.array(cells, FILE), "label": labels})
    return with_features(table, image=IMAGE, label=class_label(*classes))


def as_parquet(folder: Path, place: Path) -> str:
    place.mkdir()
    for split in ("train", "test"):
        parquet.write_table(table_of(folder, split), place / f"{split}-00000-of-00001.parquet", row_group_size=50)
    return f"parquet:{place}/*.parquet"


def as_saved(folder: Path, place: Path) -> str:
    return f"hf-disk:{save_dict_to_disk(place, {split: table_of(folder, split) for split in ('train', 'test')})}"


@pytest.mark.parametrize("write", [as_parquet, as_saved])
def test_rows_of_files_give_the_features_and_scores_of_the_folder(cifar: Path, tmp_path: Path, write: Write) -> None:
    names = {"folder": f"folder:{next(cifar.rglob('train')).parent}", "rows": write(cifar, tmp_path / "rows")}
    found = {}
    for name, dataset in names.items():
        how = {"backbone": f"{REPOSITORY}/examples/resnet20.py:resnet20", "weights": "random", "baseline": "none"}
        settings = Settings(dataset=dataset, data_dir=tmp_path / name, head=("ridge",), precision="fp32", **how)
        found[name] = run(settings)
    one, other = found["folder"].probes[0], found["rows"].probes[0]
    assert one.evaluation and other.evaluation and one.evaluation.scores == other.evaluation.scores
    for these, those in zip(one.features, other.features, strict=True):
        mine, theirs = load(open_set(these.folder)), load(open_set(those.folder))
        assert (mine.key, list(mine.ids)) == (theirs.key, list(theirs.ids)) and mine.X.shape[1] == 64
        np.testing.assert_array_equal(np.asarray(mine.X), np.asarray(theirs.X))
