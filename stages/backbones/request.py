"""The request for a backbone, before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frostline.stages.errors import ConfigError
from frostline.stages.modalities.base import IMAGE
from frostline.stages.records.sealed import digest, file_digest

_PART = "#"
WORDS = ("DEFAULT", "random", "factory")
"""Weights that are never a file."""
_ENDINGS = (".pth", ".pt", ".th", ".bin", ".ckpt", ".tar", ".safetensors")


@dataclass(frozen=True)
class BackboneRequest:
    """The request for a backbone, before anything is loaded.

    ``name``: a torchvision model, ``resnet8-cifar10``, ``pixels``, ``FAMILY:NAME``, ``file.py:factory`` or
    ``pkg.module:factory``. ``weights``: a name that the family knows, ``DEFAULT``, a file,
    ``FILE#PART`` for one part of a file, ``random`` (seed 0) or ``factory``. ``layer``: a module's
    name, ``NAME:input`` for its input, ``output`` for the whole network's output, or None for the
    family's default, usually the input of the final classifier. ``preprocessing``: the fields of the transform that
    the user set, instead of those of the weights. ``modality``: of the samples; a family with networks for several
    modalities chooses by it.
    """

    name: str
    weights: str = "DEFAULT"
    layer: str | None = None
    pool: str | None = None
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    modality: str = IMAGE

    @property
    def weights_file(self) -> Path | None:
        """The weights' file, if a file is what is named. Raises ConfigError if it isn't there."""
        path = Path(_split(self.weights)[0]).expanduser()
        if self.weights in WORDS:
            return None
        if path.is_file():
            return path
        if path.suffix.lower() in _ENDINGS or len(path.parts) > 1 or path.is_dir():
            found = "a folder, not a file" if path.is_dir() else "no such file"
            raise ConfigError(f"no weights file {path} ({found}); expected a checkpoint, or the name of weights")
        return None

    @property
    def weights_part(self) -> str:
        """The part of the weights' file that is asked for; empty for what is taken by itself."""
        return _split(self.weights)[1]

    @property
    def weights_digest(self) -> str | None:
        """The SHA-256 of the weights' file, or of that and of the part that is asked for; None if no file is named."""
        file, part = self.weights_file, self.weights_part
        if file is None:
            return None
        return digest([file_digest(file), part]) if part else file_digest(file)


def _split(weights: str) -> tuple[str, str]:
    """Return the name of a file and of a part of it; what is there under the whole name has none."""
    name, mark, part = weights.rpartition(_PART)
    return (name, part) if mark and name and not Path(weights).expanduser().is_file() else (weights, "")
