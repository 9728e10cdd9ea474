"""Encoders of other libraries from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import timm
import torch
from PIL import Image

Command = Callable[..., subprocess.CompletedProcess[str]]
OFFLINE = {"HF_HUB_OFFLINE": "1"}


@pytest.fixture(scope="module")
def photographs(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first 8 training and 4 test images of each class of CIFAR-10."""
    root = tmp_path_factory.mktemp("cifar")
    with tarfile.open(assets / "cifar10-jpg.tar.gz") as archive:
        for member in archive:
            number = int(Path(member.name).stem) if member.isfile() else 9999
            content = archive.extractfile(member) if number < (8 if "train" in member.name else 4) else None
            if content:
                (root / member.name).parent.mkdir(parents=True, exist_ok=True)
                (root / member.name).write_bytes(content.read())
    return root


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
    asked += ["--head", "ridge", "--json"]
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
    folder: Path, frostline: Command, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    timm.models.save_for_hf(timm.create_model("test_vit"), tmp_path / "net", safe_serialization=True)
    encoder = f"timm:local-dir:{tmp_path / 'net'}"
    asked = ["--dataset", f"folder:{folder}", "--backbone", encoder, "--resize", "48"]
    assert frostline("run", *asked, "--head", "ridge", **OFFLINE).returncode == 0
    (head,) = (tmp_path / "data" / "heads").glob("*")
    image = str(folder / "test" / "cat" / "00.png")
    unnamed = frostline("predict", str(head), image, **OFFLINE)
    assert unnamed.returncode == 2 and f"runs only if you name it: --backbone {encoder}" in unnamed.stderr
    assert frostline("predict", str(head), image, "--backbone", encoder, **OFFLINE).returncode == 0
    exported = frostline("export", str(head), "net.pt2", "--backbone", encoder, **OFFLINE)
    assert exported.returncode == 0 and "uint8 images (batch, 48, 48, 3)" in exported.stdout


def test_encoders_are_listed_with_what_is_known_of_each(frostline: Command) -> None:
    table = frostline("encoders", "timm:vit_small_patch14_dinov2*", **OFFLINE).stdout.splitlines()
    assert table[0].split() == ["encoder", "width", "images", "licence", "weights"]
    assert table[1].split() == [
        "timm:vit_small_patch14_dinov2",
        "384",
        "518",
        "×",
        "518",
        "apache-2.0",
        *["to", "be", "downloaded"],
    ]
    shipped = json.loads(frostline("encoders", "RESNET8", "--json").stdout)
    wanted = {"name": "resnet8-cifar10", "width": 128, "size": [32, 32], "licence": "apache-2.0", "here": True}
    assert wanted in shipped
    assert "encoders; a pattern that fits at most 60" in frostline("encoders", "timm:").stdout
    nothing = frostline("encoders", "timm:resnot")
    assert nothing.returncode == 2 and "no encoder matches 'timm:resnot'" in nothing.stderr
