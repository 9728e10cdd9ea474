"""A backbone's name leads to one family, built in, installed, or the user's own code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frostline.stages.backbones import BackboneRequest, fingerprint, load_backbone
from frostline.stages.backbones.families.registry import check, family_of, spec_name
from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.image.spec import Preprocessing
from support.distributions import families_of, install, install_family
from support.pictures import picture


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[None]:
    """A distribution is installed that adds the families ``mine`` and ``shy``."""
    install_family(tmp_path)
    with families_of(tmp_path):
        yield


@pytest.mark.parametrize(
    ("name", "family", "rest", "in_keys"),
    [
        ("resnet50", "Torchvision", "resnet50", "resnet50"),
        ("torchvision:resnet50", "Torchvision", "resnet50", "resnet50"),
        ("pixels", "Identity", "pixels", "pixels"),
        ("identity:pixels", "Identity", "pixels", "pixels"),
        ("resnet8-cifar10", "Shipped", "resnet8-cifar10", "resnet8-cifar10"),
        ("shipped:resnet8-cifar10", "Shipped", "resnet8-cifar10", "resnet8-cifar10"),
        ("net.py:make", "UserCode", "net.py:make", "net.py:make"),
        ("/a/b.c/net.py:make", "UserCode", "/a/b.c/net.py:make", "net.py:make"),
        ("torchvision.models:resnet18", "UserCode", "torchvision.models:resnet18", "torchvision.models:resnet18"),
        ("mine:tiny", "Mine", "tiny", "mine:tiny"),
        ("mine:a/tiny:x", "Mine", "a/tiny:x", "mine:a/tiny:x"),
        ("shy:tiny", "Shy", "tiny", "shy:tiny"),
    ],
)
@pytest.mark.usefixtures("mine")
def test_a_name_has_one_family_and_one_name_in_keys(name: str, family: str, rest: str, in_keys: str) -> None:
    found, own = family_of(name)
    assert (type(found).__name__, own, spec_name(name)) == (family, rest, in_keys)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("mine:a/tiny:x", "mine-a-tiny-x"), ("net.py:make", "net-make"), ("pkg.nets:make", "pkg.nets-make")],
)
def test_a_short_name_is_fit_for_a_file_system(name: str, wanted: str) -> None:
    assert BackboneSpec(name, "", "", "", "none", Preprocessing(), (1, 1)).short_name == wanted


@pytest.mark.parametrize("name", ["resnet50", "pixels", "resnet8-cifar10"])
def test_a_prefix_that_may_be_left_out_changes_no_fingerprint(name: str) -> None:
    prefix = {"resnet50": "torchvision", "pixels": "identity"}.get(name, "shipped")
    assert fingerprint(BackboneRequest(f"{prefix}:{name}")) == fingerprint(BackboneRequest(name))


def test_a_prefix_that_may_be_left_out_changes_no_key() -> None:
    for prefix, name in (("identity", "pixels"), ("shipped", "resnet8-cifar10")):
        specs = [load_backbone(BackboneRequest(one), picture(0)).spec for one in (name, f"{prefix}:{name}")]
        assert specs[0] == specs[1]


@pytest.mark.usefixtures("mine")
def test_an_unknown_prefix_is_told_what_there_is() -> None:
    with pytest.raises(ConfigError) as caught:
        check(BackboneRequest("nosuch:vit"))
    first, *rest = str(caught.value).splitlines()
    assert first == "unknown backbone family 'nosuch', and no module has that name; expected one of"
    listed = [line.split()[0] for line in rest[:-1]]
    assert listed[:3] == ["torchvision:NAME", "shipped:NAME", "identity:NAME"] and "timm:NAME" in listed
    assert listed[-2:] == ["mine:NAME", "shy:NAME"]
    assert rest[-1].split()[:3] == ["file.py:factory", "or", "pkg.module:factory"]
    assert "  mine:NAME  tiny networks of mine" in rest


def test_a_family_that_can_not_be_loaded_does_not_hide_the_others(tmp_path: Path) -> None:
    install(tmp_path, "broken", "frostline.families", "broken = broken:FAMILY", "raise SystemError\n")
    with families_of(tmp_path):
        with pytest.raises(ConfigError, match=r"(?s)torchvision:NAME  .*broken:NAME  .* of broken can't be loaded"):
            check(BackboneRequest("nosuch:vit"))
        with pytest.raises(ConfigError, match="backbone family 'broken' of broken can't be loaded"):
            check(BackboneRequest("broken:vit"))


def test_a_module_of_ones_own_needs_no_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mynets.py").write_text("")
    check(BackboneRequest("mynets:make", "factory"))
    with pytest.raises(ConfigError, match=r"no module 'mynets\.deep' for mynets\.deep:make"):
        check(BackboneRequest("mynets.deep:make", "factory"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("identity:pixel", "unknown backbone 'pixel'; did you mean 'pixels'"),
        ("shipped:resnet50", "unknown backbone 'resnet50'.*resnet8-cifar10"),
        ("torchvision:resnet5O", "unknown backbone 'resnet5O'; did you mean 'resnet50'"),
        ("torchvision:pixels", "unknown backbone 'pixels'"),
        ("mine:huge", "no 'huge' among mine; expected tiny"),
    ],
)
@pytest.mark.usefixtures("mine")
def test_a_name_that_its_family_has_not_is_said_before_anything_is_loaded(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        fingerprint(BackboneRequest(name))


@pytest.mark.usefixtures("mine")
def test_an_installed_family_gives_a_backbone_with_its_own_layer() -> None:
    backbone = load_backbone(BackboneRequest("mine:tiny", "v1"), picture(0))
    assert (backbone.spec.name, backbone.spec.layer, backbone.width) == ("mine:tiny", "output", 6)
    assert backbone.embed({"pixels": np.zeros((1, 8, 8, 3), np.uint8)}).shape == (1, 6)
    inner = load_backbone(BackboneRequest("mine:tiny", layer="0"), Image.new("RGB", (8, 8)))
    assert (inner.spec.layer, inner.spec.pool) == ("0", "avg")


@pytest.mark.usefixtures("mine")
def test_a_width_that_is_not_what_the_family_says_is_refused_unless_a_layer_is_named() -> None:
    with pytest.raises(ConfigError, match="layer 'output' gives 6 features, but its family declares 7"):
        load_backbone(BackboneRequest("mine:liar"), picture(0))
    assert load_backbone(BackboneRequest("mine:liar", layer="output"), picture(0)).width == 6


@pytest.mark.usefixtures("mine")
def test_the_fingerprint_of_a_family_holds_its_prefix_and_its_versions() -> None:
    first, other = (fingerprint(BackboneRequest(name)) for name in ("mine:tiny", "shy:tiny"))
    assert first is not None and other is not None
    assert first != other and first["files"] == ["the first"] and "1.0" in first["versions"]


def test_no_built_in_family_imports_torch_to_check_a_name() -> None:
    code = (
        "import sys\nfrom frostline.stages.backbones import BackboneRequest as R\n"
        "from frostline.stages.backbones.families import registry\n"
        "for name in ('resnet50', 'torchvision:vit_b_16', 'pixels', 'identity:pixels', 'resnet8-cifar10'):\n"
        "    registry.check(R(name)); registry.family_of(name)[0].fingerprint(R(name.rpartition(':')[2]))\n"
        "assert all(registry.FAMILIES.load(name).summary for name in registry.FAMILIES.names())\n"
        "assert not {'torch', 'torchvision'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["hf:", "timm:local-dir:", "open_clip:local-dir:"])
def test_a_place_without_a_name_is_not_the_current_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in ("config.json", "open_clip_config.json", "model.safetensors"):
        (tmp_path / file).write_text("{}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"no name|no such folder|names no folder"):
        check(BackboneRequest(name, "DEFAULT"))
