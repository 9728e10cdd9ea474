"""A matrix: read strictly, and refused with a hint before anything is computed."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from frostline.pipeline.bench.matrix import read_matrix
from frostline.pipeline.bench.schedule import schedule
from frostline.stages.errors import ConfigError
from support.matrices import DIGITS, PIXELS, RIDGE, SHIPPED
from support.project import REPOSITORY, Write


def test_every_combination_is_a_cell_in_the_order_of_the_file(write: Write) -> None:
    backbone = SHIPPED + 'layer = ["default", "layer2"]\n'
    found = write(f'[defaults]\nprecision = "fp32"\n{DIGITS}{backbone}{PIXELS}{RIDGE}[[head]]\nhead = ["lda", "knn"]\n')
    names = [(cell.name.backbone, cell.name.layer, cell.name.head) for cell in found.cells]
    wanted = [("resnet8-cifar10", "default"), ("resnet8-cifar10", "layer2"), ("pixels", "default")]
    assert names == [(*where, head) for where in wanted for head in ("ridge", "lda", "knn")]
    assert {cell.settings.precision for cell in found.cells} == {"fp32"}
    assert [cell.settings.layer for cell in found.cells[::3]] == [None, "layer2", None]
    assert found.cells[0].settings.grid is not None and found.cells[1].settings.grid is None
    assert len({cell.backbone_pass for cell in found.cells}) == 3


def test_the_sample_that_ships_is_a_matrix_of_eighteen_heads_and_six_curves(work: Path) -> None:
    file = REPOSITORY / "examples" / "matrix.toml"
    matrix = read_matrix(file, work)
    assert [sum(cell.drawn is drawn for cell in matrix.cells) for drawn in (False, True)] == [18, 6]
    assert {cell.settings.dataset for cell in matrix.cells} == {"digits"} and tomllib.loads(file.read_text())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DIGITS + SHIPPED + '[[heads]]\nhead = "ridge"\n', "unknown table"),
        ("[default]\nseed = 1\n" + DIGITS + SHIPPED + RIDGE, "did you mean 'defaults'"),
        ("[defaults]\nprecison = 'fp32'\n" + DIGITS + SHIPPED + RIDGE, "did you mean 'precision'"),
        ("[defaults]\nhead = 'ridge'\n" + DIGITS + SHIPPED + RIDGE, "unknown setting in defaults 'head'"),
        (DIGITS + SHIPPED + "layers = ['layer2']\n" + RIDGE, "did you mean 'layer'"),
        (DIGITS + SHIPPED + "grid = [1]\n" + RIDGE, "unknown setting in [[backbone]] 'grid'"),
        (DIGITS + SHIPPED + '[[head]]\nhead = "rigde"\n', "did you mean 'ridge'"),
        (DIGITS + SHIPPED + "resize = 0\n" + RIDGE, "--resize 0"),
        (DIGITS + SHIPPED + '[[head]]\nhead = "clip"\nfolds = 5\n', "the protocol fixes them"),
        (DIGITS + SHIPPED + "[head]\nhead = 'ridge'\n", "in double brackets"),
        (DIGITS + SHIPPED, "no [[head]]"),
        (DIGITS + SHIPPED + "[[head]]\nscaling = 'l2'\n", "head = None in [[head]]"),
        (DIGITS + SHIPPED + "[[head]]\nhead = []\n", "expected a name, or a list of names"),
        (DIGITS + SHIPPED + "[[head]]\nhead = ['ridge', 'lda']\nname = 'x'\n", "name 'x' for 2"),
        ("head = 3 =", "can't read the matrix"),
    ],
)
def test_a_name_or_value_that_cannot_be_is_refused_with_a_hint(write: Write, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        write(text)
    assert said in str(error.value) and "some.toml" in str(error.value)


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (RIDGE, "some cells appear more than once"),
        ('[[head]]\nhead = "ridge"\ngrid = [1]\nname = "another"\n', "some cells appear more than once"),
        ('[[head]]\nhead = "ridge"\ngrid = [10]\n', "different cells have the same name"),
    ],
)
def test_cells_that_are_the_same_or_look_the_same_are_refused_by_name(write: Write, head: str, said: str) -> None:
    with pytest.raises(ConfigError, match="digits × pixels × ridge") as error:
        write(DIGITS + PIXELS + RIDGE + head)
    assert said in str(error.value)


def test_whatever_a_network_refuses_is_listed_at_once_before_anything_is_computed(write: Write, work: Path) -> None:
    layer = SHIPPED + 'layer = ["layer2", "layr3"]\n'
    other = '[[backbone]]\nbackbone = "pixels"\nlayer = "flaten"\n'
    with pytest.raises(ConfigError, match="nothing was run") as error:
        schedule(write(DIGITS + layer + other + RIDGE))
    assert "did you mean 'layer3'" in str(error.value) and "did you mean 'flatten'" in str(error.value)
    assert not (work / "features").exists()


def test_weights_files_that_are_not_there_and_unknown_backbones_are_said_before_the_dataset_is_read(
    write: Write, folder: Path, work: Path
) -> None:
    missing = '[[backbone]]\nbackbone = "mobilenet_v2"\nweights = "not/here.pth"\n'
    missing += '[[backbone]]\nbackbone = "resnet8-cifar"\n'
    with pytest.raises(ConfigError, match=r"(?s)no weights file not/here\.pth.*did you mean 'resnet8-cifar10'"):
        schedule(write(f'[[dataset]]\ndataset = "folder:{folder}"\n{PIXELS}resize = "8x8"\n{missing}{RIDGE}'))
    assert not work.exists()
