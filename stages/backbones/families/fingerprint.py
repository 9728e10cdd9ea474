"""What a resolved backbone depends on: enough to know it again without loading it."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from frostline.stages.backbones.families.registry import (
    asked_of,
    blamed,
    check,
    check_installed,
    distribution_of,
    full_name,
)
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.modalities.base import IMAGE


def fingerprint(request: BackboneRequest) -> dict[str, Any] | None:
    """Return what a resolved backbone depends on, found without importing torch.

    Two equal fingerprints mean the same backbone; after any change the backbone must be
    resolved again, though it may turn out to be the same. None if nothing can be known
    without building it (weights made inside a factory). Raises ConfigError: no such file, no such model.
    """
    check(request)
    family, own = asked_of(request)
    with blamed(request.name):
        files = family.fingerprint(own)
    if files is None:
        return None
    file = request.weights_file
    asked = asdict(request)
    if request.modality == IMAGE:
        del asked["modality"]  # memories of before know no other
    return {
        **asked,
        "name": full_name(request.name),
        "preprocessing": dict(request.preprocessing),
        "weights": request.weights_digest or request.weights,
        "weights_name": file.name if file else "",
        "files": files,
        "versions": list(versions_of(request).values()),
    }


def versions_of(request: BackboneRequest) -> dict[str, str]:
    """Return the versions of the distributions that may change a backbone's features, by name.

    Raises ConfigError if one of them is not installed.
    """
    family, _ = asked_of(request)
    check_installed(request.name, family)
    known = {name: version(name) for name in (*family.versions, "frostline")}
    return {**known, **distribution_of(request.name)}
