"""What people have, as the command line meets it: folders, tables, formats, and too little of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frostline.pipeline.cli.main import main
from frostline.stages.modalities.image.codecs import reads_avif, reads_heif
from support.pictures import encoded, paint, picture, put

PIXELS = ["--backbone", "pixels", "--resize", "8x8", "--baseline", "none"]
Said = Callable[..., tuple[int, str, str]]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Said:
    """Run a command in an empty folder and return its exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return (main(list(arguments)), *capsys.readouterr())

    return run


def painted(
    root: Path,
    train: int = 12,
    test: int = 3,
    classes: int = 3,
    held: str = "test",
    size: tuple[int, int] = (24, 20),
) -> Path:
    for split, count in (("train", train), (held, test)):
        for label in range(classes):
            for i in range(count):
                seed = 1000 * label + i + (split != "train") * 500
                paint(root / split / f"c{label:03d}" / f"{i:03d}.png", label, seed, size)
    return root


def head_of(said: Said, root: Path, *more: str) -> str:
    code, _, err = said("run", "--dataset", f"folder:{root}", *PIXELS, "--grid", "C=1", *more)
    assert code == 0, err
    return str(next(Path("data/heads").iterdir()))


@pytest.mark.parametrize("held", ["validation", "Valid", "dev"])
def test_the_split_that_is_there_is_used_and_said(said: Said, tmp_path: Path, held: str) -> None:
    code, out, err = said("run", "--dataset", f"folder:{painted(tmp_path / 'd', held=held)}", *PIXELS, "--grid", "C=1")
    assert code == 0 and "36 training and 9 test samples" in out
    assert f"note: {held}/ is the test split; there is no test/" in err


def test_a_class_without_test_samples_is_said(said: Said, tmp_path: Path) -> None:
    root = painted(tmp_path / "d")
    for file in (root / "test" / "c001").iterdir():
        file.unlink()
    (root / "test" / "c001").rmdir()
    code, _, err = said("run", "--dataset", f"folder:{root}", *PIXELS, "--grid", "C=1")
    assert code == 0 and "note: no test sample of 1 class: c001" in err


@pytest.mark.parametrize("head", ["logreg", "ridge", "dinov2-knn"])
def test_too_few_to_choose_by_is_said_before_anything_is_computed(said: Said, tmp_path: Path, head: str) -> None:
    root = painted(tmp_path / "d", train=1, test=1, classes=20)
    code, _, err = said("run", "--dataset", f"folder:{root}", *PIXELS, "--head", head)
    assert code == 3 and "20 training samples, one per class, are too few to choose" in err
    assert "computed" not in err and not Path("data/features").exists()


@pytest.mark.parametrize("how", [[], ["--hold-out", "0.1"], ["--head", "dinov2-knn"], ["--head", "ridge"]], ids=str)
def test_few_samples_of_many_classes_are_chosen_on(said: Said, tmp_path: Path, how: list[str]) -> None:
    root = painted(tmp_path / "d", train=5, test=1, classes=20)
    code, out, _ = said("run", "--dataset", f"folder:{root}", *PIXELS, *how)
    assert code == 0 and "then fitted on all" in out and "%); then fitted" in out


@pytest.mark.parametrize("how", [["--head", "ridge", "--folds", "loo"], ["--grid", "C=1"]], ids=str)
def test_what_is_advised_for_one_sample_of_each_class_works(said: Said, tmp_path: Path, how: list[str]) -> None:
    root = painted(tmp_path / "d", train=1, test=1, classes=20)
    assert said("run", "--dataset", f"folder:{root}", *PIXELS, *how)[0] == 0


@pytest.mark.parametrize("shots", ["16", "1,13", "4,40"])
def test_more_shots_than_a_class_has_are_refused_before_anything_is_computed(
    said: Said, tmp_path: Path, shots: str
) -> None:
    code, _, err = said("run", "--dataset", f"folder:{painted(tmp_path / 'd')}", *PIXELS, "--shots", shots)
    assert code == 3 and "class 'c000' has 12 different training samples, expected --shots 12 at most" in err
    assert not Path("data/features").exists()


def test_a_table_of_other_columns_is_used_where_they_are_named(said: Said, tmp_path: Path) -> None:
    root = painted(tmp_path / "d")
    lines = [f"{file.relative_to(root)};{file.parent.name}" for file in sorted((root / "train").glob("*/*"))]
    (root / "list.csv").write_text("\n".join(["Image;Species", *lines]))
    asked = ["run", "--dataset", f"csv:{root / 'list.csv'}", *PIXELS, "--grid", "C=1"]
    code, _, err = said(*asked)
    assert code == 3 and "--columns path=Image,label=Species?" in err
    code, out, err = said(*asked, "--columns", "path=image,label=species")
    assert code == 0 and "note: list.csv: cells are separated by semicolons" in err and "3 classes" in out
    assert json.loads(next(Path("data/runs").glob("*/run.json")).read_text())["settings"]["columns"]


@pytest.mark.parametrize(
    "flag, value, form",
    [
        ("--columns", "path=file", "csv:FILE"),
        ("--class-level", "2", "folder:PATH"),
        ("--bit-depth", "12", "folder:PATH"),
    ],
)
def test_settings_of_one_source_are_refused_for_another(said: Said, flag: str, value: str, form: str) -> None:
    code, _, err = said("run", "--dataset", "digits", flag, value)
    assert code == 2 and f"only with {form}" in err and "got digits" in err


def test_predict_takes_a_table_whose_images_lie_elsewhere(said: Said, tmp_path: Path) -> None:
    root = painted(tmp_path / "d")
    head, lists = head_of(said, root), tmp_path / "lists"
    for name, path, below in (
        ("absolute", str(root / "test/c000/000.png"), "/"),
        ("relative", "test/c000/000.png", str(root)),
        ("backslashes", "test\\c000\\000.png", str(root)),
    ):
        table = put(lists / f"{name}.tsv", f"path\tn\n{path}\t1\n".encode())
        code, _, err = said("predict", head, str(table))
        assert code == 3 and "see --root" in err
        code, out, err = said("predict", head, str(table), "--root", below)
        assert code == 0 and "test/c000/000.png  c000" in out and "separated by tabs" in err


def test_predict_refuses_a_root_for_images(said: Said, tmp_path: Path) -> None:
    root = painted(tmp_path / "d")
    code, _, err = said("predict", head_of(said, root), str(root / "test"), "--root", "/")
    assert code == 2 and "--root or --columns, but no table among the inputs" in err


@pytest.mark.skipif(not reads_avif(), reason="this Pillow is built without libavif")
@pytest.mark.parametrize("form", ["", "--json", "--csv"])
def test_predict_answers_for_every_photograph_or_says_why_not(said: Said, tmp_path: Path, form: str) -> None:
    root = painted(tmp_path / "d")
    head, photographs = head_of(said, root), tmp_path / "in"
    put(photographs / "a.avif", encoded(picture(1, (32, 32)), "AVIF"))
    put(photographs / "b.HEIC", b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf")
    put(photographs / "c.png", b"<!DOCTYPE html>")
    put(photographs / "d.cr3", b"\0\0\0\x18ftypcrx ")
    put(photographs / "@eaDir/a.avif/SYNOPHOTO_THUMB_M.jpg")
    asked = ["predict", head, str(photographs), *filter(None, [form])]
    code, out, err = said(*asked)
    assert code == 3 and "2 samples can't be used, and --max-bad allows 0" in err
    assert all(name in out for name in ("a.avif", "b.HEIC", "c.png")) and "SYNO" not in out
    assert "note: 1 leftover of a NAS, an operating system or a notebook skipped: @eaDir" in err
    assert "note: 1 file skipped, without an image extension: d.cr3" in err
    assert said(*asked, "--max-bad", "2")[0] == 5


@pytest.mark.skipif(reads_heif(), reason="pillow-heif is installed")
def test_photographs_that_need_a_package_are_counted_by_extract(said: Said, tmp_path: Path) -> None:
    root = painted(tmp_path / "d")
    put(root / "train/c000/a.heic", b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf")
    code, _, err = said("extract", "--dataset", f"folder:{root}", *PIXELS[:4])
    assert code == 3 and "train/c000/a.heic: a HEIC photograph; pip install 'frostline[heic]' to read it" in err


@pytest.mark.parametrize("kind, classes", [("BMP", (1,)), ("TIFF", (0, 2)), ("GIF", (2,))])
def test_a_class_of_which_no_file_decodes_is_named_whatever_is_tolerated(
    said: Said, tmp_path: Path, kind: str, classes: tuple[int, ...]
) -> None:
    root = painted(tmp_path / "d", train=4)
    for label in classes:
        for file in (root / "train" / f"c{label:03d}").iterdir():
            put(file, encoded(picture(label, (32, 32)), kind)[:900])
    code, _, err = said("run", "--dataset", f"folder:{root}", *PIXELS, "--grid", "C=1", "--max-bad", "50")
    assert code == 3
    for name in (f"c{label:03d}" for label in classes):
        assert f"class '{name}': none of its training samples can be used (train/{name}/000.png: " in err


def test_a_bit_depth_is_kept_with_the_head_and_used_on_other_images(said: Said, tmp_path: Path) -> None:
    root = tmp_path / "d"
    for split, count in (("train", 10), ("test", 3)):
        for label in range(2):
            for i in range(count):
                noise = np.random.default_rng((label, i)).integers(0, 1800, (8, 8)) + 2000 * label
                put(root / split / f"c{label}" / f"{i}.png", encoded(Image.fromarray(noise.astype(np.uint16))))
    asked = ["run", "--dataset", f"folder:{root}", *PIXELS, "--grid", "C=1"]
    assert "so they look dark; if that is their full range, use --bit-depth 12" in said(*asked)[2]
    code, out, err = said(*asked, "--bit-depth", "12")
    assert code == 0 and "look dark" not in err and "26 computed" not in out
    heads = {
        json.loads((f / "head.json").read_text())["backbone"].get("bit_depth"): f for f in Path("data/heads").iterdir()
    }
    assert set(heads) == {None, 12}
    (sure, unsure) = (
        json.loads(said("predict", str(heads[bits]), str(root / "test"), "--json")[1]) for bits in (12, None)
    )
    assert [a["label"] for a in sure] == ["c0"] * 3 + ["c1"] * 3
    assert sure[0]["classes"] != unsure[0]["classes"]


def test_a_thousand_classes_are_answered(said: Said, tmp_path: Path) -> None:
    root = painted(tmp_path / "d", train=2, test=1, classes=1000, size=(2, 2))
    code, out, err = said("run", "--dataset", f"folder:{root}", *PIXELS, "--resize", "2x2", "--head", "centroid")
    assert code == 0, err
    assert "d: 1,000 classes, 2,000 training and 1,000 test samples" in out
