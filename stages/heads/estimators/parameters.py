"""Parameters of estimators, checked by the names that they have in Python."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any, cast

import numpy as np
from sklearn.utils import check_random_state

from frostline.stages.heads.kinds import Kind, Number

_SHOWN = 60  # characters of a value in an error
_SEEDS = 2**31 - 1


def checked_value(kind: Kind, value: object) -> Number:
    """Return a head's hyperparameter as a plain number. Raises ValueError for values that it can't have."""
    if not _is_number(value) or not kind.takes(cast(float, value)):
        one = "a whole number" if kind.whole else "a number"
        raise ValueError(f"{kind.parameter}={shown(value)}; expected {one} {kind.bounds}")
    return _plain(kind, value)


def checked_values(kind: Kind, name: str, values: object) -> list[Number] | None:
    """Return values to choose from as plain numbers, None as it is.

    ``name``: of the estimator's parameter, such as "Cs". Raises ValueError for other things than one or more numbers
    that the head's hyperparameter can be.
    """
    if values is None:
        return None
    wanted = (
        f"expected a list of {kind.numbers}, such as {[_plain(kind, kind.default)]}, or None for the default values"
    )
    if isinstance(values, str | Mapping) or not np.iterable(values):
        raise ValueError(f"{name}={shown(values)}; {wanted}")
    several = list(values)
    if not several:
        raise ValueError(f"{name} is empty; {wanted}")
    bad = [value for value in several if not _is_number(value) or not kind.takes(value)]
    if bad:
        raise ValueError(f"{name} holds {', '.join(map(shown, bad[:3]))}; {wanted}")
    return [_plain(kind, value) for value in several]


def checked_limits(tol: object, max_iter: object) -> tuple[float, int]:
    """Return both as plain numbers. Raises ValueError for limits that can't be."""
    if not _is_number(tol) or not 0 < cast(float, tol) < 1:
        raise ValueError(f"tol={shown(tol)}; expected a number between 0 and 1, such as 1e-5")
    if not isinstance(max_iter, int | np.integer) or isinstance(max_iter, bool) or max_iter < 1:
        raise ValueError(f"max_iter={shown(max_iter)}; expected a whole number of 1 or more")
    return float(cast(float, tol)), int(max_iter)


def checked_seed(random_state: Any) -> int:
    """Return a seed: a whole number as it is; of None and of a ``RandomState`` the next number that it draws.

    Raises ValueError for other things, and for negative numbers.
    """
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool) and random_state >= 0:
        return int(random_state)
    if random_state is not None and not isinstance(random_state, np.random.RandomState):
        wanted = "a whole number of 0 or more, None or a numpy.random.RandomState"
        raise ValueError(f"random_state={shown(random_state)}; expected {wanted}")
    return int(check_random_state(random_state).randint(_SEEDS))


def shown(value: object) -> str:
    """Return a value as an error shows it: the beginning, if it is long."""
    text = " ".join(repr(value).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _plain(kind: Kind, value: Any) -> Number:
    return int(value) if kind.whole else float(value)
