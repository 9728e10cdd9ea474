"""What a resolved backbone depends on: enough to know it again without loading it."""

from __future__ import annotations

import os
import re
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from frostline.stages.backbones.request import PIXELS, SHIPPED, BackboneRequest
from frostline.stages.records.sealed import file_digest
from frostline.stages.user_code.locate import code_digest

_SHIPPED_FILES = [Path(__file__).parent / "resnet8" / name for name in ("model.py", "weights.safetensors")]


def fingerprint(request: BackboneRequest) -> dict[str, Any] | None:
    """Return what a resolved backbone depends on, found without importing torch.

    Two equal fingerprints mean the same backbone; after any change the backbone must be
    resolved anew, though it may turn out to be the same. None if nothing can be known
    without building it (weights made inside a factory). Raises ConfigError: no such file, no such model.
    """
    _check_names(request)
    file = request.weights_file
    if request.is_factory and file is None:
        return None
    return {
        **asdict(request),
        "preprocessing": dict(request.preprocessing),
        "weights": file_digest(file) if file else request.weights,
        "weights_name": file.name if file else "",
        "files": _files(request, file),
        "versions": [version("torch"), version("torchvision"), version("frostline")],
    }


def _check_names(request: BackboneRequest) -> None:
    """Raise ConfigError for a model or weights that torchvision hasn't; only where it looks so it is imported."""
    if request.is_factory or request.name in (SHIPPED, PIXELS):
        return
    names = _weights(request.name)
    if not names or (request.weights_file is None and request.weights not in (*names, "random")):
        from frostline.stages.backbones.families.torchvision import check_names

        check_names(request)


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


def _files(request: BackboneRequest, weights: Path | None) -> list[Any]:
    """Return the identities of the files that the name stands for."""
    if request.is_factory:
        return [code_digest(request.name)]
    if request.name == SHIPPED:
        return [file_digest(path) for path in _SHIPPED_FILES]
    if request.name == PIXELS or weights or request.weights == "random":
        return []
    return _downloads(request.name)


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
