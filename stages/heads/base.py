"""The contracts of a head: a solver, the path of heads that it returns, and a fitted head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import ConfigError, DataError, FrostlineError, unknown_name
from frostline.stages.gpu import compute_exactly, out_of_memory
from frostline.stages.heads.kinds import Number, head_kind, load_place
from frostline.stages.heads.spec import HeadSpec
from frostline.stages.heads.stored import Stored
from frostline.stages.targets.base import DEFAULT, TargetValues
from frostline.stages.targets.registry import TARGETS


class Head(Protocol):
    """A fitted head: ``probabilistic`` says whether its decision values are probabilities."""

    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def width(self) -> int: ...
    @property
    def probabilistic(self) -> bool: ...
    def decision_values(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return probabilities, else scores, or predicted numbers, float64 (n, classes), of features (n, d)."""

    def stored(self) -> Stored:
        """Return its stored form. Raises ConfigError if reading that form could run code."""


class HeadPath(Protocol):
    """Heads for k values of a hyperparameter: ``converged`` bool (k,), ``iterations`` int64 (k,)."""

    @property
    def converged(self) -> NDArray[np.bool_]: ...
    @property
    def iterations(self) -> NDArray[np.int64]: ...
    @property
    def probabilistic(self) -> bool: ...
    def decision_values(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return probabilities, else scores, or predicted numbers, float (k, n, classes), of features (n, d)."""

    def head(self, index: int, classes: tuple[str, ...]) -> Head:
        """Return the head of one value."""


class Solver(Protocol):
    """Features and targets, to be fitted with different row weights, one after another."""

    def fit(self, grid: Sequence[Number], row_weights: NDArray[np.float64]) -> HeadPath:
        """Return a head for each value. ``row_weights``: float64 (n,); rows of weight 0 are ignored."""


class Continued(Protocol):
    """Tasks of row weights, for which values are solved one after another, each starting from those next to it.

    The solver of a kind that ``continues`` offers it as ``begin(row_weights)``, float64 (t, n). Heads may be solved
    roughly first, and closely where that matters; they give probabilities, and fit their rows more closely the larger
    the value is.
    """

    def solve(self, grid: Sequence[Number], *, roughly: bool = False) -> None:
        """Solve values to the tolerance of the solver, or ``roughly``; those that were solved, on from there."""

    def training_loss(self, value: Number) -> float:
        """Return the largest mean loss of any task's head of a value that was solved, on the rows of that task."""

    def known(self, grid: Sequence[Number]) -> Sequence[HeadPath]:
        """Return each task's heads of values that were solved."""


def streams(spec: HeadSpec) -> bool:
    """Whether a kind of head reads its rows in blocks, so that they can stay on disk."""
    return head_kind(spec.kind).streams


def solver(spec: HeadSpec, X: NDArray[Any], y: TargetValues, classes: int, target: str = DEFAULT) -> Solver:
    """Return the solver of a kind of head for features X, finite float (n, d), and target values y.

    Single labels: int64 (n,) from 0 to classes - 1. Multi-label: int8 (n, classes) of 1, 0, and -1 for unknown.
    Regression: float64 (n, classes), NaN for unknown. ``classes``: the number of names.

    Raises ConfigError if the head does not support the target, or for an option that it does not have or accept.
    """
    kind = head_kind(spec.kind)
    make = kind.solver_class(target)
    if ":" in spec.kind:
        return cast(Solver, make(X, y, classes, spec))
    known = kind.options(target)
    for option in spec.options:
        if option not in known:
            if not known:
                raise ConfigError(f"{spec.kind} takes no parameters with --head-params; got {option!r}")
            raise unknown_name(f"parameter of {spec.kind}", option, known)
    options = {"seed": spec.seed, **spec.options} if "seed" in known else dict(spec.options)
    if str(options.get("device", "cpu")).startswith("cuda"):
        compute_exactly()
    with explained(spec):
        return cast(Solver, make(X, y, classes=classes, **options))


@contextmanager
def explained(spec: HeadSpec) -> Iterator[None]:
    """Raise ConfigError for what a solver raises if it was given options, else DataError; a bug of ours as it is.

    Memory that runs out is a ConfigError in either case.
    """
    try:
        yield
    except FrostlineError:
        raise
    except Exception as error:
        told = _told(spec, error)
        if told is None:
            raise
        raise told from error


def _told(spec: HeadSpec, error: Exception) -> FrostlineError | None:
    """Return what a solver's error means to a user; None for a bug of ours."""
    if isinstance(error, MemoryError | RuntimeError) and out_of_memory(error):
        said = str(error).partition("\n")[0] or type(error).__name__
        return ConfigError(f"not enough memory to fit {spec.kind} ({said}); fit fewer values with --grid, or free some")
    built_in, known = head_kind(spec.kind).built_in, isinstance(error, TypeError | ValueError | RuntimeError)
    if known and spec.options:
        return ConfigError(f"{spec.kind} with {dict(spec.options)}: {error}; see --head-params")
    if built_in and not isinstance(error, TypeError | ValueError):
        return None
    if known:
        return DataError(f"{spec.kind} can't be fitted: {error}")
    return ConfigError(f"{spec.kind} raised {type(error).__name__}: {error}")  # a distribution's may raise anything


def check_estimator(spec: HeadSpec, target: str = DEFAULT) -> None:
    """Raise ConfigError if a scikit-learn estimator is none for the target, or could not be stored; no other head."""
    if ":" in spec.kind:
        place = "sklearn_regressor" if target == "regression" else "sklearn_estimator"
        load_place(f"frostline.stages.heads.solvers.{place}:check")(spec)


def check_options(spec: HeadSpec, target: str = DEFAULT) -> None:
    """Raise ConfigError for an option that the kind of head doesn't have or can't take; on a few made-up rows."""
    example = TARGETS.load(target).example
    if example is not None:
        solver(spec, np.eye(4, dtype=np.float32), example, 2, target)
