"""Folders that names of models mean: the user's, or what the hub's cache has of a repository. Imports nothing heavy."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from frostline.stages.backbones.families.model_folder import CONFIG, PROCESSORS, ModelFolder, local_folder
from frostline.stages.errors import ConfigError, shortened
from frostline.stages.records.sealed import digest, file_digest

_REPOSITORY = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", re.ASCII)
_SAYS_NOTHING = ("_name_or_path", "transformers_version", "architectures", "dtype", "torch_dtype")
_LABELS = ("id2label", "label2id", "label_names", "label_descriptions")


def find_folder(name: str, family: str = "hf") -> ModelFolder | None:
    """Return the folder that a name means; None for a repository that is not in the hub's cache.

    ``family``: the prefix by which errors call it.

    Raises ConfigError for a path where no folder is.
    """
    path = Path(name.replace("\0", "?")).expanduser()
    if name and path.is_dir():
        return local_folder(path, f"{family}:{name}")
    if not is_repository(name):
        raise ConfigError(
            f"{family}:{shortened(name)}: {'no such folder' if name else 'no name'}; expected a folder, or a "
            "repository's name, such as org/model"
        )
    return cached(name, family)


def is_repository(name: str) -> bool:
    """Whether a name has the form of the name of a repository of the hub."""
    return bool(_REPOSITORY.fullmatch(name)) and ".." not in name


def cached(name: str, family: str = "hf") -> ModelFolder | None:
    """Return what the hub's cache holds of a repository; None without a configuration and weights."""
    folder = snapshot(name, f"{family}:{name}")
    try:
        return folder if folder and folder.file(CONFIG) and folder.weights() else None
    except ConfigError:  # half of a download
        return None


def snapshot(name: str, called: str) -> ModelFolder | None:
    """Return the folder of a repository in the hub's cache, whatever it holds; None if there is none."""
    repository = hub_cache() / f"models--{name.replace('/', '--')}"
    try:
        commit = (repository / "refs" / "main").read_text().strip()
    except (OSError, ValueError):
        return None
    return ModelFolder(called, repository / "snapshots" / Path(commit).name, repository.resolve())


def cached_names() -> Iterator[str]:
    """Yield the repositories in the hub's cache, in order, whatever they hold."""
    for path in sorted(hub_cache().glob("models--*")):
        yield path.name.removeprefix("models--").replace("--", "/", 1)


def hub_cache() -> Path:
    """Return the folder that huggingface_hub keeps downloads in."""
    given = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = Path(os.environ.get("HF_HOME") or Path(base, "huggingface"))
    return Path(given or home / "hub").expanduser()


def weights_digest(files: list[Path]) -> str:
    """Return the SHA-256 of one file of weights, or over the names and SHA-256 of several."""
    if len(files) == 1:
        return file_digest(files[0])
    return digest([[file.name, file_digest(file)] for file in files])


def config_digest(config: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what of a configuration can change a number: not names of classes, nor of versions."""
    return digest({name: value for name, value in config.items() if name not in (*_SAYS_NOTHING, *_LABELS)})


def files_known(folder: ModelFolder) -> list[Any]:
    """Return what changes whenever a folder's files do, without reading the weights."""
    texts = [file_digest(path) for name in (CONFIG, *PROCESSORS) if (path := folder.file(name))]
    stats = [(path, path.stat()) for path in folder.weights()]
    return [*texts, *([path.name, s.st_size, s.st_mtime_ns] for path, s in stats)]
