"""Which dataset ``predict --out`` is asked about: named in its own words, or a folder or file by itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from frostline.stages.datasets import endings_of, prefix_of
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.vector.modality import VECTOR

_SAVED = (("dataset_dict.json",), ("state.json", "dataset_info.json"))  # what save_to_disk writes
_HOLD = (".parquet", ".tar", ".zip")


def one_input(given: Sequence[str]) -> str:
    """Return the one source that is asked about. Raises ConfigError for several."""
    if len(given) != 1:
        raise ConfigError(
            f"{len(given)} inputs with --out; expected one: a folder, a table, or a dataset such as csv:FILE"
        )
    return given[0]


def dataset_of(given: str | Path, modality: str) -> str:
    """Return the dataset, in the words of ``--dataset``, that a head of a modality is asked about.

    A folder is what lies in it, a file what its ending says; anything else is a dataset's own name. Raises ConfigError.
    """
    text, path = str(given), Path(given)
    if path.is_dir():
        return _of_folder(path, modality)
    if not path.is_file():
        return text
    ending = path.suffix.lower()
    if modality == VECTOR.name and ending in VECTOR.extensions:
        return f"vectors:{text}"
    prefix = prefix_of(text)
    if not prefix:
        raise ConfigError(
            f"{text} with --out; expected a folder, a table of files or texts, or a dataset such as csv:FILE"
        )
    return f"{prefix}:{text}"


def _of_folder(path: Path, modality: str) -> str:
    """Return the dataset that a folder is: the samples in it, or without one, the rows or containers that hold them."""
    if any(all((path / name).is_file() for name in names) for names in _SAVED):
        return f"hf-disk:{path}"
    endings, held = endings_of(modality), dict[str, Path]()
    for folder, inner, files in os.walk(path):
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        for name in sorted(name for name in files if not name.startswith(".")):
            ending = Path(name).suffix.lower()
            if ending in endings:
                return f"folder:{path}"
            if ending in _HOLD:
                held.setdefault(ending, Path(folder))
    if ".parquet" in held:
        return f"parquet:{path}"
    for ending, folder_of in held.items():
        pattern = f"{ending[1:]}:{folder_of / '*'}{ending}"
        raise ConfigError(
            f"{path} holds {ending} files, but no {modality} files; name the dataset explicitly: '{pattern}'"
        )
    return f"folder:{path}"
