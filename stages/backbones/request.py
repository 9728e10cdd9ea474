"""What a user asks for, and its fingerprint: enough to know it again without loading it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frostline.stages.backbones.spec import Pooling
from frostline.stages.errors import ConfigError

SHIPPED = "resnet8-cifar10"
PIXELS = "pixels"
_ENDINGS = (".pth", ".pt", ".th", ".bin", ".ckpt", ".tar", ".safetensors")


@dataclass(frozen=True)
class BackboneRequest:
    """A backbone by name, before anything of it is loaded.

    ``name``: a torchvision model, ``resnet8-cifar10``, ``pixels``, ``file.py:factory`` or
    ``pkg.module:factory``. ``weights``: a torchvision enum name, ``DEFAULT``, a file,
    ``random`` (seed 0) or ``factory``. ``layer``: a module's name, ``NAME:input`` for its
    input, or None for the input of the final classifier. ``preprocessing``: the fields of
    Preprocessing that replace the weights' own.
    """

    name: str
    weights: str = "DEFAULT"
    layer: str | None = None
    pool: Pooling | None = None
    preprocessing: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_factory(self) -> bool:
        """Whether the name means a function of the user's."""
        return ":" in self.name

    @property
    def weights_file(self) -> Path | None:
        """The weights' file, if a file is what is named. Raises ConfigError if it isn't there."""
        path = Path(self.weights).expanduser()
        if self.weights in ("DEFAULT", "random", "factory"):
            return None
        if path.is_file():
            return path
        if path.suffix.lower() in _ENDINGS or len(path.parts) > 1 or path.is_dir():
            found = "a folder, not a file" if path.is_dir() else "no such file"
            raise ConfigError(f"no weights file {path} ({found}); wanted a checkpoint, or the name of weights")
        return None
