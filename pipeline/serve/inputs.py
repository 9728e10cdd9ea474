"""What a head is asked about: files, folders of them, and tables that name them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from frostline.pipeline.settings import PredictSettings
from frostline.stages.datasets import file_bytes, files_in, paths_of
from frostline.stages.errors import ConfigError, DataError, one
from frostline.stages.modalities.base import Modality

log = logging.getLogger("frostline")


@dataclass(frozen=True, eq=False)
class Asked:
    """One sample to answer for: what it is called, and how its bytes are had. That raises UnreadableSample."""

    path: Path
    content: Callable[[], bytes]


def asked_file(path: Path) -> Asked:
    """Return the sample in a file."""
    return Asked(path, partial(file_bytes, path))


def asked_for(inputs: Sequence[str | Path], s: PredictSettings, modality: Modality[Any]) -> list[Asked]:
    """Return the samples that inputs mean, and tell how they were understood. Raises DataError, ConfigError."""
    files = [file for given in inputs for file in _files(Path(given), s, modality)]
    if (s.root or s.columns) and not any(map(_is_table, inputs)):
        raise ConfigError("root or columns without a table among the inputs; wanted a CSV with them")
    if not files:
        noun = modality.noun
        found = ", ".join(map(str, inputs))
        raise DataError(f"no {noun} in {found}; wanted {noun} files, folders or a CSV of paths")
    return [asked_file(file) for file in files]


def _files(given: Path, s: PredictSettings, modality: Modality[Any]) -> list[Path]:
    if given.is_dir():
        found, notes = files_in(given, modality.name)
    elif _is_table(given):
        found, notes = paths_of(given, s.root, s.columns)
    elif given.is_file():
        found, notes = [given], ()
    else:
        noun = modality.noun
        raise DataError(f"no file or folder {given}; wanted {one(noun)}, a folder of {noun}s or a CSV of paths")
    for note in notes:
        log.info("note: %s", note)
    return found


def _is_table(given: str | Path) -> bool:
    return Path(given).suffix.lower() in (".csv", ".tsv")
