"""Samples that are objects of Python: what a head, or an encoder, is asked about from there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from frostline.pipeline.serve.asked import Asked, asked_file
from frostline.stages.errors import DataError
from frostline.stages.modalities.base import Modality
from frostline.stages.modalities.given import array_of, described, modality_of, sample_of
from frostline.stages.modalities.text.modality import TEXT


def as_list(samples: object, modality: str) -> Sequence[Any]:
    """Return samples as a list; one alone as a list of it."""
    if isinstance(samples, str | Path) or modality_of(samples) == modality:
        return [samples]
    array: Any = samples
    if array_of(samples) is not None:
        return array
    if not isinstance(samples, Iterable):
        raise DataError(f"got {described(samples)}; expected a list of samples, or one alone")
    return list(samples)


def names_file(value: object, modality: str) -> bool:
    """Return whether a value names a file: a ``Path``, or a ``str`` unless texts are the samples."""
    return isinstance(value, Path) or (isinstance(value, str) and modality != TEXT)


def asked_object(number: int, value: Any, modality: Modality[Any]) -> Asked:
    """Return the sample that an object is, called by its number; that of a file by its path."""
    if names_file(value, modality.name):
        return asked_file(Path(value), modality.max_bytes)
    return Asked(Path(str(number)), lambda _decode: sample_of(value, modality.name))
