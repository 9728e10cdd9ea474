"""Digests that name what lies in people's workspaces: of feature keys, heads, and the bytes of a shard."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file

from frostline.pipeline.settings import HeadSettings
from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.datasets import open_dataset
from frostline.stages.heads import HEADS, LinearHead, head_files, spec_fields
from frostline.stages.heads.protocols import PROTOCOLS
from frostline.stages.records.sealed import digest
from frostline.stages.store import OK, Bad, FeatureStore, Layout, Provenance, Shard
from frostline.stages.store.key import FeatureKey
from golden import records as golden

DECODER = "Pillow 12.0.0, libjpeg-turbo 3.1.2"
NETWORK = """
import torch
from torch import nn

def tiny():
    body = nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)
    network = nn.Sequential(*body)
    with torch.no_grad():
        for i, parameter in enumerate(network.parameters()):
            parameter.copy_(torch.arange(parameter.numel()).reshape(parameter.shape) / (100 + i))
    return network
"""


def bitmap(seed: int, side: int = 8) -> bytes:
    """An image file without an encoder, whose bytes might come to differ."""
    pixels = bytes((31 * seed + 7 * i) % 256 for i in range(3 * side * side))
    return b"P6\n%d %d\n255\n" % (side, side) + pixels


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for split, n in (("train", 3), ("test", 2)):
        for label in ("cat", "dog"):
            folder = tmp_path / "pets" / split / label
            folder.mkdir(parents=True)
            for i in range(n):
                (folder / f"{i}.ppm").write_bytes(bitmap(100 * n + 10 * len(label) + i + ord(label[0])))
    rows = "".join(f"train/{label}/{i}.ppm,{label}\n" for label in ("cat", "dog") for i in range(3))
    (tmp_path / "pets" / "labels.csv").write_text("path,label\n" + rows)
    (tmp_path / "net.py").write_text(NETWORK)
    return tmp_path


def _weights(file: Path) -> str:
    """A ResNet-18 whose weights no random generator made."""
    model = torchvision.models.resnet18()
    state = {n: (torch.arange(v.numel()) % 7 - 3).reshape(v.shape) / 100 for n, v in model.state_dict().items()}
    state = {n: v.abs() + 1 if n.endswith("running_var") else v for n, v in state.items()}
    save_file({n: v.contiguous() for n, v in state.items() if "num_batches" not in n}, file)
    return str(file)


def _requests(tree: Path) -> Iterator[tuple[str, BackboneRequest]]:
    yield "shipped", BackboneRequest("resnet8-cifar10")
    yield "shipped, a layer", BackboneRequest("resnet8-cifar10", layer="layer1", pool="avg")
    yield "shipped, resized", BackboneRequest("resnet8-cifar10", preprocessing={"resize": (16, 16)})
    yield "pixels", BackboneRequest("pixels")
    yield "pixels, resized", BackboneRequest("pixels", preprocessing={"resize": 4, "crop": 4})
    weights = _weights(tree / "resnet18.safetensors")
    yield "torchvision", BackboneRequest("resnet18", weights)
    yield "torchvision, a layer", BackboneRequest("resnet18", weights, layer="layer2.0", pool="max")
    yield "user code", BackboneRequest(f"{tree}/net.py:tiny", "factory")
    yield "user code, a layer", BackboneRequest(f"{tree}/net.py:tiny", "factory", layer="1", pool="flatten")


def test_the_keys_of_features_are_what_they_were(tree: Path, request: pytest.FixtureRequest) -> None:
    datasets = {
        "digits": open_dataset("digits"),
        "folder": open_dataset(f"folder:{tree}/pets"),
        "csv": open_dataset(f"csv:{tree}/pets/labels.csv", test_fraction=0.4),
    }
    found = {f"{name} {x.split}": x.content for name, opened in datasets.items() for x in opened.splits}
    example = Image.new("RGB", (8, 8))
    for name, asked in _requests(tree):
        spec = load_backbone(asked, example).spec
        found[name] = FeatureKey(found["folder train"], spec, DECODER).digest
    spec = load_backbone(BackboneRequest("pixels"), example).spec
    content = found["digits test"]
    for key in (
        FeatureKey(content, spec, DECODER, view="hflip"),
        FeatureKey(content, spec, DECODER, precision="bf16"),
        FeatureKey(content, spec, DECODER, dtype="float16"),
        FeatureKey(content, spec, f"{DECODER}, JPEG scaled to 1120 or more", precision="fp16"),
    ):
        found[f"digits, {key.view}, {key.precision}, {key.dtype}, {key.decoder[len(DECODER) :]}"] = key.digest
    golden.check("keys.json", found, rewrite=request.config.getoption("--rewrite-golden"))


def test_the_specs_of_heads_are_what_they_were(request: pytest.FixtureRequest) -> None:
    names = [*HEADS.names(), *PROTOCOLS]
    specs = {name: HeadSettings(head=(name,)).spec(name) for name in names}
    found = {name: digest(spec_fields(spec)) for name, spec in specs.items() if not spec.code}  # a version of others
    other = HeadSettings(head=("ridge",), grid="alpha=1,10", folds=5, scaling="standardize", class_weight="balanced")
    found["ridge, other settings"] = digest(spec_fields(other.spec("ridge")))
    golden.check("heads.json", found, rewrite=request.config.getoption("--rewrite-golden"))


def test_the_files_of_a_head_are_what_they_were(request: pytest.FixtureRequest) -> None:
    weight = np.arange(6, dtype=np.float32).reshape(2, 3) / 10
    head = LinearHead(weight, np.array([0.5, -0.5], np.float32), ("cat", "dog"))
    files = head_files(head, {"features": ["a key"], "seconds": 1.5})
    found = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    golden.check("head_files.json", found, rewrite=request.config.getoption("--rewrite-golden"))


def test_the_bytes_of_a_shard_are_what_they_were(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    spec = load_backbone(BackboneRequest("pixels"), Image.new("RGB", (2, 2))).spec
    key = FeatureKey("0" * 64, spec, DECODER)
    layout = Layout(key.fields(), "pets", "train", 3, 12, 2)
    features = FeatureStore(tmp_path).begin(layout, Provenance())
    for shard, span in ((0, range(2)), (1, range(2, 3))):
        n = len(span)
        X = np.array([[i + j / 8 for j in range(12)] for i in span], np.float32)
        status = np.array([OK] * (n - 1) + [OK + 1 if shard == 1 else OK], np.uint8)
        X[status != OK] = np.nan
        digests = np.frombuffer(b"".join(struct.pack("32B", *[i] * 32) for i in span), np.uint8).reshape(n, 32)
        ids = np.array([f"cat/{i}.png".encode() for i in span])
        bad = (Bad(2, "cat/2.png", "empty file (0 bytes)"),) if shard == 1 else ()
        features.commit(shard, Shard(X, ids, digests, status), bad)
    names = ("key.json", "shards/00000.h5", "shards/00000.json", "shards/00001.h5", "shards/00001.json")
    found = {name: hashlib.sha256((features.folder / name).read_bytes()).hexdigest() for name in names}
    golden.check("shards.json", found, rewrite=request.config.getoption("--rewrite-golden"))
