"""What is to be predicted of a split's samples: next to their features, never in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from frostline.stages.records.packed_names import encoded_names
from frostline.stages.targets.base import DEFAULT, TargetValues

ALL = "all"
"""The split of samples that are in none, and have no targets."""


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of n samples, row by row.

    ======================  ===========  ==========================================================
    kind                    names        values
    ======================  ===========  ==========================================================
    ``single-label``        the classes  int64 (n,), positions in ``names``
    ``multi-label``         the labels   int8 (n, labels): 1 has it, 0 has it not, -1 not known
    ``regression``          the outputs  float64 (n, outputs), NaN not known
    ======================  ===========  ==========================================================

    Attributes:
        names: what is predicted.
        values: one row a sample.
        kind: of target, a name behind the door ``frostline.targets``.
        column: what the targets are called where they come from, such as the column of a table.
        groups: int64 (n,), which group each sample is of: the same patient, video or author, never on both sides of
            a split; None where samples stand for themselves.
    """

    names: tuple[str, ...]
    values: TargetValues
    kind: str = DEFAULT
    column: str = "label"
    groups: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Targets:
        """Return those of some rows: positions in any order, or a mask."""
        groups = None if self.groups is None else self.groups[rows]
        return replace(self, values=self.values[rows], groups=groups)

    def digest(self, ids: Sequence[str]) -> str:
        """Return the SHA-256 over the kind, the names, and every sample's id, values and group, in order.

        Targets of one digest are the same; what they are called and which dataset they are of does not count, nor
        how groups are numbered.
        """
        total = hashlib.sha256(json.dumps([self.kind, self.names, str(self.values.dtype)]).encode())
        for sample, values in zip(encoded_names(ids), self.values, strict=True):
            total.update(sample + b"\0" + values.tobytes())
        if self.groups is not None:
            total.update(in_order(self.groups).tobytes())
        return total.hexdigest()


def unlabelled(count: int) -> Targets:
    """Return the targets of so many samples of which nothing is known, and nothing is to be predicted from them."""
    return Targets((), np.zeros((count, 0), np.int8), "multi-label", column="")


def in_order(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return groups numbered from 0 in the order in which they first occur, int64 (n,)."""
    _, first, place = np.unique(groups, return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(len(first))
    return number[place.ravel()]
