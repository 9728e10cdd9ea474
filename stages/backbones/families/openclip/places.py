"""Where open_clip's models lie: in its own list, in a folder, in a repository of the hub. Imports nothing heavy."""

from __future__ import annotations

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from frostline.stages.backbones.families.huggingface.folder import (
    hub_cache,
    is_repository,
    snapshot,
)
from frostline.stages.backbones.families.model_folder import ModelFolder, local_folder
from frostline.stages.errors import ConfigError
from frostline.stages.records.sealed import file_digest

CONFIG = "open_clip_config.json"
LOCAL, HUB = "local-dir:", "hf-hub:"
WEIGHTS = (
    *("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin"),
    *("open_clip_pytorch_model.pth", "model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth"),
)
"""Files that open_clip saves weights in, the first that is there counts."""


def parted(name: str) -> tuple[str, str]:
    """Return a model's name and the tag of published weights, which may be empty."""
    model, _, tag = (name, "", "") if name.startswith((LOCAL, HUB)) else name.partition("/")
    return model, tag


def folder_of(name: str) -> ModelFolder | None:
    """Return the folder that a name of a place means; None for a repository that is not in the hub's cache."""
    place, called = name.partition(":")[2], f"open_clip:{name}"
    if name.startswith(LOCAL):
        path = Path(place.replace("\0", "?")).expanduser()
        if not place or not path.is_dir():
            raise ConfigError(f"{called}: no such folder; expected one with {CONFIG}")
        return local_folder(path, called)
    if not is_repository(place):
        raise ConfigError(f"{called}: {place!r} is not the name of a repository; expected a name such as org/model")
    return snapshot(place, called)


def weights_of(folder: ModelFolder) -> Path | None:
    """Return the file of weights of a folder."""
    return next((found for name in WEIGHTS if (found := folder.file(name))), None)


def configuration(name: str) -> dict[str, Any]:
    """Return what open_clip's own file says of a model, known from its sources: importing it would load torch."""
    found: dict[str, Any] = json.loads(configurations()[name].read_bytes())
    return found


@cache
def configurations() -> dict[str, Path]:
    """Return the files that describe models in open_clip's sources, by the models' names."""
    found = find_spec("open_clip")
    places = (found and found.submodule_search_locations) or ()
    return {file.stem: file for place in places for file in sorted(Path(place, "model_configs").glob("*.json"))}


def files_known(folder: ModelFolder) -> list[Any]:
    """Return what changes whenever a folder's files do, without reading the weights."""
    said, weights = folder.file(CONFIG), weights_of(folder)
    stat = weights.stat() if weights else None
    return [said and file_digest(said), weights and weights.name, stat and [stat.st_size, stat.st_mtime_ns]]


def downloads_known() -> list[Any]:
    """Return what may have been downloaded: commits in the hub's cache, and files in open_clip's own.

    Which of them a tag stands for is known only to open_clip, whose import loads torch.
    """
    commits = [[ref.parents[1].name, ref.read_text()] for ref in sorted(hub_cache().glob("models--*/refs/main"))]
    files = [(file.name, file.stat()) for file in sorted(Path("~/.cache/clip").expanduser().glob("*"))]
    return [*commits, *([name, stat.st_size, stat.st_mtime_ns] for name, stat in files)]
