"""``local-dir:PATH``: a folder as timm saves a model."""

from __future__ import annotations

from pathlib import Path

from frostline.stages.backbones.families.model_folder import local_folder
from frostline.stages.errors import ConfigError

LOCAL = "local-dir:"
_WEIGHTS = ("model.safetensors", "pytorch_model.bin", "pytorch_model.pth", "model.pth")  # timm's own order


def local_files(name: str) -> tuple[Path, Path]:
    """Return the configuration and the weights of ``local-dir:PATH``.

    Raises ConfigError where one is missing, or leads out of the folder.
    """
    folder = Path(name.removeprefix(LOCAL)).expanduser()
    if name == LOCAL:
        raise ConfigError(f"timm:{LOCAL} names no folder; expected timm:{LOCAL}FOLDER")
    files = local_folder(folder, f"timm:{name}")
    config = files.file("config.json")
    weights = next((file for each in _WEIGHTS if (file := files.file(each))), None)
    if config is None or weights is None:
        found = "no config.json" if config is None else f"none of {', '.join(_WEIGHTS)}"
        raise ConfigError(
            f"{folder} holds {found}; expected a folder as timm saves one, with a config.json and weights "
            "(timm.models.save_for_hf)"
        )
    return config, weights


def portable_name(name: str) -> str:
    """Return ``local-dir:`` and the folder's own name, wherever it lies and however the path to it is written."""
    return LOCAL + Path(name.removeprefix(LOCAL)).expanduser().resolve().name
