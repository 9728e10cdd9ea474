"""Any scikit-learn regressor as a head, by ``module:Class`` or ``file.py:factory``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_regressor
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.heads.kinds import Number
from frostline.stages.heads.parallel import in_parallel
from frostline.stages.heads.solvers.known_values import by_known, checked_values
from frostline.stages.heads.solvers.sklearn_estimator import ESTIMATOR_FILE, archived, fitted_with, made, unarchived
from frostline.stages.heads.spec import HeadSpec
from frostline.stages.heads.stored import Stored

_BLOCK = 8192
_COPIES = 4  # of the rows in float32, at most, that a fit is taken to hold


@dataclass(frozen=True, eq=False)
class RegressorHead:
    """Fitted estimators, one for all outputs together or one for each; ``classes``: the outputs by name."""

    estimators: tuple[Any, ...]
    classes: tuple[str, ...]
    width: int
    probabilistic: ClassVar[bool] = False
    target: ClassVar[str] = "regression"

    def decision_values(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the predicted values, float64 (n, outputs), a block of rows at a time.

        Raises StoreError if an estimator that was read predicts something else.
        """
        blocks = [self._predicted(X[start : start + _BLOCK]) for start in range(0, len(X), _BLOCK)]
        found = np.concatenate(blocks) if blocks else np.zeros((0, len(self.classes)))
        if found.shape != (len(X), len(self.classes)):
            raise StoreError(
                f"the head's estimator predicts {found.shape[1]} values, but its record names {self.classes}"
            )
        return found

    def _predicted(self, X: NDArray[Any]) -> NDArray[np.float64]:
        rows = X.astype(np.float32, copy=False)
        each = [np.asarray(one.predict(rows), np.float64).reshape(len(rows), -1) for one in self.estimators]
        return np.concatenate(each, axis=1)

    def stored(self) -> Stored:
        """Return what it is written as. Raises ConfigError if loading that would run code."""
        return Stored("estimator-regression", files={ESTIMATOR_FILE: archived(list(self.estimators))})


def read_regressor(stored: Stored, classes: tuple[str, ...], width: int) -> RegressorHead:
    """Return the head that was stored so.

    Raises StoreError if loading it would run code of others, take more memory than its file, or can't be done.
    """
    found = unarchived(stored.files[ESTIMATOR_FILE])
    if not isinstance(found, list) or len(found) not in (1, len(classes)) or not all(map(_is_fitted_regressor, found)):
        raise StoreError(f"the head holds no regressors of {len(classes)} values")
    if any(one.n_features_in_ != width for one in found):
        raise StoreError(f"the head holds regressors that don't take {width} features")
    return RegressorHead(tuple(found), classes, width)


def _is_fitted_regressor(found: object) -> bool:
    try:
        return is_regressor(found) and isinstance(getattr(found, "n_features_in_", None), int)
    except Exception:  # of a file that was made for it
        return False


@dataclass(frozen=True, eq=False)
class RegressorPath:
    """Fitted estimators for k values, ``converged`` bool (k,)."""

    heads: tuple[RegressorHead, ...]
    converged: NDArray[np.bool_]
    probabilistic: ClassVar[bool] = False

    @property
    def iterations(self) -> NDArray[np.int64]:
        """The most iterations of any part of each; 0 where the estimator counts none."""
        counted = [[getattr(one, "n_iter_", None) for one in head.estimators] for head in self.heads]
        return np.array([max(0 if n is None else int(np.max(n, initial=0)) for n in each) for each in counted])

    def decision_values(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return the predicted values, float64 (k, n, outputs)."""
        return np.stack([head.decision_values(X) for head in self.heads])

    def head(self, index: int, classes: tuple[str, ...]) -> RegressorHead:
        """Return the head of one value."""
        return RegressorHead(self.heads[index].estimators, classes, self.heads[index].width)


class RegressorSolver:
    """Fits one estimator per value and weighting of the rows, on all cores.

    All outputs together, where the estimator can and they are known in the same rows; else one for each output, on the
    rows in which it is known.
    """

    def __init__(self, X: NDArray[Any], y: NDArray[np.float64], classes: int, spec: HeadSpec) -> None:
        """Make the estimator; raises ConfigError if it is no regressor or has no such parameter."""
        self.X, self.y, self.spec = X, checked_values(y, len(X)), spec
        self.names = ("",) * classes
        self.estimator = made(spec, is_regressor, "regressor")

    def fit(self, grid: Sequence[Number], row_weights: NDArray[np.float64]) -> RegressorPath:
        """Return an estimator fitted with each value; ``row_weights`` (n,), those of weight 0 left out."""
        return self.fit_each(grid, row_weights[None])[0]

    def fit_each(self, grid: Sequence[Number], row_weights: NDArray[np.float64]) -> list[RegressorPath]:
        """Return what ``fit`` does for each weighting of the rows, (m, n)."""
        for weights in row_weights:
            self._check_weights(weights)
        parts = self._parts()
        jobs = [
            (self.spec, value, self.X, y, weights * known)
            for weights in row_weights
            for value in grid
            for y, known in parts
        ]
        fitted = in_parallel(_fitted, jobs, _COPIES * 4 * self.X.size)
        for one in fitted:
            if isinstance(one, ConfigError):
                raise one
        whole = [one for one in fitted if not isinstance(one, ConfigError)]
        size = len(grid) * len(parts)
        return [self._path(whole[start : start + size], len(parts)) for start in range(0, len(whole), size)]

    def _parts(self) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
        """Return the values that are fitted together, (n, k) or (n,), and the rows in which they are known."""
        groups = list(by_known(self.y))
        if len(groups) == 1 and len(self.names) > 1 and get_tags(self.estimator).target_tags.multi_output:
            return [(self.y, groups[0][1])]
        return [(column, ~np.isnan(column)) for column in self.y.T]

    def _path(self, fitted: Sequence[tuple[Any, bool]], parts: int) -> RegressorPath:
        each = [fitted[start : start + parts] for start in range(0, len(fitted), parts)]
        heads = [RegressorHead(tuple(one for one, _ in some), self.names, self.X.shape[1]) for some in each]
        return RegressorPath(tuple(heads), np.array([all(converged for _, converged in some) for some in each]))

    def _check_weights(self, weights: NDArray[np.float64]) -> None:
        if len(set(weights[weights > 0].tolist())) > 1 and not has_fit_parameter(self.estimator, "sample_weight"):
            raise ConfigError(f"{self.spec.kind} does not support sample weights; expected rows of equal weight")
        if not (~np.isnan(self.y[weights > 0])).any(0).all():
            raise ConfigError("an output has no known value in rows with weight; expected at least one")


def _fitted(
    spec: HeadSpec, value: Number, X: NDArray[Any], y: NDArray[Any], row_weights: NDArray[np.float64]
) -> tuple[Any, bool] | ConfigError:
    """Return an estimator fitted with a value, and whether it converged, or the error; in whatever process."""
    return fitted_with(lambda: made(spec, is_regressor, "regressor"), spec, value, X, y, row_weights)


def check(spec: HeadSpec) -> None:
    """Raise ConfigError if an estimator can't be made, or can't be stored once it is fitted; on a few made-up rows."""
    estimator = made(spec, is_regressor, "regressor")
    X = np.random.default_rng(0).normal(size=(40, 6))
    with warnings.catch_warnings(), suppress(Exception):  # what it says of real rows is what counts
        warnings.simplefilter("ignore")
        estimator.fit(X.astype(np.float32), X[:, 0])
    archived([estimator])
