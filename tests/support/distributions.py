"""Distributions that tests install: laid out in a folder as pip would."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from frostline.stages.backbones.families import registry
from frostline.stages.plugins import Door


def install(site: Path, name: str, group: str, entries: str, code: str = "") -> None:
    """Lay out a distribution of one file, version 1.0, with the lines of one group of entry points."""
    place = site / f"{name}-1.0.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (place / "entry_points.txt").write_text(f"[{group}]\n{entries}\n")
    (site / f"{name}.py").write_text(code)


FAMILY = """
from frostline.stages.backbones.families.base import Family, LoadedModel
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.image.spec import Preprocessing


class Mine(Family):
    summary = "tiny networks of mine"
    versions = ("torch", "mine")
    free = True

    def check(self, request, /):
        if request.name not in ("tiny", "liar"):
            raise ConfigError(f"no {request.name!r} among mine; wanted tiny or liar")
        if request.weights_file or not self.names_weights(request.weights):
            raise ConfigError(f"no weights {request.weights!r} of mine")

    def fingerprint(self, request, /):
        return ["the first"]

    def load(self, request, /):
        import torch
        from torch import nn

        module = nn.Sequential(nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        with torch.no_grad():
            for values in module.parameters():
                values.copy_(torch.linspace(-1, 1, values.numel()).view_as(values))
        width = 7 if request.name == "liar" else 6
        return LoadedModel(module, "f" * 64, Preprocessing((8, 8), None), layer="output", width=width)

    def trusted(self, name, /):
        return self.free

    def names_weights(self, word, /):
        return word in ("DEFAULT", "v1")


class Shy(Mine):
    free = False


MINE, SHY = Mine(), Shy()
"""


def install_family(site: Path) -> None:
    """Lay out a distribution with two families, ``mine`` and, not for heads of strangers, ``shy``."""
    install(site, "mine", "frostline.families", "mine = mine:MINE\nshy = mine:SHY", FAMILY)


@contextmanager
def families_of(site: Path) -> Iterator[None]:
    """Have this process see the families that are installed in a folder."""
    seen = registry.FAMILIES
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        patch.setattr(registry, "FAMILIES", Door(seen.kind, seen.group, seen._built_in))
        yield
    sys.modules.pop("mine", None)
