"""A fitted head's files: what it is in head.json, its numbers in head.safetensors or head.skops."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from frostline.stages.errors import StoreError
from frostline.stages.heads.base import Head
from frostline.stages.heads.linear import LinearHead
from frostline.stages.heads.scaling import ScaledHead, Scaler
from frostline.stages.records.safe_read import read_file, read_sealed
from frostline.stages.records.sealed import sealed

Tensors = dict[str, NDArray[Any]]
_TENSORS, _ESTIMATOR = "head.safetensors", "head.skops"
_MOST_BYTES = 1 << 34  # of one of them: ImageNet's training rows, kept as neighbours, are 10 GB


def head_files(head: Head, record: Mapping[str, Any]) -> dict[str, bytes]:
    """Return a head's files by name, in the order in which to write them."""
    scaler = head.scaler if isinstance(head, ScaledHead) else None
    inner = head.head if isinstance(head, ScaledHead) else head
    form, files = _parts(inner, scaler.tensors() if scaler else {})
    described = {
        **record,
        "form": form,
        "classes": head.classes,
        "width": head.width,
        "scaled": scaler is not None,
        "files": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    return {**files, "head.json": sealed(described)}


def _parts(head: Head, scaling: Tensors) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return what kind of head this is, with its plain values, and the files of its numbers."""
    if isinstance(head, LinearHead):
        form = {"kind": "linear", "normalized": head.normalized, "probabilistic": head.probabilistic}
        return form, {_TENSORS: save({**head.tensors(), **scaling})}
    from frostline.stages.heads.solvers.knn import NeighbourHead

    if isinstance(head, NeighbourHead):
        form = {"kind": "neighbours", "k": head.k, "temperature": head.temperature}
        return form, {_TENSORS: save({**head.tensors(), **scaling})}
    from frostline.stages.heads.solvers.sklearn_estimator import EstimatorHead

    assert isinstance(head, EstimatorHead)
    return {"kind": "estimator"}, {_ESTIMATOR: head.to_bytes(), _TENSORS: save(scaling)}


def read_head(folder: Path) -> tuple[Head, dict[str, Any]]:
    """Return a fitted head and the record beside it. Raises StoreError if either is damaged."""
    try:
        record = read_sealed(folder / "head.json")
        files = {name: _checked(folder / name, digest) for name, digest in record["files"].items()}
        classes, width = tuple(record["classes"]), record["width"]
        if len(set(classes)) < 2 or len(set(classes)) < len(classes) or not isinstance(width, int):
            raise ValueError("classes that are not two different ones or more, or a width that is no number")
        if not all(isinstance(name, str) for name in classes):
            raise ValueError("classes that are no names")
        return _head(record, files, classes), record
    except StoreError as error:
        raise StoreError(f"the head in {folder} can't be used: {error}") from error
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError(f"no head in {str(folder)[:200]!r}; wanted a folder of data/heads") from error
    except (OSError, RecursionError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise StoreError(f"the head in {folder} is damaged: {error}; `frostline fit` makes it anew") from error


def _checked(path: Path, digest: str) -> bytes:
    if path.name not in (_TENSORS, _ESTIMATOR):
        raise ValueError(f"an unknown file {path.name!r}")
    try:
        data = read_file(path, _MOST_BYTES)
    except FileNotFoundError as error:
        raise ValueError(f"{path.name} is missing") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise ValueError(f"the SHA-256 of {path.name} is not the one recorded")
    return data


def _head(record: Mapping[str, Any], files: Mapping[str, bytes], classes: tuple[str, ...]) -> Head:
    form, tensors, width = record["form"], load(files[_TENSORS]), record["width"]
    makers: dict[str, Callable[[], Head]] = {
        "linear": lambda: _linear(form, tensors, classes),
        "neighbours": lambda: _neighbours(form, tensors, classes),
        "estimator": lambda: _estimator(files[_ESTIMATOR], classes, width),
    }
    head = makers[form["kind"]]()
    if head.width != width:
        raise ValueError(f"a head of {head.width} features, recorded as {width}")
    return ScaledHead(head, _scaler(tensors, width)) if record["scaled"] else head


def _linear(form: Mapping[str, Any], tensors: Tensors, classes: tuple[str, ...]) -> LinearHead:
    weight, bias = tensors["weight"], tensors["bias"]
    shapes = f"weight {weight.shape} {weight.dtype}, bias {bias.shape}, {len(classes)} classes"
    fits = weight.ndim == 2 and weight.shape[:1] == bias.shape == (len(classes),)
    if not fits or weight.dtype != np.float32 or bias.dtype != np.float32:
        raise ValueError(shapes)
    if not np.isfinite(weight).all() or np.isnan(bias).any():
        raise ValueError("weights that are no numbers")
    flags = form["normalized"], form["probabilistic"]
    if not all(isinstance(flag, bool) for flag in flags):
        raise ValueError("a flag that is neither true nor false")
    return LinearHead(weight, bias, classes, *flags)


def _neighbours(form: Mapping[str, Any], tensors: Tensors, classes: tuple[str, ...]) -> Head:
    from frostline.stages.heads.solvers.knn import NeighbourHead

    own = {name: array for name, array in tensors.items() if not name.startswith("scaler.")}
    head = NeighbourHead(**own, classes=classes, k=form["k"], temperature=form["temperature"])
    rows, labels, weights = head.rows, head.labels, head.weights
    fits = rows.ndim == 2 and rows.dtype.kind == "f" and labels.shape == weights.shape == (len(rows),) and len(rows)
    inside = labels.dtype == np.int64 and ((labels >= 0) & (labels < len(classes))).all()
    if not (fits and inside and isinstance(head.k, int) and head.k > 0 and head.temperature > 0):
        raise ValueError(f"neighbours {rows.shape} {rows.dtype}, labels {labels.shape} {labels.dtype}, k {head.k}")
    return head


def _estimator(data: bytes, classes: tuple[str, ...], width: int) -> Head:
    from frostline.stages.heads.solvers.sklearn_estimator import read_estimator

    return read_estimator(data, classes, width)


def _scaler(tensors: Tensors, width: int) -> Scaler:
    arrays = [tensors[name] for name in ("scaler.mean", "scaler.deviation") if name in tensors]
    if any(array.shape != (width,) or array.dtype != np.float32 for array in arrays) or len(arrays) == 1:
        raise ValueError("a mean or deviation of another width")
    return Scaler(*arrays)
