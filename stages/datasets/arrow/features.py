"""What Hugging Face's ``datasets`` says of columns: in the metadata of a schema, or in ``dataset_info.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_KINDS = {"Image": "image", "Audio": "audio"}
_LISTS = ("Sequence", "List", "LargeList")
_TEXTS = ("string", "large_string")


@dataclass(frozen=True)
class Feature:
    """What a column is said to hold.

    Attributes:
        modality: ``image``, ``audio`` or ``text``; nothing where it is none of these.
        names: of classes, by their numbers, where cells are such numbers or lists of them; else None.
    """

    modality: str = ""
    names: tuple[str, ...] | None = None


Features = Mapping[str, Feature]


def features_of(metadata: Mapping[bytes, bytes] | None) -> Features:
    """Return what a schema's metadata says of its columns; nothing of a schema that ``datasets`` did not write."""
    try:
        said = json.loads((metadata or {}).get(b"huggingface", b"{}"))
        return read_features(said["info"]["features"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}


def read_features(said: Any) -> Features:
    """Return what the ``features`` of ``datasets`` say, as they stand in its JSON. Anything else says nothing."""
    return {str(name): _read(one) for name, one in said.items()} if isinstance(said, dict) else {}


def _read(said: Any) -> Feature:
    """Return one feature; a list of classes has their names as a class has."""
    if isinstance(said, list) and len(said) == 1:  # how datasets wrote a list before its version 4
        return Feature(names=_read(said[0]).names)
    if not isinstance(said, dict):
        return Feature()
    kind = said.get("_type")
    if kind in _LISTS:
        return Feature(names=_read(said.get("feature")).names)
    if kind == "Value" and said.get("dtype") in _TEXTS:
        return Feature("text")
    names = said.get("names")
    if kind == "ClassLabel" and isinstance(names, list) and all(isinstance(name, str) for name in names):
        return Feature(names=tuple(names))
    return Feature(_KINDS.get(str(kind), ""))
