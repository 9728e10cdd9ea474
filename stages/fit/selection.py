"""The record of a selection: which value was chosen, what by, and how the last fit went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from frostline.stages.heads.kinds import Number

LEAST_IS_BEST = ("macro_log_loss", "mae", "rmse")  # of the scores on held-out rows


@dataclass(frozen=True)
class Choice:
    """A chosen value, and what it was chosen by; see ``Selection``."""

    value: Number
    by: str = ""
    accuracy: tuple[float, ...] = ()
    log_loss: tuple[float, ...] = ()
    converged: tuple[bool, ...] = ()
    folds: int = 0
    fitted_rows: int = 0
    held_out_rows: int = 0
    temperature: float | None = None
    scores: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    values: tuple[Number, ...] = ()
    thresholds: tuple[float, ...] = ()
    repeats: int = 1
    alike: tuple[Number, ...] = ()
    rough: tuple[Number, ...] = ()
    untried: tuple[Number, ...] = ()

    @property
    def by_score(self) -> str:
        """The name of the score on held-out rows that is shown of the choice."""
        return next(iter(self.scores), "accuracy")

    @property
    def shown(self) -> tuple[float, ...]:
        """That score, one per value of the grid."""
        return self.scores.get(self.by_score, self.accuracy)


@dataclass(frozen=True, kw_only=True, repr=False)
class Selection(Choice):
    """How the parameter was chosen, and how the last fit went.

    ``by``: "hold-out", "folds", "leave-one-out", or "" where there was nothing to choose. ``accuracy`` and ``log_loss``
    of the held-out training rows, all folds together, weighed as the fit is, one per value of ``grid``; ``log_loss`` is
    empty for heads without probabilities, both are where nothing was chosen. ``converged``: of the fits on
    ``fitted_rows``, one per value, in every fold. ``temperature``: what the logits of the held-out rows are best
    divided by, None without probabilities or held-out rows. ``scores``: of other targets than single labels, what
    stands for accuracy and log-loss, by name, one per value of ``grid``; of single labels balanced accuracy where they
    were chosen by it. ``values``: of each label where they were chosen each for itself, else empty. ``thresholds``: of
    each label, above which F1 is largest on the held-out rows; empty where that does not apply. ``repeats``: how many
    times rows were dealt to folds. ``alike``: the least and the largest of the values within a standard error of the
    least loss on the held-out rows; empty where that is not known. ``rough``: of the values of ``grid``, those
    away from the choice, which were solved to a thousandth of their objective or for ten steps only; ``untried``:
    values that were given but not tried. They lie between values that were tried, whose losses on the held-out rows are
    clearly above the least; or above all of them, where the loss had clearly risen and little was left to learn of the
    training rows. ``grid``: the values that were tried.
    ``final_gap``: how far the objective of the last fit may be above its optimum, as a share of it, and
    ``final_gradient_norm``, where the head says so.
    """

    parameter: str
    grid: tuple[Number, ...]
    at_edge: bool = False
    final_rows: int = 0
    final_converged: bool = True
    final_iterations: int = 0
    final_gap: float | None = None
    final_gradient_norm: float | None = None
    seed: int = 0

    @property
    def given(self) -> tuple[Number, ...]:
        """The values that were given: those that were tried, and the others."""
        return tuple(sorted((*self.grid, *self.untried)))

    @property
    def unconverged(self) -> int:
        """How many of the values that were to be solved closely did not converge on held-out rows."""
        pairs = zip(self.grid, self.converged, strict=False)
        return sum(not converged and value not in self.rough for value, converged in pairs)

    def __repr__(self) -> str:
        """Return what was chosen, without the scores of all values."""
        chosen = f"{len(self.values)} values" if self.values else f"{self.value:.4g}"
        parts = [f"{self.parameter or 'value'}={chosen}", f"by={self.by!r}"]
        if self.shown:
            parts.append(f"{self.by_score}={self.shown[self.grid.index(self.value)]:.4g}")
        if self.alike:
            parts.append(f"alike=({self.alike[0]:.4g}, {self.alike[-1]:.4g})")
        return f"Selection({', '.join(parts)}, at_edge={self.at_edge})"
