"""g(y) = Wy + b: a fitted linear classifier, and its two files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from stages.errors import StoreError
from stages.specs import sealed, unsealed

_BLOCK = 8192


@dataclass(frozen=True, eq=False)
class LinearHead:
    """``weight`` float32 (classes, d), ``bias`` float32 (classes,), ``classes`` by name.

    ``normalized``: whether features are divided by their length before.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]
    classes: tuple[str, ...]
    normalized: bool = False

    def scores(self, X: NDArray[Any]) -> NDArray[np.float32]:
        """Return Wx + b of features (n, d), float32 (n, classes), a block of rows at a time."""
        result = np.empty((len(X), len(self.classes)), np.float32)
        for start in range(0, len(X), _BLOCK):
            rows = slice(start, start + _BLOCK)
            block = X[rows].astype(np.float32, copy=False)
            np.matmul(normalized(block) if self.normalized else block, self.weight.T, out=result[rows])
        result += self.bias
        return result

    def probabilities(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the softmax of the scores, float64 (n, classes)."""
        scores = self.scores(X).astype(np.float64)
        scores -= scores.max(1, keepdims=True)
        exponentials = np.exp(scores)
        probabilities: NDArray[np.float64] = exponentials / exponentials.sum(1, keepdims=True)
        return probabilities

    def to_bytes(self) -> bytes:
        """Return the weights as safetensors."""
        return save({"weight": self.weight, "bias": self.bias})


def normalized(X: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return rows (n, d) divided by their lengths; rows of zeros as they are."""
    lengths = np.sqrt(np.einsum("ij,ij->i", X, X, dtype=np.float64))[:, None]
    lengths[lengths == 0] = 1
    result: NDArray[np.float32] = (X / lengths).astype(np.float32)
    return result


def read_head(folder: Path) -> tuple[LinearHead, dict[str, Any]]:
    """Return a fitted head and the record beside it. Raises StoreError if either is damaged."""
    try:
        record = unsealed((folder / "head.json").read_bytes())
        data = (folder / "head.safetensors").read_bytes()
        if hashlib.sha256(data).hexdigest() != record["sha256"]:
            raise ValueError("the SHA-256 of head.safetensors is not the one recorded")
        tensors = load(data)
        head = LinearHead(tensors["weight"], tensors["bias"], tuple(record["classes"]), record["normalized"])
        _check(head)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise StoreError(f"no head in {str(folder)[:200]!r}; wanted a folder of data/heads") from error
    except (OSError, RecursionError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise StoreError(f"the head in {folder} is damaged: {error}; `frostline fit` makes it anew") from error
    return head, record


def _check(head: LinearHead) -> None:
    shapes = f"weight {head.weight.shape} {head.weight.dtype}, bias {head.bias.shape}, {len(head.classes)} classes"
    fits = head.weight.ndim == 2 and head.weight.shape[:1] == head.bias.shape == (len(head.classes),)
    if not fits or head.weight.dtype != np.float32 or head.bias.dtype != np.float32 or len(head.classes) < 2:
        raise ValueError(shapes)
    if not all(isinstance(name, str) for name in head.classes) or not isinstance(head.normalized, bool):
        raise ValueError("classes that are no names")


def head_files(head: LinearHead, record: Mapping[str, Any]) -> dict[str, bytes]:
    """Return a head's files by name, in the order in which to write them."""
    data = head.to_bytes()
    described = {
        **record,
        "classes": head.classes,
        "normalized": head.normalized,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    return {"head.safetensors": data, "head.json": sealed(described)}
