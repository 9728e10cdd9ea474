"""A fitted head names the classes of images of one's own."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from faults.strangers import bounded
from frostline.pipeline.cli.main import main
from frostline.pipeline.serve.predict import load_classifier
from frostline.pipeline.settings import PredictSettings
from frostline.stages.backbones.network.cut import Cut
from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.heads import head_files, read_head
from frostline.stages.store import load, open_set
from support.pictures import paint, pets
from support.project import REPOSITORY


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of a run on three classes of coloured noise."""
    place = tmp_path_factory.mktemp("made")
    how = ["--backbone", "resnet8-cifar10", "--baseline", "none", "--grid", "C=1", "--data-dir", str(place / "data")]
    assert main(["run", "--dataset", f"folder:{pets(place / 'pets')}", *how]) == 0
    return place / "data"


@pytest.fixture
def head(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of its head in a copy of the workspace, which is the test's own."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(workspace, tmp_path / "data")
    return next((tmp_path / "data" / "heads").iterdir())


def rewritten(head: Path, **changes: object) -> Path:
    """A copy of a head whose record says something else of its backbone."""
    found, record = read_head(head)
    copy = head.parent / "copy"
    copy.mkdir()
    backbone = {**record["backbone"], **changes}
    for name, data in head_files(found, {**record, "backbone": backbone}).items():
        (copy / name).write_bytes(data)
    return copy


def test_predictions_are_those_of_the_evaluated_features(head: Path, folder: Path) -> None:
    features = load(open_set(next(head.parents[1].glob("features/*test*"))))
    expected = read_head(head)[0].decision_values(features.X)
    answers = load_classifier(head).predict([folder / name for name in features.ids])
    for answer, row in zip(answers, expected, strict=True):
        assert answer.label == features.classes[row.argmax()]
        found = dict(answer.classes)
        np.testing.assert_allclose([found[name] for name in features.classes], row, atol=1e-6)


def test_a_network_as_it_is_written_gives_the_same_answers(
    head: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["predict", str(head), str(folder / "test"), "--top", "3", "--json", "--optimize"]
    texts = []
    for how in ("auto", "none"):
        assert main([*asked, how]) == 0
        texts.append(json.loads(capsys.readouterr().out))
    for auto, none in zip(*texts, strict=True):
        assert dict(none["classes"]) == pytest.approx(dict(auto["classes"]), abs=0.02)  # the head's precision is bf16
    assert isinstance(load_classifier(head, PredictSettings(optimize="none")).backbone.network, Cut)


def test_table_csv_and_json_say_the_same(head: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = folder / "test" / "dog" / "00.png"
    texts = []
    for form in ([], ["--csv"], ["--json"]):
        capsys.readouterr()
        assert main(["predict", str(head), str(image), "--top", "2", *form]) == 0
        texts.append(capsys.readouterr().out)
    document = json.loads(texts[2])
    assert [a["label"] for a in document] == ["dog"]
    (first, p1), (second, p2) = document[0]["classes"]
    assert texts[0].split() == [str(image), "dog", f"{100 * p1:.1f}", "%", second, f"{100 * p2:.1f}", "%"]
    rows = list(csv.DictReader(io.StringIO(texts[1])))
    assert rows == [
        {
            "path": str(image),
            "label": first,
            "probability": f"{p1:.6f}",
            "label_2": second,
            "probability_2": f"{p2:.6f}",
            "fault": "",
        }
    ]


def test_a_folder_and_a_csv_stand_for_their_images(
    head: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "list.csv").write_text("path,note\ntest/cat/00.png,a\ntrain/fox/01.png,b\n")
    capsys.readouterr()
    assert main(["predict", str(head), str(folder / "test"), str(folder / "list.csv"), "--json"]) == 0
    paths = [Path(answer["path"]).relative_to(folder) for answer in json.loads(capsys.readouterr().out)]
    assert len(paths) == 14
    assert [p.as_posix() for p in paths[-2:]] == ["test/cat/00.png", "train/fox/01.png"]


def test_unreadable_images_are_all_named_and_the_others_answered_for(
    head: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [folder / "empty.png", folder / "text.jpg"]
    bad[0].write_bytes(b"")
    bad[1].write_text("no image")
    good = folder / "test" / "cat" / "00.png"
    inputs = [str(path) for path in (bad[0], good, bad[1])]
    capsys.readouterr()
    assert main(["predict", str(head), *inputs]) == 3
    said = capsys.readouterr()
    assert all(str(path) in said.err for path in bad) and str(good) not in said.err
    named, answer, _ = said.out.splitlines()
    assert "left out" in named and answer.split()[:2] == [str(good), "cat"]
    assert main(["predict", str(head), *inputs, "--max-bad", "2", "--json"]) == 5
    answers = json.loads(capsys.readouterr().out)
    assert [answer["label"] is None for answer in answers] == [True, False, True]
    assert [bool(answer["fault"]) for answer in answers] == [True, False, True]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (["nothing.png"], "no file or folder nothing.png; expected an image"),
        (["empty"], "no image in empty; expected image files, folders or a CSV of paths"),
        (["columns.csv"], "has no column path; found file; expected path"),
        (["away.csv"], "line 2: ../../secret.png leads outside "),
    ],
)
def test_inputs_that_are_not_there_are_said_before_a_network_is_loaded(
    head: Path, capsys: pytest.CaptureFixture[str], inputs: list[str], said: str
) -> None:
    Path("empty").mkdir()
    Path("columns.csv").write_text("file\na.png\n")
    Path("away.csv").write_text("path\n../../secret.png\n")
    assert main(["predict", str(head), *inputs]) == 3
    assert said in capsys.readouterr().err


def test_another_backbone_than_the_one_it_was_fitted_on_is_refused_field_by_field(head: Path) -> None:
    _, record = read_head(head)
    other = rewritten(head, spec={**record["backbone"]["spec"], "weights": "0" * 64})
    with pytest.raises(StoreError, match=r"weights 000000000000 → [0-9a-f]{12}"):
        load_classifier(other)


def test_a_damaged_or_foreign_folder_is_refused(head: Path, folder: Path) -> None:
    with pytest.raises(StoreError, match="no head in"):
        load_classifier(folder)
    file = head / "head.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    with pytest.raises(StoreError, match=r"the SHA-256 of head\.safetensors is not the one recorded"):
        load_classifier(head)


def test_a_network_of_ones_own_is_run_only_when_its_user_names_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(REPOSITORY / "stages/backbones/families/resnet8/model.py", "net.py")
    weights = str(REPOSITORY / "stages/backbones/families/resnet8/weights.safetensors")
    what = ["--dataset", f"folder:{folder}", "--weights", weights, "--resize", "32x32", "--grid", "C=1"]
    assert main(["run", *what, "--backbone", "net.py:ResNet8"]) == 0
    head = next(Path("data/heads").iterdir())
    with pytest.raises(ConfigError, match=r"net\.py:ResNet8. This code runs only if you name it: --backbone net\.py"):
        load_classifier(head)
    Path("elsewhere").mkdir()
    moved = shutil.move("net.py", "elsewhere/net.py")
    asked = ["predict", str(head), str(folder / "test" / "fox" / "00.png"), "--backbone", f"{moved}:ResNet8"]
    capsys.readouterr()
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["label"] == "fox"
    Path(moved).write_text(Path(moved).read_text() + "\nCHANGED = True\n")
    assert main(asked) == 4
    assert "code" in capsys.readouterr().err


def test_images_of_any_size_are_resized_as_in_training(head: Path, tmp_path: Path) -> None:
    paint(tmp_path / "large.png", 1, 7, (300, 500))
    assert load_classifier(head).predict([tmp_path / "large.png"])[0].label == "dog"


@pytest.mark.parametrize(
    "changes",
    [
        {"spec": None},
        {"spec": {}},
        {"precision": "fp9"},
        {"views": ["weird"]},
        {"views": []},
        {"name": 5},
        {"weights": None},
        {"size": [10**9, 10**9]},
        {"size": [2049, 1]},
        {"preprocessing": {"resize": 2049}},
        {"preprocessing": {"crop": [1, 2049]}},
        {"name": "x" * 5000},
        {"weights": "x" * 5000},
        {"size": []},
        {"size": ["a", 1]},
        {"preprocessing": {"mean": 5}},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_a_record_that_lies_is_refused_in_words(head: Path, changes: dict[str, object]) -> None:
    spec = read_head(head)[1]["backbone"]["spec"]
    inner = {n: v for n, v in changes.items() if n in spec}
    other = rewritten(head, **({"spec": {**spec, **inner}} if inner else changes))
    with pytest.raises(StoreError, match="does not say what it was fitted on") as error:
        load_classifier(other)
    assert len(str(error.value)) < 1000


@pytest.fixture
def on_a_file(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A head that was fitted with a file of weights, and the file."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "weights.pth"
    torch.save(torchvision.models.squeezenet1_1(weights=None, num_classes=2).state_dict(), file)
    what = ["--backbone", "squeezenet1_1", "--weights", str(file), "--resize", "32x32", "--crop", "none"]
    assert main(["run", "--dataset", f"folder:{folder}", *what, "--precision", "fp32", "--grid", "C=1"]) == 0
    return next((tmp_path / "data" / "heads").iterdir()), file


def test_the_weights_that_a_head_was_fitted_on_are_found_where_they_were_or_where_the_user_says(
    on_a_file: tuple[Path, Path], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head, file = on_a_file
    asked = ["predict", str(head), str(folder / "test" / "fox" / "00.png")]
    assert main(asked) == 0
    moved = shutil.move(file, file.with_name("moved.pth"))
    assert main(asked) == 2
    assert "are missing or have changed; give them with --weights FILE" in capsys.readouterr().err
    assert main([*asked, "--weights", str(moved)]) == 0


def test_a_head_learns_nothing_of_the_files_that_it_names(
    on_a_file: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret, pipe, missing = (tmp_path / name for name in ("secret", "pipe.pth", "missing.pth"))
    secret.write_text("Sesame")
    os.mkfifo(pipe)
    long = "/" + "x" * 300
    said = set()
    for named in map(str, (secret, pipe, missing, on_a_file[1].parent, "/dev/zero", "secret", "~", "~nobody/x", long)):
        other = rewritten(on_a_file[0], weights=named)
        with pytest.raises(ConfigError) as error:
            load_classifier(other)
        said.add(str(error.value).replace(f" {named},", " NAMED,"))
        shutil.rmtree(other)
    assert len(said) == 1 and "Sesame" not in said.pop()


def test_a_head_of_a_few_bytes_does_not_make_pixels_of_millions(head: Path) -> None:
    spec = read_head(head)[1]["backbone"]["spec"]
    how = {**spec["preprocessing"], "resize": [2048, 2048], "crop": None}
    huge = {**spec, "name": "pixels", "layer": "flatten", "pool": "none", "size": [2048, 2048], "preprocessing": how}
    other = rewritten(head, name="pixels", weights="DEFAULT", spec=huge)
    said = bounded(lambda: load_classifier(other), StoreError, 1 << 26)
    assert "takes 128 features, its backbone has 12582912" in said


def test_names_that_would_steer_the_terminal_are_written_out(
    head: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paint(tmp_path / "odd" / "\x1b[31mred\n.png", 1, 7)
    capsys.readouterr()
    assert main(["predict", str(head), str(tmp_path / "odd")]) == 0
    said = capsys.readouterr().out
    assert "\\x1b[31mred\\n.png" in said and said.count("\n") == 1


def test_a_pipe_with_an_images_name_is_left_out(head: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert load_classifier(head).predict([tmp_path / "pipe.png"])[0].problem == "not a regular file"


def test_a_file_name_does_not_become_a_formula(
    head: Path, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(folder / "test" / "dog" / "00.png", "=1+2.png")
    capsys.readouterr()
    assert main(["predict", str(head), "=1+2.png", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("'=1+2.png,dog")
