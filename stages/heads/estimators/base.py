"""What all estimators do: rows are checked, and fitted by a solver with one value of its parameter."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _check_sample_weight

from frostline.stages.heads.estimators.parameters import checked_limits, checked_seed, checked_value
from frostline.stages.heads.kinds import head_kind
from frostline.stages.targets.base import DEFAULT

ClassWeight = Literal["balanced"] | Mapping[Any, float] | None
FLOATS = [np.float32, np.float64, np.float16]
"""The types of features that are taken as they are; anything else becomes float32."""
_OPTIONS = {"tol": "tolerance", "max_iter": "max_iterations", "random_state": "seed"}


class FittedBySolver:
    """An estimator whose parameters are the solver's options, by other names where scikit-learn has its own."""

    _head: ClassVar[str]
    _target: ClassVar[str] = DEFAULT

    def _fitted_path(
        self, rows: NDArray[Any], values: NDArray[Any], names: int, weights: NDArray[np.float64], given: dict[str, Any]
    ) -> Any:
        """Return the path of the one value; warns where that did not converge. Raises ValueError for parameters."""
        kind = head_kind(self._head)
        options = _checked(given)
        value = checked_value(kind, options.pop(kind.parameter)) if kind.parameter else 0.0
        path: Any = kind.solver_class(self._target)(rows, values, names, **options).fit((value,), weights)
        if not path.converged[0]:
            warnings.warn(_not_converged(type(self).__name__, path), ConvergenceWarning, stacklevel=3)
        return path


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    """Return an estimator's parameters by the solver's names."""
    checked = dict(given)
    if "tol" in given:
        checked["tol"], checked["max_iter"] = checked_limits(given["tol"], given["max_iter"])
    if "random_state" in given:
        checked["random_state"] = checked_seed(given["random_state"])
    return {_OPTIONS.get(name, name): value for name, value in checked.items()}


def _not_converged(name: str, path: Any) -> str:
    if not hasattr(path, "gap"):
        return f"{name} did not converge"
    found = f"after {path.iterations[0]} steps the objective may be {path.gap[0]:.1e} above its optimum"
    return f"{name} did not converge: {found}; raise max_iter or tol"


def used_rows(sample_weight: ArrayLike | None, rows: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the weights of rows, float64 (n,), and which of them are above 0. Raises ValueError for negative ones."""
    weights = _check_sample_weight(sample_weight, rows, dtype=np.float64, ensure_non_negative=True)
    return weights, weights > 0
