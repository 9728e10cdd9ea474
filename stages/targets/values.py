"""What is to be predicted of a split's samples: beside their features, never in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from frostline.stages.targets.base import DEFAULT, TargetValues


@dataclass(frozen=True, eq=False)
class Targets:
    """The targets of n samples, row by row.

    Attributes:
        names: what is predicted: the classes of a single label.
        values: one row a sample; of a single label int64 (n,), positions in ``names``.
        kind: of target, a name behind the door ``frostline.targets``.
        column: what the targets are called where they come from, such as the column of a table.
    """

    names: tuple[str, ...]
    values: TargetValues
    kind: str = DEFAULT
    column: str = "label"

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Targets:
        """Return those of some rows: positions in any order, or a mask."""
        return replace(self, values=self.values[rows])

    def digest(self, ids: Sequence[str]) -> str:
        """Return the SHA-256 over the kind, the names, and every sample's id and values, in order.

        Targets of one digest are the same; what they are called and which dataset they are of does not count.
        """
        total = hashlib.sha256(json.dumps([self.kind, self.names, str(self.values.dtype)]).encode())
        for sample, values in zip(ids, self.values, strict=True):
            total.update(sample.encode(errors="surrogateescape") + b"\0" + values.tobytes())
        return total.hexdigest()
