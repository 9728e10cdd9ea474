"""A resolved backbone: the frozen description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from frostline.stages.modalities.image.spec import ImageTransform, described, read_transform

Pooling = Literal["none", "avg", "max", "cls", "tokens", "flatten", "mean", "cls+mean"]


Precision = Literal["fp32", "bf16", "fp16"]
Optimize = Literal["auto", "none"]

OUTPUT = "output"
"""The layer that is the whole network's output, unless a module has that name."""


@dataclass(frozen=True)
class BackboneSpec:
    """A resolved f(x): everything about the network that changes a number.

    ``code``: what else makes its numbers: the digest of the user's own source, or a switch of
    the architecture that comes with its weights; mostly empty.
    ``weights`` is the digest of the weights' bytes. ``layer`` names a module, whose output
    is taken, or its input when the name ends in ``:input``. ``size``: height and width of
    what the network is given.
    """

    name: str
    code: str
    weights: str
    layer: str
    pool: Pooling
    preprocessing: ImageTransform
    size: tuple[int, int]

    @property
    def short_name(self) -> str:
        """The name without a factory's file ending and what parts names, fit for a file name."""
        return short_name(self.name)

    def fields(self) -> dict[str, Any]:
        """Return the fields as keys and records have them, those of the preprocessing nested."""
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        return {**own, "preprocessing": described(self.preprocessing)}


def short_name(name: str) -> str:
    """Return a backbone's name without a factory's file ending and what parts names, fit for a file name."""
    return name.replace(".py:", "-").replace(":", "-").replace("/", "-")


def read_spec(stored: Mapping[str, Any]) -> BackboneSpec:
    """Return the spec whose ``fields`` JSON stored. Raises TypeError, KeyError or ValueError if it is none."""
    own: Any = dict(stored)
    how = read_transform(own.pop("preprocessing"))
    height, width = own.pop("size")
    return BackboneSpec(preprocessing=how, size=(height, width), **own)
