"""torchvision's classification models by name, known from its sources: importing it would load torch."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from frostline.stages.backbones.families.base import Encoder, Family, LoadedModel
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.modalities.base import IMAGE

_ENTRY = re.compile(r"(\w+_Weights\.)?[A-Z][A-Z0-9_]*")  # such as IMAGENET1K_V2


class Torchvision(Family):
    """A model of torchvision's, with its published weights, those of a file, or random ones."""

    summary = "torchvision classification models; the prefix is optional: resnet50"
    versions = ("torch", "torchvision")
    takes = IMAGE

    def check(self, request: BackboneRequest) -> None:
        names = _weights(request.name)
        if not names or (request.weights_file is None and request.weights not in (*names, "random")):
            from frostline.stages.backbones.families.torchvision_models import check_names

            check_names(request)

    def fingerprint(self, request: BackboneRequest) -> list[Any]:
        return [] if request.weights_file or request.weights == "random" else _downloads(request.name)

    def load(self, request: BackboneRequest) -> LoadedModel:
        from frostline.stages.backbones.families.torchvision_models import from_torchvision

        return from_torchvision(request)

    def names(self) -> Iterable[str]:
        from frostline.stages.backbones.families.torchvision_models import all_names

        return all_names()

    def describe(self, name: str) -> Encoder:
        from frostline.stages.backbones.families.torchvision_models import described

        return described(name)

    def trusted(self, _name: str) -> bool:
        return True

    def names_weights(self, word: str) -> bool:
        return word == "random" or bool(_ENTRY.fullmatch(word))


FAMILY = Torchvision()


@cache
def _weights(model: str) -> frozenset[str]:
    """Return the names of a model's weights, as far as torchvision's sources lie open and say them."""
    found = find_spec("torchvision")
    files = (f for place in (found and found.submodule_search_locations) or () for f in Path(place).glob("models/*.py"))
    made = re.compile(rf"\ndef {re.escape(model)}\([^)]*?weights: (?:Optional\[)?(\w+)")
    for source in (file.read_text(errors="replace") for file in files):
        if signature := made.search(source):
            kind = signature[1]
            body = re.search(rf"\nclass {kind}\(WeightsEnum\):\n(?:(?:    .*|\))?\n)*", source)
            names = re.findall(r"\n    (\w+) = ", body[0]) if body else []
            return frozenset([*names, *(f"{kind}.{name}" for name in names)])
    return frozenset()


def _downloads(model: str) -> list[Any]:
    """Return name, size and time of the files that torchvision may have downloaded for a model.

    Which of them it needs is known only to torchvision, whose import loads torch.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    home = Path(os.environ.get("TORCH_HOME", cache / "torch")).expanduser()
    files = sorted((home / "hub" / "checkpoints").glob("*"))
    own = [f for f in files if _letters(f.name).startswith(_letters(model)) and f.is_file()]
    return [[f.name, f.stat().st_size, f.stat().st_mtime_ns] for f in own]


def _letters(name: str) -> str:
    """``shufflenet_v2_x0_5`` is downloaded as ``shufflenetv2_x0.5-f707e7126e.pth``."""
    return "".join(filter(str.isalnum, name)).lower()
