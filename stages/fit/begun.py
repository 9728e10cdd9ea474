"""Heads of several weightings of the training rows, for values that are asked for one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from frostline.stages.heads import HeadPath, HeadSpec
from frostline.stages.heads.base import Continued, explained
from frostline.stages.heads.kinds import Number


@dataclass(frozen=True)
class Part:
    """Tasks that one solver works on, and what makes their paths act on features as they were given."""

    heads: Continued
    unscaled: Callable[[HeadPath], HeadPath]


class Begun:
    """Heads of several masks: solved roughly first, and closely where that matters."""

    def __init__(self, spec: HeadSpec, parts: Sequence[Part]) -> None:
        self.spec, self._parts = spec, parts

    def solve(self, grid: Sequence[Number], *, roughly: bool = False) -> None:
        """Solve values, or solve them on. Raises what ``explained`` makes of a solver's errors."""
        with explained(self.spec):
            for part in self._parts:
                part.heads.solve(grid, roughly=roughly)

    def training_loss(self, value: Number) -> float:
        """Return the largest mean loss of any mask's head of a value on the rows that it was fitted on."""
        return max(part.heads.training_loss(value) for part in self._parts)

    def known(self, grid: Sequence[Number]) -> list[HeadPath]:
        """Return each mask's heads of values that were solved; they act on the features as they were given."""
        return [part.unscaled(path) for part in self._parts for path in part.heads.known(grid)]
