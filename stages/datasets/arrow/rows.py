"""Rows in files, in the order in which they are a dataset's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.arrow.chunks import Stored
from frostline.stages.datasets.arrow.features import Features
from frostline.stages.datasets.arrow.names import RowNames


@dataclass(frozen=True, eq=False)
class RowFiles:
    """The n rows of a dataset.

    Attributes:
        stored: the files that they lie in.
        names: what each is called, by its file, or split, and number.
        features: what ``datasets`` says of columns.
        order: int64 (n,), which of the stored rows each is; None where they are all of these, in order.
        splits: of each row, where files are those of splits; else nothing.
        notes: what was understood of the files.
        is_table: whether rows of texts and of paths are told by their lines, as those of any table in one file.
    """

    stored: Stored
    names: RowNames
    features: Features = field(default_factory=dict)
    order: NDArray[np.int64] | None = None
    splits: Sequence[str] = ()
    notes: tuple[str, ...] = ()
    is_table: bool = False

    def __len__(self) -> int:
        return len(self.names)
