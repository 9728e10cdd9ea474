"""Encoders of other libraries from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import timm
import torch
from PIL import Image

from frostline.pipeline.cli.main import main
from support.cifar import unpack_cifar

Command = Callable[..., subprocess.CompletedProcess[str]]
OFFLINE = {"HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module")
def photographs(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 4 training and 2 test images of each class of CIFAR-10."""
    return unpack_cifar(assets, tmp_path_factory.mktemp("cifar"), train=4, test=2)


def plain_timm(folder: Path, images: list[Path]) -> np.ndarray:
    """Return what a script of timm alone gives."""
    model = timm.create_model(f"local-dir:{folder}", pretrained=True, num_classes=0).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)
    with torch.inference_mode():
        batch = torch.stack([transform(Image.open(image).convert("RGB")) for image in images])
        return np.asarray(model(batch))


def test_lite0_gives_what_a_script_of_timm_gives_and_is_not_loaded_again(
    assets: Path, photographs: Path, frostline: Command, tmp_path: Path
) -> None:
    folder = assets / "vision" / "tf_efficientnet_lite0"
    asked = ["--dataset", f"folder:{photographs}", "--backbone", f"timm:local-dir:{folder}", "--precision", "fp32"]
    asked += ["--baseline", "none", "--head", "ridge", "--json"]
    first = frostline("run", *asked, **OFFLINE)
    assert first.returncode == 0, first.stderr
    found = json.loads(first.stdout)["probes"][0]
    for features in found["features"]:
        with h5py.File(Path(features["folder"]) / "features.h5") as file:
            ids, stored = file["ids"].asstr()[:] if "ids" in file else [], file["features"][:]
        images = sorted((photographs / features["split"]).rglob("*.jpg"))
        assert len(ids) in (0, len(images))
        wanted = plain_timm(folder, images)
        assert np.abs(stored - wanted).max() <= 1e-5 * np.abs(wanted).max()
    assert found["evaluation"]["scores"]["accuracy"]["value"] > 0.3
    listed = json.loads(frostline("ls", "--json").stdout)
    assert {one["licence"] for one in listed} == {"apache-2.0"}
    code = (
        "import sys\nfrom frostline.pipeline.cli.main import main\n"
        "assert main(sys.argv[1:]) == 0\nassert not {'torch', 'timm', 'huggingface_hub'} & set(sys.modules)"
    )
    own = {**os.environ, **OFFLINE, "FROSTLINE_DATA_DIR": str(tmp_path / "data")}
    subprocess.run([sys.executable, "-c", code, "run", *asked], check=True, env=own, cwd=tmp_path, capture_output=True)


def test_a_head_on_a_folder_of_timms_runs_only_where_the_folder_is_named(
    folder: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    timm.models.save_for_hf(timm.create_model("test_vit"), work.with_name("net"), safe_serialization=True)
    encoder = f"timm:local-dir:{work.with_name('net')}"
    asked = ["--dataset", f"folder:{folder}", "--backbone", encoder, "--resize", "48"]
    assert main(["run", *asked, "--baseline", "none", "--head", "ridge"]) == 0
    (head,) = (work / "heads").glob("*")
    image = str(folder / "test" / "cat" / "00.png")
    assert main(["predict", str(head), image]) == 2
    assert f"runs only if you name it: --backbone {encoder}" in capsys.readouterr().err
    assert main(["predict", str(head), image, "--backbone", encoder]) == 0
    assert main(["export", str(head), "net.pt2", "--backbone", encoder]) == 0
    assert "uint8 images (batch, 48, 48, 3)" in capsys.readouterr().out


def test_encoders_are_listed_with_what_is_known_of_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["encoders", "timm:vit_small_patch14_dinov2*"]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.split() == ["encoder", "width", "images", "licence", "weights"]
    assert " ".join(second.split()).startswith("timm:vit_small_patch14_dinov2 384 518 × 518 apache-2.0")
    assert main(["encoders", "shipped:RESNET8", "--json"]) == 0
    wanted = {"name": "resnet8-cifar10", "width": 128, "size": [32, 32], "licence": "apache-2.0", "here": True}
    assert json.loads(capsys.readouterr().out) == [wanted]
    assert main(["encoders", "torchvision:"]) == 0
    assert (
        "encoders\nWidth, size, licence and weights are shown for patterns with at most 60 matches"
        in capsys.readouterr().out
    )
    assert main(["encoders", "timm:resnot"]) == 2
    assert "no encoder matches 'timm:resnot'" in capsys.readouterr().err


def test_what_can_not_be_asked_for_it_is_not_installed_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frostline.stages.backbones.families.timm.Timm.versions", ("absent-distribution",))
    for name in ("vit_small_patch14_dinov2", "timm:vit_small_patch14_dinov2"):
        assert main(["encoders", name]) == 2
        said = capsys.readouterr().err
        assert f"no installed encoder matches '{name}'" in said
        assert "timm: needs absent-distribution, which is not installed; pip install 'frostline[timm]'" in said
    assert main(["encoders", "resnet8"]) == 0
