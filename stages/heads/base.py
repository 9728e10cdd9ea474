"""What every kind of head has in common: a solver, the path it returns, and the heads of that."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import ConfigError, unknown_name
from frostline.stages.heads.spec import KINDS, HeadSpec, Number


class Head(Protocol):
    """A fitted classifier: ``probabilistic`` says whether its confidences are probabilities."""

    @property
    def classes(self) -> tuple[str, ...]: ...
    @property
    def width(self) -> int: ...
    @property
    def probabilistic(self) -> bool: ...
    def confidence(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return probabilities, or scores where there are none, float64 (n, classes), of features (n, d)."""


class Path(Protocol):
    """Heads for k values of a parameter: ``converged`` bool (k,), ``iterations`` int64 (k,)."""

    @property
    def converged(self) -> NDArray[np.bool_]: ...
    @property
    def iterations(self) -> NDArray[np.int64]: ...
    @property
    def probabilistic(self) -> bool: ...
    def confidence(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return probabilities, or scores where there are none, float (k, n, classes), of features (n, d)."""

    def head(self, index: int, classes: tuple[str, ...]) -> Head:
        """Return the head of one value."""


class Solver(Protocol):
    """Features and labels, ready to be fitted with one weighting of the rows after another."""

    def fit(self, grid: Sequence[Number], row_weights: NDArray[np.float64]) -> Path:
        """Return a head for each value; rows of weight 0, of (n,), count for nothing."""


def streams(spec: HeadSpec) -> bool:
    """Whether a kind of head reads its rows a block at a time, so that they may lie in a file."""
    return spec.kind in KINDS and KINDS[spec.kind].streams


def solver(spec: HeadSpec, X: NDArray[Any], y: NDArray[np.int64], classes: int) -> Solver:
    """Return what fits a kind of head to X (n, d) and y (n,) of 0 .. classes - 1, all of them finite.

    Raises ConfigError: an option that the kind doesn't have, or a value of one that it can't take.
    """
    if ":" in spec.kind:
        from frostline.stages.heads.solvers.sklearn_estimator import EstimatorSolver

        return EstimatorSolver(X, y, classes, spec)
    module, _, name = KINDS[spec.kind].solver.partition(":")
    made = cast(Callable[..., Solver], getattr(import_module(module), name))
    known = [n for n in inspect.signature(made).parameters if n not in ("X", "y", "classes")]
    for option in spec.options:
        if option not in known:
            if not known:
                raise ConfigError(f"{spec.kind} takes no parameters with --head-params, and {option!r} was given")
            raise unknown_name(f"parameter of {spec.kind}", option, known)
    options = {"seed": spec.seed, **spec.options} if "seed" in known else dict(spec.options)
    try:
        return made(X, y, classes=classes, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        if not spec.options:
            raise
        raise ConfigError(f"{spec.kind} with {dict(spec.options)}: {error}; see --head-params") from error


def check_options(spec: HeadSpec) -> None:
    """Raise ConfigError for an option that the kind of head doesn't have or can't take; on a few made-up rows."""
    solver(spec, np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1]), 2)
