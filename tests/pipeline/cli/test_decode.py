"""Large JPEG files: decoded at a fraction where that is asked for or bears its check, and never unsaid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from frostline.pipeline.cli.main import main
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.lookup import look_up
from frostline.pipeline.plan.make import make_plan
from frostline.pipeline.serve.predict import load_classifier
from frostline.pipeline.settings import ExtractSettings
from frostline.pipeline.steps.features import extract_missing, extract_shared
from frostline.stages.store import FeatureSet, load, open_set
from support.project import Command

BACKBONE = ["--backbone", "resnet8-cifar10"]  # resizes to 32 pixels, so 160 are ample
HEAD = ["--baseline", "none", "--grid", "C=0.1,1"]


def photograph(file: Path, label: int, seed: int, size: tuple[int, int], noise: int) -> None:
    """Write a picture whose colour gives its label away."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 60, (6, 8, 3))
    patches[..., label % 3] += 120
    image = Image.fromarray(patches.astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    values = np.asarray(image) + rng.integers(-noise, noise + 1, (size[1], size[0], 3))
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.clip(0, 255).astype(np.uint8)).save(file)


def photographs(root: Path, ending: str = "jpg", size: tuple[int, int] = (480, 360), noise: int = 0) -> Path:
    for label, name in enumerate(("cat", "dog")):
        for split, n, first in (("train", 6, 0), ("test", 3, 50)):
            for i in range(first, first + n):
                photograph(root / split / name / f"{i}.{ending}", label, 100 * label + i, size, noise)
    return root


@pytest.fixture
def large(tmp_path: Path) -> Path:
    return photographs(tmp_path / "large")


def extracted(work: Path, folder: Path, *arguments: str) -> FeatureSet:
    """Extract, and return the training set that was made or found."""
    what = ["extract", "--dataset", f"folder:{folder}", *arguments]
    settings = {a.removeprefix("--").replace("-", "_"): v for a, v in zip(what[1::2], what[2::2], strict=True)}
    assert main(what) == 0
    plan = make_plan(open_inputs(ExtractSettings(data_dir=work, **settings)))
    found = look_up(plan, "train", "plain").existing
    assert found is not None
    return found


def decoder_of(features: FeatureSet) -> str:
    return str(features.layout.key["decoder"])


def made(features: FeatureSet) -> Any:
    return json.loads((features.folder / "made.json").read_text())


def test_a_scaled_set_is_another_one_and_says_to_what_it_was_scaled(work: Path, large: Path) -> None:
    how = [*BACKBONE, "--precision", "fp32"]
    whole, scaled = (extracted(work, large, *how, "--decode", decode) for decode in ("full", "scaled"))
    assert decoder_of(scaled) == decoder_of(whole) + ", JPEG scaled to 160 or more"
    a, b = load(whole).X, load(scaled).X
    assert not np.array_equal(a, b)
    np.testing.assert_allclose(a, b, atol=0.1 * np.abs(a).max())


def test_large_photographs_are_scaled_by_default_where_their_features_agree_and_that_is_said_and_kept(
    work: Path, large: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = extracted(work, large, *BACKBONE)
    assert "scaled to 160" in decoder_of(found)
    assert (
        "large JPEG files decoded at reduced size (cosine with full-size decoding on 12 images"
        in capsys.readouterr().err
    )
    assert made(found)["decode_agreement"]["least"] > 0.999


def test_photographs_whose_features_differ_when_scaled_are_decoded_whole_and_that_is_said(
    work: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how = ["--backbone", "pixels", "--resize", "16x16", "--interpolation", "nearest"]  # one grain of the noise for each
    found = extracted(work, photographs(tmp_path / "grainy", noise=60), *how)
    assert "scaled" not in decoder_of(found)
    assert (
        "JPEG files decoded at full size, because reduced-size decoding changes the "
        "features too much (cosine" in capsys.readouterr().err
    )
    assert made(found)["decode_agreement"]["least"] < 0.999


def test_fp32_that_is_asked_for_is_exact_unless_scaling_is_asked_for_too(work: Path, large: Path) -> None:
    how = [*BACKBONE, "--precision", "fp32"]
    assert "scaled" not in decoder_of(extracted(work, large, *how))
    assert "scaled" in decoder_of(extracted(work, large, *how, "--decode", "scaled"))
    assert "scaled" not in decoder_of(extracted(work, large, *how))


@pytest.mark.parametrize(("ending", "size"), [("png", (480, 360)), ("jpg", (300, 255))])
def test_where_scaling_would_touch_nothing_the_set_is_that_of_whole_images(
    work: Path, tmp_path: Path, ending: str, size: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = photographs(tmp_path / "others", ending, size)
    whole = extracted(work, folder, *BACKBONE, "--decode", "full")
    for decode in ("auto", "scaled"):
        assert extracted(work, folder, *BACKBONE, "--decode", decode).folder == whole.folder
    assert "none of the JPEG files that were checked is large enough" in capsys.readouterr().err
    assert len(list(work.glob("features/*train*"))) == 1


@pytest.mark.parametrize("how", [["--crop", "none"], ["--resize", "none", "--crop", "8"]])
def test_images_that_are_not_resized_to_one_size_are_never_scaled(work: Path, large: Path, how: list[str]) -> None:
    resize = [] if "--resize" in how else ["--resize", "16"]
    found = extracted(work, large, "--backbone", "pixels", *resize, *how, "--decode", "scaled")
    assert "scaled" not in decoder_of(found)


@pytest.mark.parametrize("decode", ["full", "scaled"])
def test_what_is_cached_is_what_is_used(
    work: Path, large: Path, capsys: pytest.CaptureFixture[str], decode: str
) -> None:
    extracted(work, large, *BACKBONE, "--decode", decode)
    capsys.readouterr()
    assert main(["run", "--dataset", f"folder:{large}", *BACKBONE, *HEAD]) == 0
    assert "features from the cache, no backbone run" in capsys.readouterr().out


def test_a_dataset_that_grew_is_decoded_as_its_first_rows_were(
    work: Path, large: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extracted(work, large, *BACKBONE, "--decode", "full")
    for split in ("train", "test"):
        photograph(large / split / "cat" / "new.jpg", 0, 77, (480, 360), 0)
    capsys.readouterr()
    assert main(["extract", "--dataset", f"folder:{large}", *BACKBONE, "--dry-run", "--json"]) == 0
    assert [need["to_compute"] for need in json.loads(capsys.readouterr().out)[0]["features"]] == [1, 1]


@pytest.mark.parametrize("decode", ["full", "scaled"])
def test_predict_decodes_as_the_features_of_its_head_were(work: Path, large: Path, decode: str) -> None:
    what = ["--dataset", f"folder:{large}", *BACKBONE, "--precision", "fp32", "--decode", decode]
    assert main(["run", *what, *HEAD]) == 0
    (head,), (folder,) = work.glob("heads/*"), work.glob("features/*test*")
    features, classifier = load(open_set(folder)), load_classifier(head)
    answers = classifier.predict([large / name for name in features.ids])
    found = [[dict(answer.classes)[name] for name in features.classes] for answer in answers]
    np.testing.assert_allclose(found, classifier.head.decision_values(features.X), rtol=1e-6)


@pytest.mark.parametrize(("decode", "least"), [("full", None), ("scaled", 160)])
def test_an_exported_file_says_how_its_jpeg_files_were_decoded(
    work: Path, large: Path, tmp_path: Path, decode: str, least: int | None
) -> None:
    assert main(["run", "--dataset", f"folder:{large}", *BACKBONE, "--decode", decode, *HEAD]) == 0
    (head,), file, said = work.glob("heads/*"), tmp_path / "model.pt2", {"frostline": ""}
    assert main(["export", str(head), str(file)]) == 0
    torch.export.load(file, extra_files=said)
    assert json.loads(said["frostline"])["jpeg_least"] == least


def test_a_head_that_asks_for_a_scale_that_cannot_be_is_refused(frostline: Command, work: Path, large: Path) -> None:
    what = ["--dataset", f"folder:{large}", *BACKBONE, "--decode", "full"]
    assert main(["run", *what, *HEAD]) == 0
    (head,) = work.glob("heads/*")
    rewrite(head / "head.json", jpeg_least="all")
    result = frostline("predict", str(head), str(large / "test" / "cat" / "50.jpg"))
    assert result.returncode == 4 and "does not say what it was fitted on" in result.stderr


def rewrite(file: Path, **changes: Any) -> None:
    """Change what a head says of its backbone, and seal it again."""
    from frostline.stages.records.sealed import sealed, unsealed

    record = unsealed(file.read_bytes())
    file.write_bytes(sealed({**record, "backbone": {**record["backbone"], **changes}}))


@pytest.mark.usefixtures("optimizations")
def test_layers_that_share_a_pass_share_its_scaled_images(work: Path, large: Path) -> None:
    how: dict[str, Any] = {"dataset": f"folder:{large}", "pool": "avg", "precision": "fp32", "decode": "scaled"}
    layers = ("layer1", "layer2")
    plans = [make_plan(open_inputs(ExtractSettings(data_dir=work, layer=layer, **how))) for layer in layers]
    assert extract_shared(plans) == 18
    for shared, layer in zip(plans, layers, strict=True):
        alone = make_plan(open_inputs(ExtractSettings(data_dir=work.with_name("alone"), layer=layer, **how)))
        extract_missing(alone)
        one, other = (look_up(plan, "train", "plain").existing for plan in (shared, alone))
        assert one and other and one.layout.digest == other.layout.digest
        np.testing.assert_array_equal(load(one).X, load(other).X)
