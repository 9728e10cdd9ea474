"""Which dataset ``predict --out`` is asked about: named in its own words, or a folder or file by itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from frostline.stages.datasets import SOURCES
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.vector.modality import VECTOR

_LIKE = {"tsv": "csv", "ndjson": "jsonl"}


def one_input(given: Sequence[str]) -> str:
    """Return the one source that is asked about. Raises ConfigError for several."""
    if len(given) != 1:
        raise ConfigError(
            f"{len(given)} inputs with --out; expected one: a folder, a table, or a dataset such as csv:FILE"
        )
    return given[0]


def dataset_of(given: str | Path, modality: str) -> str:
    """Return the dataset, in the words of ``--dataset``, that a head of a modality is asked about.

    A folder is ``folder:``, a file what its ending says; anything else is a dataset's own name. Raises ConfigError.
    """
    text, path = str(given), Path(given)
    if path.is_dir():
        return f"folder:{text}"
    if not path.is_file():
        return text
    ending = path.suffix.lower()
    if modality == VECTOR.name and ending in VECTOR.extensions:
        return f"vectors:{text}"
    prefix = _LIKE.get(ending.removeprefix("."), ending.removeprefix("."))
    if prefix not in SOURCES:
        raise ConfigError(
            f"{text} with --out; expected a folder, a table of files or texts, or a dataset such as csv:FILE"
        )
    return f"{prefix}:{text}"
