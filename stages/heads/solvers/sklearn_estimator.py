"""Any scikit-learn classifier as a head, by ``module:Class`` or ``file.py:factory``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import has_fit_parameter

from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.heads.kinds import Number
from frostline.stages.heads.parallel import in_parallel
from frostline.stages.heads.solvers.skops_archive import check_archive
from frostline.stages.heads.spec import HeadSpec
from frostline.stages.heads.stored import Stored
from frostline.stages.user_code.call import call_factory

_BLOCK = 8192
ESTIMATOR_FILE = "head.skops"
_COPIES = 4  # of the rows in float32, at most, that a fit is taken to hold


@dataclass(frozen=True, eq=False)
class EstimatorHead:
    """A fitted estimator whose labels are positions in ``classes``.

    Its decision values are its probabilities, else its decision function, else 1 for what it predicts.
    """

    estimator: Any
    classes: tuple[str, ...]
    width: int

    @property
    def probabilistic(self) -> bool:
        return hasattr(self.estimator, "predict_proba")

    def decision_values(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Return float64 (n, classes), a block of rows at a time; the least of all for a class it was not shown."""
        blocks = [self._decision_values(X[start : start + _BLOCK]) for start in range(0, len(X), _BLOCK)]
        return np.concatenate(blocks) if blocks else np.zeros((0, len(self.classes)))

    def _decision_values(self, X: NDArray[Any]) -> NDArray[np.float64]:
        result = np.full((len(X), len(self.classes)), 0.0 if self.probabilistic else -np.inf)
        result[:, self.estimator.classes_] = self._of_known(X.astype(np.float32, copy=False))
        return result

    def _of_known(self, X: NDArray[np.float32]) -> NDArray[Any]:
        """Return (n, labels) of the labels that the estimator knows."""
        known: NDArray[np.int64] = self.estimator.classes_
        result: NDArray[Any]
        if self.probabilistic:
            result = np.asarray(self.estimator.predict_proba(X))
            return result
        if not hasattr(self.estimator, "decision_function"):
            result = np.asarray(self.estimator.predict(X))[:, None] == known
            return result
        decided = np.asarray(self.estimator.decision_function(X))
        result = decided if decided.ndim > 1 else np.stack([-decided, decided], 1)
        return result

    def stored(self) -> Stored:
        """Return what it is written as. Raises ConfigError, see ``to_bytes``."""
        return Stored("estimator", files={ESTIMATOR_FILE: self.to_bytes()})

    def to_bytes(self) -> bytes:
        """Return the estimator in skops' format. Raises ConfigError if loading that would run code."""
        return archived(self.estimator)


@dataclass(frozen=True, eq=False)
class EstimatorPath:
    """Fitted estimators, one per value."""

    estimators: tuple[Any, ...]
    converged: NDArray[np.bool_]
    classes: int
    width: int

    @property
    def iterations(self) -> NDArray[np.int64]:
        """The most iterations of any part of each; 0 where the estimator counts none."""
        counted = [getattr(estimator, "n_iter_", None) for estimator in self.estimators]
        return np.array([0 if n is None else np.max(n, initial=0) for n in counted], np.int64)

    @property
    def probabilistic(self) -> bool:
        return hasattr(self.estimators[0], "predict_proba")

    def decision_values(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return float64 (k, n, classes), see :class:`EstimatorHead`."""
        names = ("",) * self.classes
        return np.stack([self.head(i, names).decision_values(X) for i in range(len(self.estimators))])

    def head(self, index: int, classes: tuple[str, ...]) -> EstimatorHead:
        """Return the head of one value."""
        return EstimatorHead(self.estimators[index], classes, self.width)


class EstimatorSolver:
    """Fits one estimator per value and weighting of the rows, on all cores."""

    def __init__(self, X: NDArray[Any], y: NDArray[np.int64], classes: int, spec: HeadSpec) -> None:
        """Make the estimator; raises ConfigError if it is no classifier or has no such parameter."""
        self.X, self.y, self.classes, self.spec = X, y, classes, spec
        self.estimator = made(spec, is_classifier, "classifier")

    def fit(self, grid: Sequence[Number], row_weights: NDArray[np.float64]) -> EstimatorPath:
        """Return an estimator fitted with each value; ``row_weights`` (n,), those of weight 0 left out."""
        return self.fit_each(grid, row_weights[None])[0]

    def fit_each(self, grid: Sequence[Number], row_weights: NDArray[np.float64]) -> list[EstimatorPath]:
        """Return what ``fit`` does for each weighting of the rows, (m, n)."""
        for weights in row_weights:
            self._check_weights(weights)
        jobs = [(self.spec, value, self.X, self.y, weights) for weights in row_weights for value in grid]
        fitted = in_parallel(_fitted, jobs, _COPIES * 4 * self.X.size)
        for one in fitted:
            if isinstance(one, ConfigError):
                raise one
        whole = [one for one in fitted if not isinstance(one, ConfigError)]
        return [self._path(whole[start : start + len(grid)]) for start in range(0, len(whole), len(grid))]

    def _path(self, fitted: Sequence[tuple[Any, bool]]) -> EstimatorPath:
        estimators, converged = zip(*fitted, strict=True)
        return EstimatorPath(estimators, np.array(converged), self.classes, self.X.shape[1])

    def _check_weights(self, weights: NDArray[np.float64]) -> None:
        if len(set(weights[weights > 0].tolist())) > 1 and not has_fit_parameter(self.estimator, "sample_weight"):
            raise ConfigError(f"{self.spec.kind} does not support sample weights; leave --class-weight out")


def _fitted(
    spec: HeadSpec, value: Number, X: NDArray[Any], y: NDArray[np.int64], row_weights: NDArray[np.float64]
) -> tuple[Any, bool] | ConfigError:
    """Return an estimator fitted with a value, and whether it converged, or the error; in whatever process.

    It is made where it is fitted: its class may be of a file that only the factory's name leads to.
    """
    return fitted_with(lambda: made(spec, is_classifier, "classifier"), spec, value, X, y, row_weights)


def fitted_with(
    make: Callable[[], Any],
    spec: HeadSpec,
    value: Number,
    X: NDArray[Any],
    y: NDArray[Any],
    row_weights: NDArray[np.float64],
) -> tuple[Any, bool] | ConfigError:
    """Return what is made, fitted to the rows with a weight, and whether it converged, or the error."""
    used = row_weights > 0
    weights = row_weights[used]
    more = {} if (weights == weights[0]).all() else {"sample_weight": weights}
    try:
        estimator = make()
        if spec.parameter:
            estimator.set_params(**{spec.parameter: value})
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            estimator.fit(X[used].astype(np.float32, copy=False), y[used], **more)
    except ConfigError as error:
        return error
    except Exception as error:  # an estimator may be anyone's
        return ConfigError(f"{spec.kind} raised {type(error).__name__}: {error}")
    return estimator, not any(issubclass(w.category, ConvergenceWarning) for w in said)


def check(spec: HeadSpec) -> None:
    """Raise ConfigError if an estimator can't be made, or can't be stored once it is fitted; on a few made-up rows."""
    estimator, y = made(spec, is_classifier, "classifier"), np.repeat([0, 1], 20)
    X = np.random.default_rng(0).normal(size=(40, 6)) + y[:, None]
    with warnings.catch_warnings(), suppress(Exception):  # what it says of real rows is what counts
        warnings.simplefilter("ignore")
        estimator.fit(X.astype(np.float32), y)
    EstimatorHead(estimator, (), 6).to_bytes()


def made(spec: HeadSpec, is_one: Callable[[Any], bool], wanted: str) -> Any:
    """Return a new estimator, seeded. Raises ConfigError if it is not what is expected or has no such parameter."""
    estimator = call_factory(spec.kind, spec.options)
    if not hasattr(estimator, "get_params") or not is_one(estimator):
        raise ConfigError(f"{spec.kind} returned a {type(estimator).__name__}; expected a scikit-learn {wanted}")
    known = estimator.get_params()
    unseeded = [name for name, value in known.items() if name.endswith("random_state") and value is None]
    estimator.set_params(**dict.fromkeys(unseeded, spec.seed))
    if spec.parameter and spec.parameter not in known:
        raise ConfigError(f"{spec.kind} has no parameter {spec.parameter!r}; it has {', '.join(sorted(known))}")
    return estimator


def _skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise ConfigError(
            "scikit-learn estimators as heads need skops; `pip install 'frostline[estimators]'`"
        ) from error
    return skops.io


def archived(estimator: Any) -> bytes:
    """Return an estimator, or several, in skops' format. Raises ConfigError if loading that would run code."""
    skops = _skops()
    data: bytes = skops.dumps(estimator)
    unknown = skops.get_untrusted_types(data=data)
    if unknown:
        raise ConfigError(
            f"a head that holds {', '.join(sorted(unknown))} can't be stored safely; expected an estimator of "
            "types that skops trusts, such as most linear models, naive Bayes and SVC"
        )
    try:
        check_archive(data)
    except ValueError as error:
        raise ConfigError(f"this head can't be stored safely: {error}") from error
    return data


def unarchived(data: bytes) -> Any:
    """Return what was archived. Raises StoreError if loading it would run code of others, or can't be done."""
    skops = _skops()
    try:
        check_archive(data)
        unknown = skops.get_untrusted_types(data=data)
        estimator = None if unknown else skops.loads(data)
    except Exception as error:  # whatever a file that was made for it makes a parser raise
        raise StoreError(f"the head's estimator can't be read: {type(error).__name__}: {error}") from error
    if unknown:
        raise StoreError(
            f"the head holds {', '.join(sorted(unknown))}, which only third-party code can load; this is refused"
        )
    return estimator


def read_estimator(stored: Stored, classes: tuple[str, ...], width: int) -> EstimatorHead:
    """Return the head that was stored so.

    Raises StoreError if loading it would run code of others, take more memory than its file, or can't be done.
    """
    head = EstimatorHead(unarchived(stored.files[ESTIMATOR_FILE]), classes, width)
    if not is_classifier(head.estimator) or getattr(head.estimator, "n_features_in_", width) != width:
        raise StoreError(f"the head holds no classifier of {width} features")
    known = getattr(head.estimator, "classes_", None)
    if (
        not isinstance(known, np.ndarray)
        or known.dtype.kind != "i"
        or not set(known.tolist()) <= set(range(len(classes)))
    ):
        raise StoreError("the classes of the head's estimator differ from those of its record")
    return head
