"""What a head is asked about: files, folders of them, and tables that name them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from frostline.pipeline.serve.asked import Asked, asked_bytes, asked_file
from frostline.pipeline.serve.text_inputs import STDIN, asked_texts, is_table
from frostline.pipeline.settings import ServeSettings
from frostline.stages.buckets.address import is_address, path_of
from frostline.stages.datasets import SOURCES, files_in, paths_of
from frostline.stages.errors import ConfigError, DataError, one
from frostline.stages.modalities.base import Modality
from frostline.stages.modalities.text.modality import TEXT
from frostline.stages.modalities.vector.modality import VECTOR

log = logging.getLogger("frostline")
_CONTAINERS = (".tar", ".zip", ".parquet")


def asked_for(inputs: Sequence[str | Path], s: ServeSettings, modality: Modality[Any]) -> list[Asked]:
    """Return the samples that inputs mean, and tell how they were understood. Raises DataError, ConfigError."""
    _check(inputs, s, modality)
    asked = [one for given in inputs for one in _asked(Path(given), s, modality)]
    if not asked:
        noun = modality.noun
        found = ", ".join(map(str, inputs))
        raise DataError(f"no {noun} in {found}; expected {noun} files, folders or a CSV of {_cells(modality)}")
    return asked


def _check(inputs: Sequence[str | Path], s: ServeSettings, modality: Modality[Any]) -> None:
    """Raise ConfigError for inputs that are read into a file alone, and for settings of inputs that are not there."""
    for given in map(str, inputs):
        if _is_dataset(given, modality):
            raise ConfigError(
                f"{path_of(given)} without --out; containers, addresses and datasets need --out FILE.csv or .parquet"
            )
    tables = any(is_table(Path(one)) if modality.name == TEXT else _lists_paths(Path(one)) for one in inputs)
    arrays = modality.name == VECTOR.name and {*s.columns} <= {"features"}
    if (s.root or (s.columns and not arrays)) and not tables:
        raise ConfigError("--root or --columns, but no table among the inputs; expected a CSV file")
    if s.input and not (tables and modality.name == TEXT):
        raise ConfigError(
            f"input {s.input}, a column of texts; it needs a table that has this column, and a head for texts"
        )
    if s.root and modality.name == TEXT:
        raise ConfigError("--root does not apply to texts in the cells of a table; leave it out")


def _is_dataset(given: str, modality: Modality[Any]) -> bool:
    """Whether samples lie in a container or a bucket, or are named as ``--dataset`` names them."""
    ending = Path(given).suffix.lower()
    held = ending in _CONTAINERS and ending not in modality.extensions
    named = given.partition(":")[0] in SOURCES and ":" in given and not Path(given).exists()
    return is_address(given) or named or (held and not (modality.name == TEXT and is_table(Path(given))))


def _asked(given: Path, s: ServeSettings, modality: Modality[Any]) -> list[Asked]:
    if modality.name == TEXT and (is_table(given) or str(given) == STDIN):
        return asked_texts(given, s)
    return [
        asked for file in _files(given, s, modality) for asked in _samples(file, modality, s.columns.get("features"))
    ]


def _cells(modality: Modality[Any]) -> str:
    return "texts" if modality.name == TEXT else "paths"


def _samples(file: Path, modality: Modality[Any], named: str | None) -> list[Asked]:
    """Return what a file holds: one sample, or several, each by the file's name and its own."""
    several = modality.held_in(file, named)
    if several is None:
        return [asked_file(file, modality.max_bytes)]
    return [asked_bytes(Path(f"{file}#{one.name}"), one.content) for one in several]


def _files(given: Path, s: ServeSettings, modality: Modality[Any]) -> list[Path]:
    if given.is_dir():
        found, notes = files_in(given, modality.name)
    elif _lists_paths(given):
        found, notes = paths_of(given, s.root, s.columns)
    elif given.is_file():
        found, notes = [given], ()
    else:
        noun = modality.noun
        raise DataError(
            f"no file or folder {given}; expected {one(noun)}, a folder of {noun}s or a CSV of {_cells(modality)}"
        )
    for note in notes:
        log.info("note: %s", note)
    return found


def _lists_paths(given: Path) -> bool:
    return given.suffix.lower() in (".csv", ".tsv")
