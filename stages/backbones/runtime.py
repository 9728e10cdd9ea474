"""The library that runs networks, if it is not torch: its name and version, found without importing it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from frostline.stages.backbones.spec import Optimize
from frostline.stages.errors import ConfigError


def runtime_of(optimize: Optimize) -> str:
    """Return the name and version of the library that runs networks, as keys have it; empty for torch.

    Raises ConfigError, which says what to install, if it is not there.
    """
    if optimize != "openvino":
        return ""
    try:
        return f"openvino {version('openvino')}"
    except PackageNotFoundError as error:
        raise ConfigError(
            "--optimize openvino needs openvino, which is not installed; pip install 'frostline[openvino]'"
        ) from error
