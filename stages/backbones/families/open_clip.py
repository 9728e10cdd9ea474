"""Image towers of open_clip's models of images and texts: ``open_clip:NAME/TAG``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from frostline.stages.backbones.families.base import Encoder, Family, LoadedModel
from frostline.stages.backbones.families.huggingface.folder import (
    ModelFolder,
    hub_cache,
    is_repository,
    local_folder,
    snapshot,
)
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.errors import ConfigError, unknown_name
from frostline.stages.records.sealed import file_digest

CONFIG = "open_clip_config.json"
LOCAL, HUB = "local-dir:", "hf-hub:"
WEIGHTS = (
    *("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "open_clip_pytorch_model.bin"),
    *("open_clip_pytorch_model.pth", "model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth"),
)
"""Files that open_clip saves weights in, the first that is there counts."""


class OpenClip(Family):
    """The image tower of a model, its feature projected to where the texts' are, and not normalised.

    ``NAME/TAG``: published weights. ``NAME``: for those of a file, or random ones. ``hf-hub:ORG/REPOSITORY``,
    ``local-dir:FOLDER``: what open_clip saved there.
    """

    summary = "image towers of open_clip: open_clip:ViT-B-32/laion2b_s34b_b79k, open_clip:hf-hub:ORG/MODEL"
    versions = ("torch", "open_clip_torch")
    extra = "open_clip"

    def names(self) -> Iterable[str]:
        return sorted(_configurations())

    def describe(self, name: str) -> Encoder:
        said = configuration(name)
        side = said["vision_cfg"].get("image_size", 224)
        return Encoder(said["embed_dim"], (side, side) if isinstance(side, int) else tuple(side))

    def check(self, request: BackboneRequest) -> None:
        name, tag = parted(request.name)
        if request.weights_file is None and not self.names_weights(request.weights):
            raise ConfigError(
                f"weights {request.weights!r} for open_clip:{request.name}; wanted DEFAULT (those of /TAG), random, or "
                f"FILE; published weights are part of the name: open_clip:{name}/{request.weights}"
            )
        if name.startswith((LOCAL, HUB)):
            folder_of(name)
            return
        if name not in _configurations():
            raise unknown_name("model of open_clip", name, _configurations())
        if not tag and request.weights == "DEFAULT":
            raise ConfigError(
                f"open_clip:{name} does not say which weights; wanted open_clip:{name}/TAG, or --weights FILE or random"
            )

    def fingerprint(self, request: BackboneRequest) -> list[Any] | None:
        name, tag = parted(request.name)
        if name.startswith((LOCAL, HUB)):
            folder = folder_of(name)
            return folder and _files(folder)
        return _downloads() if tag and request.weights == "DEFAULT" else []

    def load(self, request: BackboneRequest) -> LoadedModel:
        from frostline.stages.backbones.families.open_clip_models import from_open_clip

        return from_open_clip(request)

    def trusted(self, name: str) -> bool:
        """Only what open_clip itself lists: no folder, and no repository that a stranger's head would choose."""
        return parted(name)[0] in _configurations()

    def portable(self, name: str) -> str:
        place = name.removeprefix(LOCAL)
        return name if place == name else LOCAL + Path(place).expanduser().resolve().name


FAMILY = OpenClip()


def parted(name: str) -> tuple[str, str]:
    """Return a model's name and the tag of published weights, which may be empty."""
    model, _, tag = (name, "", "") if name.startswith((LOCAL, HUB)) else name.partition("/")
    return model, tag


def folder_of(name: str) -> ModelFolder | None:
    """Return the folder that a name of a place means; None for a repository that is not in the hub's cache."""
    place, called = name.partition(":")[2], f"open_clip:{name}"
    if name.startswith(LOCAL):
        path = Path(place.replace("\0", "?")).expanduser()
        if not path.is_dir():
            raise ConfigError(f"{called}: no such folder; wanted one with {CONFIG}")
        return local_folder(path, called)
    if not is_repository(place):
        raise ConfigError(f"{called}: {place!r} is no repository's name; wanted one such as org/model")
    return snapshot(place, called)


def weights_of(folder: ModelFolder) -> Path | None:
    """Return the file of weights of a folder."""
    return next((found for name in WEIGHTS if (found := folder.file(name))), None)


def configuration(name: str) -> dict[str, Any]:
    """Return what open_clip's own file says of a model, known from its sources: importing it would load torch."""
    found: dict[str, Any] = json.loads(_configurations()[name].read_bytes())
    return found


@cache
def _configurations() -> dict[str, Path]:
    found = find_spec("open_clip")
    places = (found and found.submodule_search_locations) or ()
    return {file.stem: file for place in places for file in sorted(Path(place, "model_configs").glob("*.json"))}


def _files(folder: ModelFolder) -> list[Any]:
    said, weights = folder.file(CONFIG), weights_of(folder)
    stat = weights.stat() if weights else None
    return [said and file_digest(said), weights and weights.name, stat and [stat.st_size, stat.st_mtime_ns]]


def _downloads() -> list[Any]:
    """Return what may have been downloaded: commits in the hub's cache, and files in open_clip's own.

    Which of them a tag stands for is known only to open_clip, whose import loads torch.
    """
    commits = [[ref.parents[1].name, ref.read_text()] for ref in sorted(hub_cache().glob("models--*/refs/main"))]
    files = [(file.name, file.stat()) for file in sorted(Path("~/.cache/clip").expanduser().glob("*"))]
    return [*commits, *([name, stat.st_size, stat.st_mtime_ns] for name, stat in files)]
