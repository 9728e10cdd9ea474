"""What a user asks for, and its fingerprint: enough to know it again without loading it."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stages.errors import ConfigError
from stages.specs import Pooling, file_digest


@dataclass(frozen=True)
class BackboneRequest:
    """A backbone by name, before anything of it is loaded.

    ``weights``: a torchvision enum name, ``DEFAULT``, a file, ``random`` (seed 0) or
    ``factory``. ``layer``: a module's name, ``NAME:input`` for its input, or None for the
    input of the final classifier. ``preprocessing``: the fields of Preprocessing that
    replace the weights' own.
    """

    name: str
    weights: str = "DEFAULT"
    layer: str | None = None
    pool: Pooling | None = None
    preprocessing: Mapping[str, Any] = field(default_factory=dict)

    @property
    def weights_file(self) -> Path | None:
        """The weights' file, if a file is what is named. Raises ConfigError if it isn't there."""
        path = Path(self.weights).expanduser()
        if path.suffix in (".pth", ".pt", ".th", ".bin", ".ckpt", ".safetensors") or len(path.parts) > 1:
            if not path.is_file():
                raise ConfigError(f"no weights file {path}")
            return path
        return None


def factory_file(name: str) -> Path:
    """Return the source file of ``file.py:factory`` or ``pkg.module:factory``."""
    place = name.rpartition(":")[0]
    if place.endswith(".py"):
        path = Path(place).expanduser()
        if not path.is_file():
            raise ConfigError(f"no file {path} for the backbone {name}")
        return path
    try:
        spec = importlib.util.find_spec(place)
    except (ImportError, ValueError) as error:
        raise ConfigError(f"can't find the module {place!r} of the backbone {name}: {error}") from error
    if spec is None or spec.origin is None:
        raise ConfigError(f"no module {place!r} for the backbone {name}; wanted pkg.module:factory or file.py:factory")
    return Path(spec.origin)


def fingerprint(request: BackboneRequest) -> dict[str, Any] | None:
    """Return what a resolved backbone depends on, found without importing torch.

    None if it can't be known without building it (weights made inside a factory).
    """
    if request.weights == "factory":
        return None
    file = request.weights_file
    return {
        **asdict(request),
        "preprocessing": dict(request.preprocessing),
        "weights": file_digest(file) if file else request.weights,
        "weights_name": file.name if file else "",
        "code": file_digest(factory_file(request.name)) if ":" in request.name else "",
        "versions": [version("torch"), version("torchvision"), version("frostline")],
    }
