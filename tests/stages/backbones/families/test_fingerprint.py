"""A fingerprint tells two requests apart without loading torch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torchvision import models

from frostline.stages.backbones import BackboneRequest, fingerprint
from frostline.stages.errors import ConfigError
from frostline.stages.user_code.locate import code_digest, factory_file

NET = "import torch\nfrom helper import width\nfrom pkg.deep import tool\n\ndef net():\n    return torch.nn.ReLU()\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a network's source, what it imports, what it doesn't, and two weight files."""
    root = tmp_path / "project"
    texts = {
        "net.py": NET,
        "helper.py": "from torch import nn\nwidth = 3\n",
        "stranger.py": "import json\n",
        "pkg/__init__.py": "",
        "pkg/nets.py": "from . import near\nfrom ..pkg.other import thing\n\ndef net():\n    pass\n",
        "pkg/near.py": "import helper\n",
        "pkg/other.py": "thing = 1\n",
        "pkg/deep/__init__.py": "",
        "pkg/deep/tool.py": "",
    }
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "a.pth").write_bytes(b"a")
    (root / "b.pth").write_bytes(b"b")
    monkeypatch.chdir(root)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    return root


def own(project: Path) -> BackboneRequest:
    return BackboneRequest(f"{project / 'net.py'}:net", str(project / "a.pth"))


def test_no_torch_is_imported_for_any_kind_of_backbone(project: Path) -> None:
    code = (
        "import sys\nfrom frostline.stages.backbones import BackboneRequest as R, fingerprint\n"
        "for name, weights in [('resnet50', 'DEFAULT'), ('resnet50', 'a.pth'), ('resnet8-cifar10', 'DEFAULT'),\n"
        "    ('net.py:net', 'a.pth'), ('pkg.nets:net', 'a.pth'), ('torchvision.models.resnet:resnet18', 'a.pth')]:\n"
        "    assert fingerprint(R(name, weights))\n"
        "assert not {'torch', 'torchvision'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=project, env={})


def weights_of(model: str) -> list[str]:
    return ["DEFAULT", *(str(one) for entry in models.get_model_weights(model) for one in (entry, entry.name))]


def test_every_model_of_torchvision_and_its_weights_are_known_without_importing_it(tmp_path: Path) -> None:
    names = [f"{name} {one}" for name in models.list_models(module=models) for one in weights_of(name)]
    code = (
        "import sys\nfrom frostline.stages.backbones import BackboneRequest as R, fingerprint\n"
        "assert len([fingerprint(R(*each.split())) for each in sys.argv[1:]]) >= 80\n"
        "assert not {'torch', 'torchvision'} & set(sys.modules)"
    )
    clean = {"TORCH_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code, *names], check=True, env=clean)


@pytest.mark.parametrize("name", ["resnet5O", "raft_small", "_resnet50", "res net", "\udcff", ""])
def test_a_name_that_is_no_models_is_said_though_no_network_is_built(name: str) -> None:
    with pytest.raises(ConfigError, match="unknown backbone"):
        fingerprint(BackboneRequest(name))


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("resnet18", "IMAGENET1K_V2"),  # which resnet50 has
        ("vit_b_32", "ResNet18_Weights.IMAGENET1K_V1"),
        ("vgg16", "imagenet1k_v1"),
        ("mobilenet_v2", "IMAGENET1K_V22"),
    ],
)
def test_weights_that_a_model_has_not_are_said_though_none_are_loaded(name: str, weights: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown weights of {name}"):
        fingerprint(BackboneRequest(name, weights))


def test_a_fingerprint_is_json_and_the_same_each_time(project: Path) -> None:
    for asked in (own(project), BackboneRequest("resnet50"), BackboneRequest("resnet8-cifar10")):
        first = fingerprint(asked)
        assert json.loads(json.dumps(first)) == first == fingerprint(replace(asked))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "resnet18"},
        {"weights": "IMAGENET1K_V1"},
        {"weights": "random"},
        {"weights": "a.pth"},
        {"layer": "layer4"},
        {"pool": "avg"},
        {"preprocessing": {"resize": 32}},
    ],
    ids=str,
)
def test_every_setting_changes_it(project: Path, changes: dict[str, Any]) -> None:
    plain = BackboneRequest("resnet50")
    assert fingerprint(replace(plain, **changes)) != fingerprint(plain)


def write(path: str, text: str) -> Callable[[Path], object]:
    return lambda root: (root / path).write_text(text)


@pytest.mark.parametrize(
    "change",
    [
        write("a.pth", "other bytes"),
        write("net.py", NET + "# changed\n"),
        write("helper.py", "width = 4\n"),
        write("pkg/__init__.py", "x = 1\n"),
        write("pkg/deep/tool.py", "x = 1\n"),
    ],
    ids=["weights", "factory", "a module beside it", "a package's init", "a module in a package"],
)
def test_every_file_behind_a_factory_changes_it(project: Path, change: Callable[[Path], object]) -> None:
    before = fingerprint(own(project))
    change(project)
    assert fingerprint(own(project)) != before


def test_files_that_a_factory_does_not_import_change_nothing(project: Path) -> None:
    before = fingerprint(own(project))
    (project / "stranger.py").write_text("import os\n")
    (project / "pkg" / "other.py").write_text("thing = 2\n")
    assert fingerprint(own(project)) == before


def test_relative_imports_of_a_packages_module_count_and_its_place_does_not(project: Path) -> None:
    before = code_digest("pkg.nets:net")
    (project / "pkg" / "other.py").write_text("thing = 2\n")
    changed = code_digest("pkg.nets:net")
    (project / "helper.py").write_text("width = 5\n")
    assert len({before, changed, code_digest("pkg.nets:net")}) == 3
    moved = project.parent / "elsewhere"
    project.rename(moved)
    here = code_digest(f"{moved / 'net.py'}:net")
    moved.rename(project)
    assert here == code_digest(f"{project / 'net.py'}:net")


def test_an_installed_packages_own_modules_count_and_not_its_neighbours() -> None:
    assert factory_file("pytest:main").name == "__init__.py"
    assert len(code_digest("pytest:main")) == 64


def test_the_same_bytes_under_another_weights_name_are_told_apart(project: Path) -> None:
    (project / "copy.pth").write_bytes(b"a")
    first = fingerprint(BackboneRequest("googlenet", "a.pth"))
    assert fingerprint(BackboneRequest("googlenet", "copy.pth")) != first


def test_what_lies_in_torchvisions_download_folder_changes_it_and_where_that_is(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = project.parent / "home" / "hub" / "checkpoints"
    asked, seen = BackboneRequest("resnet50"), []
    seen.append(fingerprint(asked))
    hub.mkdir(parents=True)
    (hub / "resnet50-11ad3fa6.pth").write_bytes(b"one")
    seen.append(fingerprint(asked))
    (hub / "resnet50-11ad3fa6.pth").write_bytes(b"another")
    seen.append(fingerprint(asked))
    assert seen[0] != seen[1] != seen[2]
    monkeypatch.setenv("TORCH_HOME", str(project.parent / "elsewhere"))
    assert fingerprint(asked) == seen[0]
    random = replace(asked, weights="random")
    assert fingerprint(random) == fingerprint(random)


def test_the_shipped_weights_and_their_code_are_in_it() -> None:
    mark = fingerprint(BackboneRequest("resnet8-cifar10"))
    assert mark is not None and [len(x) for x in mark["files"]] == [64, 64]
