"""One file of backbone and head answers as the two of them do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from frostline.pipeline.cli.main import main
from frostline.pipeline.serve.predict import load_classifier
from frostline.stages.backbones import item_for
from frostline.stages.datasets import decode_file

RESNET = ["--backbone", "resnet8-cifar10"]
PIXELS = ["--backbone", "pixels", "--resize", "8x8"]


def fitted(work: Path, folder: Path, *arguments: str, backbone: list[str] = RESNET) -> Path:
    """The folder of a head fitted with these arguments."""
    assert main(["run", "--dataset", f"folder:{folder}", *backbone, *arguments]) == 0
    return next(work.glob("heads/*"))


def expected(head: Path, images: list[Path]) -> np.ndarray:
    classes = load_classifier(head).head.classes
    answers = [dict(answer.classes) for answer in load_classifier(head).predict(images)]
    return np.array([[answer[name] for name in classes] for answer in answers])


def pixels(head: Path, images: list[Path]) -> np.ndarray:
    spec = load_classifier(head).backbone.spec
    return np.stack([item_for(decode_file(image), spec)["pixels"] for image in images])


@pytest.mark.parametrize(
    "arguments",
    [["--grid", "C=1"], ["--head", "ridge", "--scaling", "l2", "--views", "plain,hflip"]],
    ids=" ".join,
)
@pytest.mark.parametrize("ending", ["pt2", "onnx"])
def test_an_exported_file_gives_the_same_confidences(
    work: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], ending: str
) -> None:
    head = fitted(work, folder, *arguments, "--precision", "fp32")
    file, images = tmp_path / f"model.{ending}", sorted(folder.glob("test/*/*.png"))[:5]
    assert main(["export", str(head), str(file)]) == 0
    given = pixels(head, images)
    if ending == "pt2":
        found = torch.export.load(file).module()(torch.from_numpy(given)).numpy()
    else:
        from onnx.reference import ReferenceEvaluator

        [found] = ReferenceEvaluator(str(file)).run(None, {"images": given})
    np.testing.assert_allclose(found, expected(head, images), atol=1e-4)


def test_a_file_that_can_not_be_written_whole_leaves_the_one_before_it(
    work: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, file = fitted(work, folder, "--grid", "C=1", backbone=PIXELS), tmp_path / "place" / "model.pt2"
    file.parent.mkdir()
    file.write_bytes(b"the one before")

    def fails(program: object, path: Path, **more: object) -> None:
        path.write_bytes(b"half of")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch.export, "save", fails)
    assert main(["export", str(head), str(file)]) == 2
    assert file.read_bytes() == b"the one before" and list(file.parent.iterdir()) == [file]


def test_the_file_says_what_it_is(work: Path, folder: Path, tmp_path: Path) -> None:
    import onnx

    head = fitted(work, folder, "--grid", "C=1", backbone=PIXELS)
    for ending in ("pt2", "onnx"):
        assert main(["export", str(head), str(tmp_path / f"model.{ending}")]) == 0
    said = {"frostline": ""}
    torch.export.load(tmp_path / "model.pt2", extra_files=said)
    [written] = [p.value for p in onnx.load(tmp_path / "model.onnx").metadata_props if p.key == "frostline"]
    assert written == said["frostline"]
    assert json.loads(written)["classes"] == ["cat", "dog", "fox"]


@pytest.mark.parametrize(
    ("arguments", "name", "said"),
    [
        (["--head", "knn"], "model.onnx", "this head is not linear"),
        (["--grid", "C=1"], "model.pkl", "expected a name that ends in .onnx or .pt2"),
        (["--grid", "C=1"], "nowhere/model.pt2", "can't write"),
    ],
)
def test_what_can_not_be_exported_is_said(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], name: str, said: str
) -> None:
    head = fitted(work, folder, *arguments, backbone=PIXELS)
    capsys.readouterr()
    assert main(["export", str(head), str(work.parent / name)]) == 2
    assert said in capsys.readouterr().err
