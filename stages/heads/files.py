"""A fitted head's files: what it is in head.json, its numbers in head.safetensors, and what else it is stored as."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from frostline.stages.buckets.cache import named
from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.heads.base import Head
from frostline.stages.heads.multi_label import check_thresholds
from frostline.stages.heads.readers import has_reader, reader
from frostline.stages.heads.scaling import ScaledHead, Scaler, target_of
from frostline.stages.heads.stored import Stored
from frostline.stages.records.safe_read import read_file, read_sealed
from frostline.stages.records.sealed import sealed
from frostline.stages.targets.base import DEFAULT

_RECORD, _TENSORS = "head.json", "head.safetensors"
_SCALER = "scaler."
_MAX_BYTES = 1 << 34  # of one of them: ImageNet's training rows, kept as neighbours, are 10 GB


def head_files(head: Head, record: Mapping[str, Any]) -> dict[str, bytes]:
    """Return a head's files by name, in the order in which to write them.

    Raises ConfigError if it could not be read again: the form has no reader, or a file a name that heads don't have.
    """
    stored = head.stored()
    files = {**stored.files, _TENSORS: save(dict(stored.tensors))}
    if not has_reader(stored.form):
        raise ConfigError(f"a head of form {stored.form!r}, which no installed head can read; see Kind.reader")
    if not all(map(_is_of_a_head, files)):
        raise ConfigError(f"a head with the files {', '.join(files)}; expected names such as head.trees")
    described = {
        **record,
        "form": {"kind": stored.form, **stored.values},
        "classes": head.classes,
        "width": head.width,
        "scaled": isinstance(head, ScaledHead),
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    if target_of(head) != DEFAULT:  # what is absent means its default
        described["target"] = target_of(head)
    return {**files, _RECORD: sealed(described)}


def _is_of_a_head(name: str) -> bool:
    return name != _RECORD and re.fullmatch(r"head\.[a-z0-9]{1,20}", name) is not None


def read_head(folder: Path) -> tuple[Head, dict[str, Any]]:
    """Return a fitted head and the record next to it. Raises StoreError if either is damaged."""
    try:
        record = read_sealed(folder / _RECORD)
        files = {name: _checked(folder, name, digest) for name, digest in record["files"].items()}
        classes, width = tuple(record["classes"]), record["width"]
        fewest = 2 if record.get("target", DEFAULT) == DEFAULT else 1
        if len(set(classes)) < fewest or len(set(classes)) < len(classes) or not isinstance(width, int):
            wanted = "two different ones or more" if fewest == 2 else "different, or none"
            raise ValueError(f"classes that are not {wanted}, or a width that is not a number")
        if not all(isinstance(name, str) for name in classes):
            raise ValueError("classes that are not names")
        return _head(record, files, classes), record
    except StoreError as error:
        raise StoreError(f"the head in {named(folder)} can't be used: {error}") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError(f"no head in {str(named(folder))[:200]!r}; expected a folder of data/heads") from error
    except (OSError, RecursionError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise StoreError(
            f"the head in {named(folder)} is damaged: {error}; fit it again with `frostline fit`"
        ) from error


def _checked(folder: Path, name: str, digest: str) -> bytes:
    if not _is_of_a_head(name):
        raise ValueError(f"an unknown file {name!r:.200}")
    path = folder / name
    try:
        data = read_file(path, _MAX_BYTES)
    except FileNotFoundError as error:
        raise ValueError(f"{path.name} is missing") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"the SHA-256 of {path.name} is not the one recorded")
    return data


def _head(record: Mapping[str, Any], files: Mapping[str, bytes], classes: tuple[str, ...]) -> Head:
    tensors, width = load(files[_TENSORS]), record["width"]
    form = dict(record["form"])
    head = _read(form.pop("kind"), form, tensors, files, classes, width)
    if head.width != width:
        raise ValueError(f"a head of {head.width} features, recorded as {width}")
    if target_of(head) != record.get("target", DEFAULT):
        raise ValueError(f"a head for {target_of(head)} targets, recorded as one for another kind")
    check_thresholds(getattr(head, "thresholds", ()), classes)
    return ScaledHead(head, _scaler(tensors, width)) if record["scaled"] else head


def _read(
    form: str,
    values: dict[str, Any],
    tensors: Mapping[str, NDArray[Any]],
    files: Mapping[str, bytes],
    classes: tuple[str, ...],
    width: int,
) -> Head:
    own = {name: array for name, array in tensors.items() if not name.startswith(_SCALER)}
    others = {name: data for name, data in files.items() if name != _TENSORS}
    read = reader(form)
    try:
        return read(Stored(form, values, own, others), classes, width)
    except (ArithmeticError, LookupError, AssertionError) as error:  # a distribution's reader may raise anything
        raise ValueError(f"{type(error).__name__}: {error}") from error


def _scaler(tensors: Mapping[str, NDArray[Any]], width: int) -> Scaler:
    arrays = [tensors[name] for name in ("scaler.mean", "scaler.deviation") if name in tensors]
    if any(array.shape != (width,) or array.dtype != np.float32 for array in arrays) or len(arrays) == 1:
        raise ValueError("a mean or standard deviation of a different width")
    return Scaler(*arrays)
