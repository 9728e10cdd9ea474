"""A repository of the hub, downloaded into the hub's own cache: the files that are asked for, nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from frostline.stages.backbones.families.huggingface.folder import hub_cache
from frostline.stages.errors import ConfigError, shortened


def download(name: str, files: Sequence[str], remedy: str) -> None:
    """Have the files of a repository that fit one of some patterns in the hub's cache. Raises ConfigError."""
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(name, allow_patterns=list(files), cache_dir=hub_cache())
    except Exception as error:  # its own errors, and those of three libraries below it
        raise ConfigError(
            f"can't download {name} ({type(error).__name__}: {shortened(str(error))})\n"
            f"Run `hf download {name}` to put it into the hub's cache, or {remedy}"
        ) from error
