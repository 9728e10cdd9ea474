"""Where a model of open_clip comes from: its configuration, how its weights were trained, and those weights."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip

from frostline.stages.backbones.families.huggingface.download import download
from frostline.stages.backbones.families.model_folder import ModelFolder
from frostline.stages.backbones.families.openclip.places import (
    CONFIG,
    HUB,
    LOCAL,
    WEIGHTS,
    configurations,
    folder_of,
    parted,
    weights_of,
)
from frostline.stages.errors import ConfigError, shortened, unknown_name

TAG_SAYS = ("mean", "std", "interpolation", "resize_mode", "fill_color")
"""What published weights say of the images that they were trained on."""
_ARCHITECTURE = re.compile(r"\w[\w.]*", re.ASCII)  # of timm; with a colon it would be a place to load from


@dataclass(frozen=True)
class Source:
    """Where a model comes from. ``identifier``: open_clip's name of it. ``published``: how its weights were trained."""

    called: str
    identifier: str
    said: Mapping[str, Any]
    published: Mapping[str, Any]
    weights: Callable[[], Path | None]
    licence: str = ""


def source_of(name: str) -> Source:
    """Return where a model comes from. Raises ConfigError for what can't be had, or is no model of open_clip's."""
    model, tag = parted(name)
    if model.startswith((LOCAL, HUB)):
        return _of_folder(model)
    said = open_clip.get_model_config(model)
    published = _published(model, tag)
    other = model.removesuffix("-quickgelu") if said.get("quick_gelu") else f"{model}-quickgelu"
    is_other = bool(published.get("quick_gelu")) != bool(said.get("quick_gelu"))
    if tag and is_other and other != model and other in configurations():
        raise ConfigError(
            f"the weights {tag} were trained with a different activation; expected open_clip:{other}/{tag}"
        )
    return Source(f"open_clip:{name}", model, said, published, lambda: _downloaded(published) if tag else None)


def _of_folder(name: str) -> Source:
    folder = folder_of(name)
    if name.startswith(HUB) and (folder is None or weights_of(folder) is None):
        download(name.removeprefix(HUB), (CONFIG, *WEIGHTS, "README.md"), "give a folder: open_clip:local-dir:FOLDER")
        folder = folder_of(name)
    said = folder.json(CONFIG) if folder else None
    if folder is None or said is None:
        raise ConfigError(f"open_clip:{name} has no {CONFIG}; expected a folder saved by open_clip")
    found = said.get("model_cfg", said)
    _check(folder, found)
    place = f"{LOCAL}{folder.path}"
    return Source(folder.name, place, found, {}, lambda: weights_of(folder), folder.licence())


def _check(folder: ModelFolder, said: Any) -> None:
    """Raise ConfigError unless a configuration is one, whose tower is open_clip's own or one that timm has by name."""
    parts = [said.get(name) if isinstance(said, dict) else None for name in ("vision_cfg", "text_cfg")]
    if not all(isinstance(part, dict) for part in parts) or not isinstance(said.get("embed_dim"), int):
        raise ConfigError(
            f"{folder.name}: its {CONFIG} has no embed_dim, vision_cfg and text_cfg; expected the configuration "
            "of a model"
        )
    tower = (parts[0] or {}).get("timm_model_name")
    if tower is not None and not (isinstance(tower, str) and _ARCHITECTURE.fullmatch(tower)):
        raise ConfigError(
            f"{folder.name}: its image tower is {shortened(str(tower))}; expected the name of a timm model"
        )


def _published(model: str, tag: str) -> dict[str, Any]:
    """Return what open_clip says of published weights; without a tag, how all weights of the model take images."""
    tags = open_clip.list_pretrained_tags_by_model(model)
    if tag:
        found: dict[str, Any] = open_clip.get_pretrained_cfg(model, tag)
        if not found:
            raise unknown_name(f"weights of open_clip:{model}", tag, tags)
        return found
    all_say = [{n: open_clip.get_pretrained_cfg(model, t).get(n) for n in TAG_SAYS} for t in tags]
    return all_say[0] if all_say and all(said == all_say[0] for said in all_say) else {}


def _downloaded(published: Mapping[str, Any]) -> Path:
    try:
        return Path(open_clip.download_pretrained(dict(published)))
    except Exception as error:  # its own errors, and those of the libraries below it
        place = published.get("hf_hub") or published.get("url")
        raise ConfigError(
            f"can't download {place} ({type(error).__name__}: {shortened(str(error))}); give the path of the "
            "weights with --weights FILE"
        ) from error
