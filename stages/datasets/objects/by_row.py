"""A sequence whose values are read one at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, overload


class ByRow(Sequence[Any]):
    """A sequence of ``len(self)`` values, each of which ``at`` reads; a slice is a list of them."""

    @abstractmethod
    def at(self, row: int) -> Any:
        """Return the value of a row, 0 or more and less than the length."""

    @overload
    def __getitem__(self, row: int) -> Any: ...
    @overload
    def __getitem__(self, row: slice) -> list[Any]: ...
    def __getitem__(self, row: int | slice) -> Any:
        """Return a value, or a list for a slice. Raises IndexError for a row that is not there."""
        rows = range(len(self))[row]
        return self.at(rows) if isinstance(rows, int) else list(map(self.at, rows))
