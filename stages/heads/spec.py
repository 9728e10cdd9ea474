"""Which head, and how it is chosen: by name, without loading what it is made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from math import log
from typing import Any, Literal

from frostline.stages.errors import ConfigError, unknown_name
from frostline.stages.user_code.locate import code_digest

# Oquab et al., "DINOv2" (arXiv:2304.07193): the C values that its linear evaluation tries.
DINOV2_GRID = tuple(10 ** (-6 + 11 * i / 44) for i in range(45))


Scaling = Literal["none", "standardize", "l2"]
ClassWeight = Literal["none", "balanced"]
Folds = int | Literal["loo"]
Number = int | float

# github.com/facebookresearch/dinov2, eval/linear.py: the learning rates of a batch of 256.
_RATES_OF_256 = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1)
_RATES = tuple(rate * 128 / 256 for rate in _RATES_OF_256)
_LEAST = 1e-300
_ALPHAS = tuple(10 ** (i / 4) for i in range(-24, 37))


@dataclass(frozen=True)
class Kind:
    """A kind of head.

    ``solver``: where the class that fits it is. ``parameter``: what is chosen, among ``grid``
    unless told otherwise; ``default`` where there is nothing to choose by, as with one sample
    per class. ``low`` and ``high`` bound it, ``whole`` numbers only or any. ``exact``: whether
    it scores every training row by the others without fitting anew. ``streams``: whether it reads the rows a
    block at a time and needs no copy of them.
    """

    solver: str
    parameter: str
    grid: tuple[Number, ...]
    default: Number
    low: Number = _LEAST
    high: Number = 1e300
    whole: bool = False
    exact: bool = False
    streams: bool = False


KINDS = {
    "logreg": Kind("frostline.stages.heads.solvers.logistic:LogisticSolver", "C", DINOV2_GRID, 1.0, streams=True),
    "linear": Kind("frostline.stages.heads.solvers.sgd:SgdSolver", "lr", _RATES, 0.005, streams=True),
    "ridge": Kind("frostline.stages.heads.solvers.ridge:RidgeSolver", "alpha", _ALPHAS, 1.0, exact=True, streams=True),
    "knn": Kind(
        "frostline.stages.heads.solvers.knn:NeighbourSolver", "k", (10, 20, 100, 200), 20, 1, whole=True, exact=True
    ),
    "centroid": Kind("frostline.stages.heads.solvers.centroid:CentroidSolver", "", (0.0,), 0.0, 0, streams=True),
    "lda": Kind(
        "frostline.stages.heads.solvers.lda:LDASolver",
        "shrinkage",
        (1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0),
        0.1,
        0,
        1,
        streams=True,
    ),
    "svm": Kind(
        "frostline.stages.heads.solvers.svm:SVMSolver", "C", (1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0), 0.1, streams=True
    ),
}


@dataclass(frozen=True)
class HeadSpec:
    """A head: its kind, the values of its parameter, and how one of them is chosen.

    ``kind``: a name of ``KINDS``, or a scikit-learn estimator as ``module:Class`` or
    ``file.py:factory``, whose source has the digest ``code``. ``grid``: ascending values of
    ``parameter``; ``options``: what else the solver or the estimator is given, by name.

    Chosen on a share ``hold_out`` of the training rows, or by ``folds`` of them where that is
    not 0, each in turn (``loo``: every row by all others). ``scaling``: ``standardize`` divides
    each feature, less its mean, by its deviation over the rows that are fitted on; ``l2``
    divides each row by its length. ``class_weight``: ``balanced`` weighs each class as much as
    any other. ``format`` goes up when the same spec comes to give other numbers, so that cached
    heads are not taken for new ones.
    """

    kind: str = "logreg"
    parameter: str = "C"
    grid: tuple[Number, ...] = DINOV2_GRID
    options: Mapping[str, Any] = field(default_factory=dict)
    hold_out: float = 0.1
    folds: Folds = 0
    scaling: Scaling = "none"
    class_weight: ClassWeight = "none"
    seed: int = 0
    code: str = ""
    format: int = 5

    @property
    def default(self) -> Number:
        """Of the grid, the value nearest to the kind's default: taken where there is nothing to choose by."""
        if self.kind not in KINDS:
            return self.grid[len(self.grid) // 2]
        wanted = log(max(KINDS[self.kind].default, _LEAST))
        return min(self.grid, key=lambda value: abs(log(max(value, _LEAST)) - wanted))


def head_spec(
    name: str,
    grid: Sequence[Number] | None = None,
    *,
    parameter: str | None = None,
    options: Mapping[str, Any] | None = None,
    folds: Folds = 0,
    hold_out: float = 0.1,
    **more: Any,
) -> HeadSpec:
    """Return the spec of a head by name, its own parameter and grid where none are given.

    Raises ConfigError: no such head; a parameter that is not what the head is chosen by;
    ``loo`` for a head that can't do it.
    """
    kind = _kind(name)
    own = (parameter or "") if ":" in name else kind.parameter
    if (grid is not None or parameter) and not own:
        raise ConfigError(_no_parameter(name))
    if parameter not in (None, own):
        raise ConfigError(f"{name} is chosen by {own}, not by {parameter!r}; fix that one with --head-params")
    if folds == "loo" and not kind.exact:
        exact = ", ".join(n for n, k in KINDS.items() if k.exact)
        raise ConfigError(f"folds loo with {name}; wanted a number of folds, leave-one-out is for {exact}")
    values = _checked(name, kind, grid) if grid is not None else kind.grid
    if len(values) == 1 or folds:
        hold_out = 0.0
    how: dict[str, Any] = {"hold_out": hold_out, "folds": folds if len(values) > 1 else 0, **more}
    return HeadSpec(name, own, values, dict(options or {}), code=_code(name), **how)


def _code(name: str) -> str:
    """Return what tells the code behind a name from any other."""
    if name.startswith("sklearn."):
        return version("scikit-learn")
    return code_digest(name) if ":" in name else ""


def _kind(name: str) -> Kind:
    if ":" in name:
        return Kind("frostline.stages.heads.solvers.sklearn_estimator:EstimatorSolver", "", (0.0,), 0.0)
    if name not in KINDS:
        raise unknown_name("head", name, [*KINDS, "module:Class", "file.py:factory"])
    return KINDS[name]


def _checked(name: str, kind: Kind, grid: Sequence[Number]) -> tuple[Number, ...]:
    if ":" in name:
        return tuple(sorted(set(grid)))
    bad = [value for value in grid if not kind.low <= value <= kind.high or (kind.whole and value != int(value))]
    if bad:
        what = "whole numbers" if kind.whole else "numbers"
        bounds = "above 0" if kind.low == _LEAST else f"from {kind.low}" + (" to 1" if kind.high == 1 else "")
        raise ConfigError(f"{kind.parameter} {', '.join(map(str, bad))} for {name}; wanted {what} {bounds}")
    return tuple(sorted({int(value) if kind.whole else float(value) for value in grid}))


def _no_parameter(name: str) -> str:
    if ":" in name:
        return f"a grid for {name} without its parameter's name; wanted --grid NAME=VALUE,VALUE,…"
    return f"{name} has no parameter to choose; leave --grid out"
