"""Which values of a grid are worth a head: solved roughly from coarse to fine, and closely where the choice falls.

The loss on held-out rows falls and then rises along a path of penalties. Values a factor of ten apart are tried from
an easy one on, in both directions, until the loss has clearly risen; then those in the middle of the gaps around the
least, again and again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from frostline.stages.fit.alike import UnitLosses
from frostline.stages.fit.begun import Begun
from frostline.stages.fit.training_rows import Mask, TrainingRows
from frostline.stages.fit.unseen import Solved, held_by
from frostline.stages.heads.kinds import Number
from frostline.stages.targets.base import RowLosses

FEW = 8  # values: so many are all solved closely, whoever named them wants to know of each
_STRIDE = 9.99  # a factor of the value from one try to the next
_RISEN = 3.0  # standard errors by which the loss is clearly above the least


class Search:
    """Heads of several masks for the values of a grid that were tried.

    ``tried`` and ``close``: the places in the grid of values that were solved, and of those solved to the tolerance of
    the solver; the others are rough.
    """

    def __init__(self, rows: TrainingRows, masks: Sequence[Mask], units: NDArray[np.int64]) -> None:
        self.rows, self.masks, self.units = rows, masks, units
        self.heads: Begun = rows.begin([~held for held in masks])
        self.tried: set[int] = set()
        self.close: set[int] = set()

    def everything(self) -> None:
        """Try every value."""
        self._solve(range(len(self.rows.spec.grid)))

    def around_the_least(self, of_rows: RowLosses) -> None:
        """Try values until the loss on held-out rows has clearly risen on both sides of the least."""
        losses = UnitLosses(len(self.rows.spec.grid), self.units)
        coarse = self._coarse()
        first = next((i for i, place in enumerate(coarse) if self.rows.spec.grid[place] >= self.heads.easy), 0)
        self._try(coarse[first : first + 1], losses, of_rows)
        for onward in (coarse[first + 1 :], coarse[:first][::-1]):
            for place in onward:
                self._try([place], losses, of_rows)
                if self._risen(losses)[place]:
                    break
        while middles := self._between(losses):
            self._try(middles, losses, of_rows)

    def refine(self, places: Sequence[int]) -> bool:
        """Solve the values at places and their neighbours closely; return whether any of them was not yet."""
        last = len(self.rows.spec.grid) - 1
        wanted = {near for place in places for near in (place - 1, place, place + 1) if 0 <= near <= last} - self.close
        if wanted:
            self.heads.solve(self._values(wanted))
        self.tried |= wanted
        self.close |= wanted
        return bool(wanted)

    def found(self) -> Solved:
        """Return the held-out rows, with the heads of the values that were tried."""
        tried = self._values(self.tried)
        return Solved(self.rows, self.masks, tried, self.heads.known(tried))

    def rough(self) -> tuple[Number, ...]:
        """Return the values that were solved roughly only."""
        return self._values(self.tried - self.close)

    def untried(self) -> tuple[Number, ...]:
        """Return the values of the grid that were not tried."""
        return self._values(set(range(len(self.rows.spec.grid))) - self.tried)

    def places(self) -> list[int]:
        """Return the places in the grid of the values that were tried, ascending."""
        return sorted(self.tried)

    def _values(self, places: set[int]) -> tuple[Number, ...]:
        return tuple(self.rows.spec.grid[place] for place in sorted(places))

    def _solve(self, places: Sequence[int]) -> None:
        self.heads.solve(self._values(set(places)), roughly=True)
        self.tried |= set(places)

    def _try(self, places: Sequence[int], losses: UnitLosses, of_rows: RowLosses) -> None:
        new = sorted(set(places) - self.tried)
        if not new:
            return
        self._solve(new)
        grid = self._values(set(new))
        for path, held in zip(self.heads.known(grid), self.masks, strict=True):
            for _, part, weights, values in held_by(path, held, self.rows, len(grid)):
                own, errors = of_rows(values, self.rows.y[part])
                for i, place in enumerate(new):
                    losses.add(slice(place, place + 1), part, (own[i : i + 1], errors[i : i + 1]), weights)

    def _coarse(self) -> list[int]:
        """Return the places of values about a factor of ten apart, the first and the last of the grid among them."""
        grid, places = self.rows.spec.grid, [0]
        for place in range(1, len(grid)):
            if grid[place] >= _STRIDE * grid[places[-1]]:
                places.append(place)
        return places if places[-1] == len(grid) - 1 else [*places, len(grid) - 1]

    def _risen(self, losses: UnitLosses) -> NDArray[np.bool_]:
        """Return of each value (k,) whether it was tried and its loss is clearly above the least."""
        with np.errstate(invalid="ignore"):
            means = losses.mean()
            best = int(np.nanargmin(means))
            return np.asarray(means - means[best] > _RISEN * losses.error(best))

    def _between(self, losses: UnitLosses) -> list[int]:
        """Return the middles of the gaps between tried values of which one or both are not clearly above the least."""
        risen = self._risen(losses)
        ends = zip(self.places()[:-1], self.places()[1:], strict=True)
        return [(low + high) // 2 for low, high in ends if high - low > 1 and not (risen[low] and risen[high])]
