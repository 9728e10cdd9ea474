"""What a fitted head is written as: the part of its contract that a file needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Stored:
    """A fitted head taken apart, as it is written and as its reader gets it.

    Attributes:
        form: the name of its reader: a built-in form, or the name of the head whose ``Kind`` has a ``reader``.
        values: JSON values by name, but ``kind``; they stand in ``head.json``.
        tensors: arrays by name, none of which starts with ``scaler.``; they stand in ``head.safetensors``.
        files: the bytes of other files by name, such as ``head.skops``: ``head.`` and an ending in small letters.
    """

    form: str
    values: Mapping[str, Any] = field(default_factory=dict)
    tensors: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
