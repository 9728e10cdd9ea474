"""A resolved backbone: the frozen description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from frostline.stages.modalities.image.spec import Preprocessing, described

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
    preprocessing: Preprocessing
    size: tuple[int, int]

    @property
    def short_name(self) -> str:
        """The name without a factory's file ending and what parts names, fit for a file name."""
        return short_name(self.name)

    def fields(self) -> dict[str, Any]:
        """Return the fields as keys and records have them, those of the preprocessing nested."""
        return {**asdict(self), "preprocessing": described(self.preprocessing)}


def short_name(name: str) -> str:
    """Return a backbone's name without a factory's file ending and what parts names, fit for a file name."""
    return name.replace(".py:", "-").replace(":", "-").replace("/", "-")


def read_spec(fields: Mapping[str, Any]) -> BackboneSpec:
    """Return the spec whose ``fields`` were stored as JSON. Raises TypeError, KeyError or ValueError if it is none."""
    own: Any = dict(fields)
    how: Any = {n: tuple(v) if isinstance(v, list) else v for n, v in own.pop("preprocessing").items()}
    height, width = own.pop("size")
    return BackboneSpec(preprocessing=Preprocessing(**how), size=(height, width), **own)
