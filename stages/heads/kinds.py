"""The kinds of heads, by name: built in, or of an installed distribution; nothing here loads a solver."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast

from frostline.stages.errors import ConfigError, unknown_name
from frostline.stages.plugins import Door
from frostline.stages.targets.base import DEFAULT

Number = int | float

# Oquab et al., "DINOv2" (arXiv:2304.07193): the C values that its linear evaluation tries.
DINOV2_GRID = tuple(10 ** (-6 + 11 * i / 44) for i in range(45))
# github.com/facebookresearch/dinov2, eval/linear.py: the learning rates of a batch of 256.
DINOV2_RATES_OF_256 = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1)
_RATES = tuple(rate * 128 / 256 for rate in DINOV2_RATES_OF_256)
# github.com/LAION-AI/CLIP_benchmark 1.6.2, metrics/linear_probe.py: the weight decays of its search.
_DECAYS = tuple(10 ** (i / 12) for i in range(-72, 25))
# Half-decades: of features as wide and as large as encoders give them, benchmarks/selection/regret.py finds the best
# of C between 3e-5 and 3e2, and nothing lost beside DINOv2's quarter-decades.
_STRENGTHS = tuple(10 ** (i / 2) for i in range(-12, 9))
_ALPHAS = tuple(10 ** (i / 4) for i in range(-24, 37))
_SHRINKAGES = (1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0)
_SOLVERS = "frostline.stages.heads.solvers"
TINY = 1e-300


@dataclass(frozen=True)
class Kind:
    """A kind of head, behind the door ``frostline.heads``.

    Attributes:
        solver: the class that fits it to single labels, as ``module:Class``; see
            ``frostline.stages.heads.base.Solver``. Empty for a head that supports other targets only.
        parameter: the hyperparameter that is chosen; empty if there is none.
        grid: the default values to choose from.
        default: the value if there are too few rows to choose, such as one sample per class.
        low: the smallest value of the parameter.
        high: the largest.
        whole: whether the parameter takes whole numbers only.
        exact: whether the solver has an exact leave-one-out score without refitting (``leave_one_out``).
        continues: whether the solver for single labels has ``begin``, see ``frostline.stages.heads.base.Continued``:
            then values can be solved one after another, roughly first.
        streams: whether it reads the rows in blocks and needs no copy of them in memory.
        calmer: the direction of stronger regularisation: -1 for smaller values, 1 for larger values, 0 if unknown.
        costly: whether each fit is expensive: as slow on few rows as on many, or repeated for each value. Then fewer
            fits are used to choose.
        single_core: whether a fit uses one core only, so that several fits run in parallel processes.
        others: for other kinds of target, such as ``multi-label``, the class that fits it, as ``module:Class``.
        reader: the function that restores a head from its stored form (see ``Stored``), as ``module:function`` with
            the arguments (stored, classes, width); empty for linear heads (W and b).

    A head of your own is one file with a record and a solver, and one line in ``pyproject.toml``::

        [project.entry-points."frostline.heads"]
        mine = "my_package.head:KIND"

    >>> KIND = Kind("my_package.head:Solver", "sharpness", (0.1, 1.0, 10.0), 1.0)
    >>> KIND.accepts
    ('single-label',)
    """

    solver: str = ""
    parameter: str = ""
    grid: tuple[Number, ...] = (0.0,)
    default: Number = 0.0
    low: Number = TINY
    high: Number = 1e300
    whole: bool = False
    exact: bool = False
    continues: bool = False
    streams: bool = False
    calmer: int = 0
    costly: bool = False
    single_core: bool = False
    reader: str = ""
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def accepts(self) -> tuple[str, ...]:
        """The kinds of target that it supports."""
        return (DEFAULT, *self.others) if self.solver else tuple(self.others)

    @property
    def built_in(self) -> bool:
        """Whether its solvers are part of Frostline."""
        return all(self.place(target).startswith(f"{_SOLVERS}.") for target in self.accepts)

    @property
    def bounds(self) -> str:
        """What the parameter can be, in words: ``above 0``."""
        return "above 0" if self.low == TINY else f"from {self.low}" + (" to 1" if self.high == 1 else "")

    @property
    def numbers(self) -> str:
        """The same of several: ``whole numbers from 1``."""
        return f"{'whole numbers' if self.whole else 'numbers'} {self.bounds}"

    def takes(self, value: Number) -> bool:
        """Whether the parameter can have a value."""
        return self.low <= float(value) <= self.high and not (self.whole and value != int(value))

    def place(self, target: str = DEFAULT) -> str:
        """Return the solver for a kind of target, as ``module:Class``. Raises ConfigError if there is none."""
        if target not in self.accepts:
            raise ConfigError(f"a head for {' and '.join(self.accepts)} targets; expected one for {target}")
        return self.solver if target == DEFAULT else self.others[target]

    def solver_class(self, target: str = DEFAULT) -> Callable[..., Any]:
        """Return the loaded class of the solver for a kind of target. Raises ConfigError if it can't be loaded."""
        return load_place(self.place(target))

    def options(self, target: str = DEFAULT) -> list[str]:
        """Return the names of that solver's ``--head-params``. Raises the errors of ``solver_class``."""
        parameters = inspect.signature(self.solver_class(target)).parameters
        return [name for name in parameters if name not in ("X", "y", "classes")]


def _others(**solvers: str) -> dict[str, str]:
    """Return the places of solvers for other kinds of targets, underscores standing for hyphens."""
    return {target.replace("_", "-"): f"{_SOLVERS}.{place}" for target, place in solvers.items()}


HEADS: Door[Kind] = Door(
    "head",
    "frostline.heads",
    {
        "logreg": Kind(
            f"{_SOLVERS}.logistic:LogisticSolver",
            "C",
            _STRENGTHS,
            1.0,
            continues=True,
            streams=True,
            calmer=-1,
            others=_others(multi_label="logistic_labels:LogisticLabelsSolver"),
        ),
        "linear": Kind(
            f"{_SOLVERS}.sgd:SgdSolver",
            "lr",
            _RATES,
            0.005,
            streams=True,
            calmer=-1,
            costly=True,
            others=_others(
                multi_label="sgd_labels:SgdLabelsSolver",
                regression="sgd_regression:SgdRegressionSolver",
            ),
        ),
        "adamw": Kind(f"{_SOLVERS}.adamw:AdamWSolver", "weight_decay", _DECAYS, 0.01, streams=True),
        "ridge": Kind(
            f"{_SOLVERS}.ridge:RidgeSolver",
            "alpha",
            _ALPHAS,
            1.0,
            exact=True,
            streams=True,
            calmer=1,
            others=_others(
                multi_label="ridge_labels:RidgeLabelsSolver",
                regression="ridge_regression:RidgeRegressionSolver",
            ),
        ),
        "knn": Kind(
            f"{_SOLVERS}.knn:NeighbourSolver",
            "k",
            (1, 3, 5, 10, 20, 50, 100, 200),
            20,
            1,
            whole=True,
            exact=True,
            calmer=1,
            others=_others(
                multi_label="knn_labels:NeighbourLabelsSolver",
                regression="knn_regression:NeighbourRegressionSolver",
            ),
        ),
        "centroid": Kind(
            f"{_SOLVERS}.centroid:CentroidSolver",
            streams=True,
            others=_others(multi_label="centroid_labels:CentroidLabelsSolver"),
        ),
        "lda": Kind(f"{_SOLVERS}.lda:LDASolver", "shrinkage", _SHRINKAGES, 0.1, 0, 1, streams=True, calmer=1),
        "svm": Kind(
            f"{_SOLVERS}.svm:SVMSolver",
            "C",
            _STRENGTHS[2:-2],
            0.1,
            streams=True,
            calmer=-1,
            others=_others(multi_label="svm_labels:SVMLabelsSolver"),
        ),
    },
)
_ESTIMATOR = Kind(
    f"{_SOLVERS}.sklearn_estimator:EstimatorSolver",
    costly=True,
    single_core=True,
    others=_others(
        multi_label="sklearn_labels:EstimatorLabelsSolver",
        regression="sklearn_regressor:RegressorSolver",
    ),
)


def head_kind(name: str) -> Kind:
    """Return a kind of head by name, that of estimators for ``module:Class`` and ``file.py:factory``.

    Raises ConfigError: no such head, or one whose distribution can't be loaded or names something else.
    """
    if ":" in name:
        return _ESTIMATOR
    if name not in HEADS:
        raise unknown_name("head", name, [*HEADS.names(), "module:Class", "file.py:factory"])
    found = HEADS.load(name)
    if not isinstance(found, Kind):
        raise ConfigError(f"head {name!r} of an installed distribution is {found!r}; expected a Kind of head there")
    return found


def heads_for(target: str) -> list[str]:
    """Return the names of the heads for a kind of target that can be loaded, and how estimators are named."""
    found = []
    for name in HEADS.names():
        with suppress(ConfigError):
            found += [name] if target in head_kind(name).accepts else []
    return [*found, "module:Class", "file.py:factory"]


def load_place(place: str) -> Callable[..., Any]:
    """Return what stands at ``module:name``. Raises ConfigError if that can't be loaded."""
    module, _, name = place.partition(":")
    try:
        return cast(Callable[..., Any], getattr(import_module(module), name))
    except Exception as error:  # a distribution's code may raise anything
        raise ConfigError(f"{place} of a head can't be loaded ({type(error).__name__}: {error})") from error
