"""Heads of several weightings of the training rows, for values that are asked for one after another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads import HeadPath, HeadSpec
from frostline.stages.heads.base import Continued, explained
from frostline.stages.heads.kinds import Number
from frostline.stages.heads.scaling import Scaler

Start = tuple[NDArray[np.float64], NDArray[np.float64]]  # W (classes, d) and b (classes,)


@dataclass(frozen=True)
class Part:
    """Tasks that one solver works on, and how its rows were scaled; ``unscaled`` makes paths act on them as given."""

    heads: Continued
    scaler: Scaler
    unscaled: Callable[[HeadPath], HeadPath]


class Begun:
    """Heads of several masks: solved roughly first, and closely where that matters."""

    def __init__(self, spec: HeadSpec, parts: Sequence[Part]) -> None:
        self.spec, self._parts = spec, parts
        self.easy = min(part.heads.easy for part in parts)

    def start_at(self, value: Number, start: Start) -> None:
        """Take a head on similar rows, acting on features as they were given, as a start for values near its own."""
        for part in self._parts:
            part.heads.start_at(float(value), *_scaled(*start, part.scaler))

    def solve(self, grid: Sequence[Number], *, roughly: bool = False) -> None:
        """Solve values, or solve them on. Raises what ``explained`` makes of a solver's errors."""
        with explained(self.spec):
            for part in self._parts:
                part.heads.solve(grid, roughly=roughly)

    def known(self, grid: Sequence[Number]) -> list[HeadPath]:
        """Return each mask's heads of values that were solved; they act on the features as they were given."""
        return [part.unscaled(path) for part in self._parts for path in part.heads.known(grid)]


def _scaled(weight: NDArray[np.float64], bias: NDArray[np.float64], scaler: Scaler) -> Start:
    """Return W and b acting on scaled features where these act on them as they were given."""
    if scaler.mean is None or scaler.deviation is None:
        return weight, bias
    deviation = np.where(np.isfinite(scaler.deviation), scaler.deviation, 0.0).astype(np.float64)
    return weight * deviation, bias + weight @ scaler.mean.astype(np.float64)
