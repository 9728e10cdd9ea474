"""A repository of the hub, downloaded into the hub's own cache: configurations and safetensors, nothing else."""

from __future__ import annotations

from frostline.stages.backbones.families.huggingface.folder import ModelFolder, cached, hub_cache
from frostline.stages.errors import ConfigError, shortened

_FILES = ("*.json", "*.safetensors")


def downloaded(name: str) -> ModelFolder:
    """Return the folder of a repository, downloaded. Raises ConfigError if it can't be had, or has no safetensors."""
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(name, allow_patterns=list(_FILES), cache_dir=hub_cache())
    except Exception as error:  # its own errors, and those of three libraries below it
        raise ConfigError(
            f"can't download {name} ({type(error).__name__}: {shortened(str(error))})\n"
            "Give a folder where it lies, hf:FOLDER, or put it into the hub's cache: hf download " + name
        ) from error
    folder = cached(name)
    if folder is None:
        raise ConfigError(f"hf:{name} has no config.json with model.safetensors beside it; choose another model")
    return folder
