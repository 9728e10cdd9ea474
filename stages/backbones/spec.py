"""A resolved backbone: the frozen description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from frostline.stages.modalities.base import IMAGE, Transform, described
from frostline.stages.modalities.registry import MODALITIES

Pooling = Literal["none", "avg", "max", "cls", "tokens", "flatten", "mean", "cls+mean"]
"""How an image network's layer becomes one vector; families of other modalities have their own words."""


Precision = Literal["fp32", "bf16", "fp16"]
Optimize = Literal["auto", "none", "openvino"]

OUTPUT = "output"
"""The layer that is the whole network's output, unless a module has that name."""


@dataclass(frozen=True)
class BackboneSpec:
    """A resolved f(x): everything about the network that changes a number.

    ``code``: what else makes its numbers: the digest of the user's own source, or a switch of
    the architecture that comes with its weights; mostly empty.
    ``weights`` is the digest of the weights' bytes. ``layer`` names a module, whose output
    is taken, or its input when the name ends in ``:input``. ``pool``: a ``Pooling``, or a word of the family's.
    ``size``: height and width of the images that the network is given; () for other modalities.
    """

    name: str
    code: str
    weights: str
    layer: str
    pool: str
    preprocessing: Transform[Any]
    size: tuple[int, ...] = ()

    @property
    def modality(self) -> str:
        """The name of the modality whose samples the network takes."""
        return self.preprocessing.modality

    @property
    def short_name(self) -> str:
        """The name without a factory's file ending and what parts names, fit for a file name."""
        return short_name(self.name)

    def fields(self) -> dict[str, Any]:
        """Return the fields as keys and records have them, those of the preprocessing nested.

        The modality is among them where it is not the image's, which alone has a size.
        """
        own = {one.name: getattr(self, one.name) for one in fields(self)}
        if self.modality != IMAGE:
            del own["size"]
            own["modality"] = self.modality
        return {**own, "preprocessing": described(self.preprocessing)}


def short_name(name: str) -> str:
    """Return a backbone's name without a factory's file ending and what parts names, fit for a file name."""
    return name.replace(".py:", "-").replace(":", "-").replace("/", "-")


def read_spec(stored: Mapping[str, Any]) -> BackboneSpec:
    """Return the spec whose ``fields`` were stored as JSON.

    Raises TypeError, KeyError, ValueError or ConfigError if it is none.
    """
    own: Any = dict(stored)
    modality = MODALITIES.load(own.pop("modality", IMAGE))
    how = modality.read_transform(own.pop("preprocessing"))
    if modality.name == IMAGE:
        height, width = own.pop("size")
        own["size"] = (height, width)
    return BackboneSpec(preprocessing=how, **own)
