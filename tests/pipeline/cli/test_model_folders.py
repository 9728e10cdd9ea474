"""Models of transformers and open_clip from the command line: run, cached, predicted with, exported."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.model_folders import save_open_clip, save_transformers

Command = Callable[..., subprocess.CompletedProcess[str]]
OFFLINE = {"HF_HUB_OFFLINE": "1"}
_SAVE: dict[str, Callable[[Path], object]] = {
    "hf:": lambda place: save_transformers(place, "vit"),
    "open_clip:local-dir:": lambda place: save_open_clip(place, "vit"),
}
_NOT_LOADED = (
    "import sys\nfrom frostline.pipeline.cli.main import main\nassert main(sys.argv[1:]) == 0\n"
    "assert not {'torch', 'transformers', 'open_clip', 'huggingface_hub'} & set(sys.modules)"
)


@pytest.mark.parametrize("family", _SAVE)
def test_a_folders_features_are_cached_and_its_heads_ask_for_its_name(
    family: str, folder: Path, frostline: Command, tmp_path: Path
) -> None:
    place = tmp_path / "model"
    _SAVE[family](place)
    asked = ["--dataset", f"folder:{folder}", "--backbone", f"{family}{place}", "--head", "ridge"]
    assert frostline("run", *asked, **OFFLINE).returncode == 0
    own = {**os.environ, **OFFLINE, "FROSTLINE_DATA_DIR": str(tmp_path / "data")}
    subprocess.run([sys.executable, "-c", _NOT_LOADED, "run", *asked], check=True, env=own, cwd=tmp_path)
    (head,) = (tmp_path / "data" / "heads").glob("*")
    image = str(folder / "test" / "cat" / "00.png")
    unnamed = frostline("predict", str(head), image, **OFFLINE)
    assert unnamed.returncode == 2 and f"runs only if you name it: --backbone {family}{place}" in unnamed.stderr
    named = ["--backbone", f"{family}{place}"]
    assert frostline("predict", str(head), image, *named, **OFFLINE).returncode == 0
    exported = frostline("export", str(head), "net.pt2", *named, **OFFLINE)
    assert exported.returncode == 0 and "uint8 images (batch, 32, 32, 3)" in exported.stdout


def test_a_head_on_a_downloaded_repository_needs_no_name(folder: Path, frostline: Command, tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "models--org--small"
    save_transformers(repository / "snapshots" / "abc", "dinov2")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    here = {**OFFLINE, "HF_HUB_CACHE": str(tmp_path / "hub")}
    asked = ["--dataset", f"folder:{folder}", "--backbone", "hf:org/small", "--head", "ridge"]
    assert frostline("run", *asked, **here).returncode == 0
    (head,) = (tmp_path / "data" / "heads").glob("*")
    image = str(folder / "test" / "cat" / "00.png")
    assert frostline("predict", str(head), image, **here).returncode == 0
    elsewhere = frostline("predict", str(head), image, **OFFLINE, HF_HUB_CACHE=str(tmp_path / "empty"))
    assert elsewhere.returncode == 2 and "--backbone hf:org/small" in elsewhere.stderr


def test_an_extra_that_is_missing_is_named(frostline: Command, folder: Path, tmp_path: Path) -> None:
    lost = "import sys, importlib.metadata as m\n_find = m.version\n"
    lost += "def version(name):\n    if name in ('transformers', 'open_clip_torch'):\n"
    lost += "        raise m.PackageNotFoundError(name)\n    return _find(name)\nm.version = version\n"
    lost += "from frostline.pipeline.cli.main import main\nsys.exit(main(sys.argv[1:]))"
    for name, extra in (("hf:org/small", "hf"), ("open_clip:RN50/openai", "open_clip")):
        asked = ["run", "--dataset", f"folder:{folder}", "--backbone", name]
        command = [sys.executable, "-c", lost, *asked]
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 2 and f"pip install 'frostline[{extra}]'" in done.stderr
