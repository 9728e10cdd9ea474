"""Which values of a grid are worth a head: solved roughly from coarse to fine, and closely where the choice falls.

Values a factor of ten apart, or three after a hard one, are tried from the lowest on. A loss on held-out rows that has
risen may fall again at a larger value, as long as there is more to learn of the training rows: features of small
variance count only then. So the first part ends when the loss has clearly risen, and by much more than the loss that is
left on the training rows. Then come the middles of the gaps around the least, again and again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from frostline.stages.fit.alike import UnitLosses
from frostline.stages.fit.begun import Begun
from frostline.stages.fit.training_rows import Mask, TrainingRows
from frostline.stages.fit.unseen import Held, held_by, held_by_one
from frostline.stages.heads.kinds import Number
from frostline.stages.targets.base import Criterion, Judgement, RowLosses, joined

FEW = 8  # values: so many are all solved closely, whoever named them wants to know of each
_BYTES = 2**30  # of heads, and of rows scaled for each mask, that are kept at once
_STRIDE = 9.99  # a factor of the value from one try to the next,
_SHORT = 3.16  # and where one took many steps to solve
_MANY = 7  # Newton steps: more are many
_RISEN = 3.0  # standard errors by which the loss is clearly above the least
_FITTED = 0.01  # mean loss on training rows that leaves nothing to fit
_MORE = 3.0  # times that loss: a rise of so much is not made good by fitting the rest of it


class Search:
    """Heads of several masks for the values of a grid that were tried.

    ``tried`` and ``close``: the places in the grid of values that were solved, and of those solved to the tolerance of
    the solver; the others are rough. ``losses``: of the whole grid, none of values that were not tried. Each value is
    scored when it is solved, and again when it is solved closely.
    """

    probabilistic = True

    def __init__(self, rows: TrainingRows, masks: Sequence[Mask], units: NDArray[np.int64], of_rows: RowLosses) -> None:
        """``masks``: bool (n,), the rows to hold out, each in turn; ``units``: int64 (n,), see ``UnitLosses``."""
        self.rows, self.masks, self._of_rows = rows, masks, of_rows
        self.heads: Begun = rows.begin([~held for held in masks])
        self.tried: set[int] = set()
        self.close: set[int] = set()
        self.losses = UnitLosses(len(rows.spec.grid), units)
        self._criteria: dict[int, Criterion] = {}
        self._converged = np.zeros(len(rows.spec.grid), bool)
        self._steps = np.zeros(len(rows.spec.grid), int)

    def around_the_least(self) -> None:
        """Try coarse values until the loss has risen for good, then finer ones."""
        self._solve([place := 0], roughly=True)
        while place < len(self.rows.spec.grid) - 1 and not (self._risen()[place] and self._is_fitted(place)):
            place = self._after(place)
            self._solve([place], roughly=True)
        while middles := self._between():
            self._solve(middles, roughly=True)

    def refine(self, places: Sequence[int]) -> bool:
        """Solve the values at places and their neighbours closely; return whether any of them was not yet."""
        last = len(self.rows.spec.grid) - 1
        wanted = {near for place in places for near in (place - 1, place, place + 1) if 0 <= near <= last} - self.close
        if wanted:
            self._solve(sorted(wanted), roughly=False)
            self.close |= wanted
        return bool(wanted)

    def judgement(self) -> Judgement:
        """Return what the target's criterion makes of the values that were tried, k of them."""
        return joined([self._criteria[place].judgement() for place in self.places()])

    def of(self, index: int) -> Iterator[Held]:
        """Yield all held-out rows with their decision values by the heads of a value that was tried, by its place."""
        for path, held in zip(self.heads.known(self.rows.spec.grid[index : index + 1]), self.masks, strict=True):
            yield from held_by_one(path, 0, held, self.rows)

    @property
    def converged(self) -> tuple[bool, ...]:
        """Of each value that was tried, whether its heads converged to the solver's tolerance, for every mask."""
        return tuple(self._converged[self.places()].tolist())

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

    def _solve(self, places: Sequence[int], *, roughly: bool) -> None:
        """Solve the values at ascending places, and score them."""
        grid = self._values(set(places))
        self.heads.solve(grid, roughly=roughly)
        self.tried |= set(places)
        self._forget(places)
        for path, held in zip(self.heads.known(grid), self.masks, strict=True):
            self._converged[places] &= path.converged
            self._steps[places] = np.maximum(self._steps[places], path.iterations)
            for _, part, weights, values in held_by(path, held, self.rows, len(grid)):
                self._score(places, part, weights, values)

    def _forget(self, places: Sequence[int]) -> None:
        """Forget how values were scored."""
        self.losses.forget(places)
        self._converged[places] = True
        for place in places:
            self._criteria[place] = self.rows.target.criterion(1, probabilistic=True)

    def _score(
        self, places: Sequence[int], part: NDArray[np.int64], weights: NDArray[np.float64], values: NDArray[np.float64]
    ) -> None:
        """Score a block: positions of rows (b,), their weights (b,) and decision values (k, b, classes)."""
        own, errors = self._of_rows(values, self.rows.y[part])
        for i, place in enumerate(places):
            one = slice(i, i + 1)
            self.losses.add(slice(place, place + 1), part, (own[one], errors[one]), weights)
            self._criteria[place].add(slice(0, 1), values[one], self.rows.y[part], weights)

    def _after(self, place: int) -> int:
        """Return the place of the next value to try: nearer where one was hard to solve, from which others follow."""
        grid = np.asarray(self.rows.spec.grid)
        factor = _SHORT if self._steps[place] > _MANY else _STRIDE
        return int(np.append(np.flatnonzero(grid >= factor * grid[place]), len(grid) - 1)[0])

    def _risen(self) -> NDArray[np.bool_]:
        """Return of each value (k,) whether it was tried and its loss is clearly above the least."""
        with np.errstate(invalid="ignore"):
            means, best = self.losses.mean(), self.losses.least()
            return np.asarray(means - means[best] > _RISEN * self.losses.error(best))

    def _is_fitted(self, place: int) -> bool:
        """Whether little is left to learn of the training rows at a value, next to how far its loss has risen."""
        means = self.losses.mean()
        rise = float(means[place] - means[self.losses.least()])
        return self.heads.training_loss(self.rows.spec.grid[place]) <= max(_FITTED, rise / _MORE)

    def _between(self) -> list[int]:
        """Return the middles of the gaps between tried values of which one or both are not clearly above the least."""
        risen = self._risen()
        ends = zip(self.places()[:-1], self.places()[1:], strict=True)
        return [(low + high) // 2 for low, high in ends if high - low > 1 and not (risen[low] and risen[high])]


def searchable(rows: TrainingRows, masks: Sequence[Mask]) -> bool:
    """Whether to search the values of a grid: many, by their losses, and not so much that memory is the question.

    A hold-out is searched however large it is: that keeps no more than its whole grid would. The rule ``best`` compares
    scores that jump from value to value, so it gets all of them, closely.
    """
    spec, memory = rows.spec, len(masks) * rows.bytes_begun
    by_losses = spec.rule == "stable" and not spec.per_label
    return len(spec.grid) > FEW and rows.continues and by_losses and (len(masks) == 1 or memory <= _BYTES)
