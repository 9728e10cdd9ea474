"""timm's models by name, known from its sources: importing it would load torch."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from frostline.stages.backbones.families.base import Encoder, Family, LoadedModel
from frostline.stages.backbones.families.timm_models.folder import LOCAL, local_files, portable_name
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.base import IMAGE
from frostline.stages.records.sealed import file_digest


class Timm(Family):
    """A model of timm's: ``NAME`` or ``NAME.TAG``, or ``local-dir:PATH``, a folder as timm saves one.

    Its weights: those of the tag, a file's, or random ones.
    """

    summary = "timm models: timm:vit_small_patch14_dinov2, or timm:local-dir:FOLDER"
    versions = ("torch", "torchvision", "timm")
    extra = "timm"
    takes = IMAGE

    def check(self, request: BackboneRequest) -> None:
        if request.weights_file is None and not self.names_weights(request.weights):
            raise ConfigError(
                f"weights {request.weights!r} for timm:{request.name}; expected DEFAULT, random or a file. Published "
                "weights are named by the model's tag, such as timm:resnet50.a1_in1k"
            )
        if request.name.startswith(LOCAL):
            local_files(request.name)
        elif not _is_plain(request.name) or not _in_sources(request.name):
            from frostline.stages.backbones.families.timm_models.names import check_name

            check_name(request.name)

    def fingerprint(self, request: BackboneRequest) -> list[Any]:
        if request.name.startswith(LOCAL):
            config, weights = local_files(request.name)
            return [file_digest(config), file_digest(weights) if request.weights == "DEFAULT" else ""]
        return _downloads(request.name.partition(".")[0]) if request.weights == "DEFAULT" else []

    def load(self, request: BackboneRequest) -> LoadedModel:
        from frostline.stages.backbones.families.timm_models.load import from_timm

        return from_timm(request)

    def names(self) -> Iterable[str]:
        from frostline.stages.backbones.families.timm_models.names import all_names

        return all_names()

    def describe(self, name: str) -> Encoder:
        from frostline.stages.backbones.families.timm_models.names import described

        return described(name)

    def trusted(self, name: str) -> bool:
        return not name.startswith(LOCAL)

    def portable(self, name: str) -> str:
        return portable_name(name) if name.startswith(LOCAL) else name


FAMILY = Timm()


def _is_plain(name: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z]\w*(\.[\w.-]+)?", name))


@cache
def _in_sources(name: str) -> bool:
    """Whether timm's sources, as far as they lie open, make a model of a name, and have weights of its tag."""
    found = find_spec("timm")
    files = (f for place in (found and found.submodule_search_locations) or () for f in Path(place).glob("models/*.py"))
    architecture, _, tag = name.partition(".")
    made = [f"\n@register_model\ndef {architecture}(", *([f"'{name}':"] if tag else [])]
    texts = (file.read_text(errors="replace") for file in files)
    return any(all(each in text for each in made) for text in texts)


def _downloads(architecture: str) -> list[Any]:
    """Return what says whether the files have changed that timm may have downloaded for an architecture's weights.

    Which of them it takes is known only to timm, whose import loads torch.
    """
    cache_home = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    home = Path(os.environ.get("HF_HOME", cache_home / "huggingface"))
    hub = Path(os.environ.get("HF_HUB_CACHE", home / "hub")).expanduser()
    own = f"models--timm--{architecture}"
    places = [p for p in hub.glob("models--*") if p.name.startswith(own) or not p.name.startswith("models--timm--")]
    commits = [[p.parent.parent.name, p.read_text()] for place in places for p in place.glob("refs/*") if p.is_file()]
    torch_home = Path(os.environ.get("TORCH_HOME", cache_home / "torch")).expanduser()
    files = [f for f in (torch_home / "hub" / "checkpoints").glob("*") if f.is_file()]
    return [*sorted(commits), *sorted([f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in files)]
