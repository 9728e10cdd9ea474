"""Images that a library prepares itself: extracted, cached and predicted alike, loaded only if named, not exported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import transformers
from PIL import Image

from frostline.pipeline.cli.main import main
from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.modalities.image.spec import LibraryTransform
from frostline.stages.store import load, open_set
from support.model_folders import SIDE, save_transformers


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small network whose images are resized to 256/224 of their size before they are cropped."""
    place = tmp_path / "model"
    save_transformers(place, "vit")
    square = {"height": SIDE, "width": SIDE}
    transformers.LevitImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=square).save_pretrained(place)
    return place


def only(work: Path, pattern: str) -> Path:
    (found,) = work.glob(pattern)
    return found


def test_features_are_those_of_the_library_and_predictions_those_of_the_features(
    folder: Path, model: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"hf:{model}"
    command = ["run", "--dataset", f"folder:{folder}", "--backbone", name, "--views", "plain,hflip", "--head", "ridge"]
    command += ["--precision", "fp32", "--baseline", "none", "--json"]
    assert main(command) == 0
    capsys.readouterr()
    assert main(command) == 0
    (probe,) = json.loads(capsys.readouterr().out)["probes"]
    assert [one["computed"] for one in probe["features"]] == [0] * 4
    features = [open_set(path.parent) for path in sorted(work.glob("features/*-train-*/key.json"))]
    key = features[0].layout.key
    assert key["library"] == f"transformers {transformers.__version__}"
    assert json.loads(key["configuration"])["image_processor_type"] == "LevitImageProcessor"
    assert not {"resize", "crop", "mean", "std"} & set(key)

    image = Image.open(folder / "train" / "cat" / "00.png")
    backbone = load_backbone(BackboneRequest(name), image)
    own = transformers.LevitImageProcessorPil.from_pretrained(model)
    assert isinstance(backbone.spec.preprocessing, LibraryTransform)
    pixels = own(images=image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
    plain = next(one for one in features if one.layout.key["view"] == "plain")
    assert np.allclose(load(plain).X[0], backbone.embed({"pixels": pixels[None]})[0], atol=1e-5)

    head = only(work, "heads/*")
    cat = str(folder / "test" / "cat")
    assert main(["predict", str(head), cat]) == 2 and "only if you name it" in capsys.readouterr().err
    assert main(["predict", str(head), cat, "--backbone", name, "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert len(answers) == 4 and not any(one.get("problem") for one in answers)
    assert main(["export", str(head), str(work / "x.pt2"), "--backbone", name]) == 2
    assert f"as transformers {transformers.__version__} prepares them can't be exported" in capsys.readouterr().err
    assert not (work / "x.pt2").exists()
