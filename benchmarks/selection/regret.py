"""What a choice of C on little data costs beside the best C in hindsight, and whether a temperature helps.

    python -m benchmarks.selection.regret ASSETS [--cache DIR] [--draws 1] [--most ROWS] [--temperature] [--json FILE…]

Each problem of ``small_problems.py`` is drawn, its C chosen on the training rows by each way, a head fitted to all of
them with that C (to the optimum, whoever chose), and scored on the test rows, each class counting as it does among the
training rows. Regret is what it lacks beside the best of all values that anyone tries. Seconds are processor time of
the choice and the last fit, on one core. scikit-learn's ``LogisticRegressionCV`` has its defaults: ten values, five
folds, chosen by accuracy; and beside them by log-loss, from the same fits. With ``--temperature`` heads are chosen as
by default, and their log-loss compared without a temperature, with the one that fits best, and with Frostline's.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold

from benchmarks.selection.small_features import Rows, real_features
from benchmarks.selection.small_problems import PROBLEMS, drawn
from frostline.pipeline.settings import HeadSettings
from frostline.stages.fit import fit_rows
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import Head, HeadSpec
from frostline.stages.heads.kinds import DINOV2_GRID
from frostline.stages.heads.protocols import PROTOCOLS
from frostline.stages.heads.solvers.logistic import logistic_path
from frostline.stages.metrics.calibration import log_losses, steady_temperature, temperature, tempered

Chosen = dict[str, tuple[float, float]]  # the C of each way, and its seconds
_OURS, _ROUNDING = "Frostline", 1e-6
_TEMPERED = ("logreg", "lda", "knn")


def contents(n: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (n, 32), np.uint8)


def fitted(rows: Rows, spec: HeadSpec) -> tuple[Head, Any]:
    names = tuple(map(str, range(int(rows.y.max()) + 1)))
    return fit_rows(TrainingRows(rows.X, rows.y, len(names), spec), contents(len(rows.y)), names)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def as_in_training(rows: Rows) -> NDArray[np.float64]:
    """Return weights of test rows, which sum to one: each class counts as it does among the training rows."""
    shares, tested = (np.bincount(y, minlength=int(rows.y.max()) + 1) / len(y) for y in (rows.y, rows.y_test))
    weights = (shares / np.maximum(tested, 1e-9))[rows.y_test]
    normed: NDArray[np.float64] = weights / weights.sum()
    return normed


def of_frostline(rows: Rows) -> Chosen:
    specs = {_OURS: HeadSettings().spec("logreg"), "hold-out 10 %": HeadSettings(hold_out=0.1).spec("logreg")}
    specs |= {name: PROTOCOLS[name].spec() for name in ("dinov2-logreg", "ssl-transfer", "clip")}
    found: Chosen = {}
    for name, spec in specs.items():
        took, (_, selection) = seconds(partial(fitted, rows, spec))
        found[name] = float(selection.value), took
    return found


def of_scikit_learn(rows: Rows) -> Chosen:
    """Return what ``LogisticRegressionCV`` chooses by accuracy, its default, and by log-loss, of the same fits."""
    losses: list[float] = []

    def both(model: Any, X: Any, y: Any) -> float:
        p = model.predict_proba(X)
        losses.append(float(log_losses(p, np.searchsorted(model.classes_, y)).mean()))
        return float((model.classes_[p.argmax(1)] == y).mean())

    folds = StratifiedKFold(min(5, int(np.bincount(rows.y).max())))
    with warnings.catch_warnings():  # of steps that are too few, and of classes that are
        warnings.simplefilter("ignore")
        model = LogisticRegressionCV(Cs=10, cv=folds, scoring=both, use_legacy_attributes=False)
        took, _ = seconds(lambda: model.fit(rows.X, rows.y))
    values = np.logspace(-4, 4, 10)
    by_loss = float(values[np.reshape(losses, (-1, 10)).mean(0).argmin()])
    return {"LogisticRegressionCV": (float(np.ravel(model.C_)[0]), took), "the same by log-loss": (by_loss, took)}


def compared(rows: Rows) -> dict[str, dict[str, float]]:
    """Return regret in points of accuracy and in log-loss, and seconds, of each way."""
    return regrets(rows, {**of_frostline(rows), **of_scikit_learn(rows), "C = 1": (1.0, 0.0)})


def regrets(rows: Rows, chosen: Chosen) -> dict[str, dict[str, float]]:
    """Return what ``compared`` does of values that were chosen."""
    values = [*DINOV2_GRID, *np.logspace(-4, 4, 10), *(C for C, _ in chosen.values())]
    grid = np.array(sorted({float(f"{C:.6g}") for C in values}))
    confidence = logistic_path(rows.X, rows.y, grid).decision_values(rows.X_test)
    weights = as_in_training(rows)
    right = (confidence.argmax(-1) == rows.y_test) @ weights
    loss = np.array([log_losses(p.astype(np.float64), rows.y_test) @ weights for p in confidence])
    at = {name: int(np.abs(np.log(grid / C)).argmin()) for name, (C, _) in chosen.items()}
    return {
        name: {
            "accuracy": 100 * float(right.max() - right[at[name]]),
            "log_loss": float(loss[at[name]] - loss.min()),
            "seconds": took,
            "C": C,
        }
        for name, (C, took) in chosen.items()
    }


def with_temperature(rows: Rows) -> dict[str, dict[str, float]]:
    """Return each head's log-loss on test rows, and what each temperature adds, with the standard error of that."""
    found = {}
    for name in _TEMPERED:
        spec = HeadSettings(head=(name,)).spec(name)
        with patch("frostline.stages.fit.select.steady_temperature", wraps=steady_temperature) as given:
            head, selection = fitted(rows, spec)
        best = temperature(*given.call_args.args[:3])
        p = head.decision_values(rows.X_test)
        plain, weights = log_losses(p, rows.y_test), as_in_training(rows)
        found[name] = {"none": float(plain @ weights)}
        for kind, T in (("best", best), ("ours", selection.temperature)):
            more = log_losses(tempered(p, T), rows.y_test) - plain
            mean = float(more @ weights)
            found[name] |= {
                kind: mean,
                f"{kind}_error": float(((more - mean) * weights) @ ((more - mean) * weights)) ** 0.5,
            }
            found[name] |= {f"{kind}_T": T}
    return found


def table(found: Mapping[str, list[dict[str, dict[str, float]]]]) -> Iterator[str]:
    """Yield a line for each way: means over problems, each with the standard error of what it is above Frostline's."""
    problems = [
        {way: {of: np.mean([draw[way][of] for draw in draws]) for of in draws[0][way]} for way in draws[0]}
        for draws in found.values()
    ]
    yield f"{'':24}{'accuracy, points':>26}{'log-loss':>26}{'largest':>10}{'seconds':>10}"
    for way in problems[0]:
        cells = ""
        for of, digits in (("accuracy", 2), ("log_loss", 4)):
            mine, theirs = (np.array([problem[name][of] for problem in problems]) for name in (_OURS, way))
            above = (theirs - mine).std(ddof=1) / len(mine) ** 0.5
            cells += f"{f'{theirs.mean():.{digits}f} ({(theirs - mine).mean():+.{digits}f} ± {above:.{digits}f})':>26}"
        largest = max(problem[way]["log_loss"] for problem in problems)
        yield f"{way:24}{cells}{largest:>10.3f}{np.mean([p[way]['seconds'] for p in problems]):>10.2f}"


def temperature_table(found: Mapping[str, list[dict[str, dict[str, float]]]]) -> Iterator[str]:
    """Yield a line for each head: what a temperature adds to the log-loss, and in how many draws it surely harms."""
    yield f"{'':10}{'log-loss':>10}{'best T adds':>24}{'harms':>8}{'Frostline adds':>24}{'harms':>8}{'T = 1':>8}"
    for head in _TEMPERED:
        draws = [draw[head] for draws in found.values() for draw in draws]
        cells = ""
        for kind in ("best", "ours"):
            more = np.array([draw[kind] for draw in draws])
            harms = sum(draw[kind] > max(2 * draw[f"{kind}_error"], _ROUNDING) for draw in draws)
            cells += f"{f'{more.mean():+.4f} ± {more.std(ddof=1) / len(more) ** 0.5:.4f}':>24}{harms:>8}"
        ones = sum(draw["ours_T"] == 1 for draw in draws)
        yield f"{head:10}{np.mean([draw['none'] for draw in draws]):>10.3f}{cells}{ones:>8} of {len(draws)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("assets", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("/tmp/frostline-regret"))
    parser.add_argument("--draws", type=int, default=1, help="of each problem")
    parser.add_argument(
        "--part", type=int, nargs=2, default=(0, 1), help="every so many-th problem only: 0 2, then 1 2"
    )
    parser.add_argument("--most", type=int, default=10_000, help="rows of a problem; those of more are left out")
    parser.add_argument("--temperature", action="store_true")
    parser.add_argument("--json", type=Path, nargs="+", help="where to keep what was found; several: tables of these")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.json and len(args.json) > 1:
        found = {name: draws for file in args.json for name, draws in json.loads(file.read_text()).items()}
    else:
        features, found = real_features(args.assets, args.cache), {}
        problems = [problem for problem in PROBLEMS if problem.rows <= args.most]
        for problem in problems[args.part[0] :: args.part[1]]:
            measure = with_temperature if args.temperature else compared
            found[problem.name] = [measure(drawn(problem, features, seed)) for seed in range(args.draws)]
            print(problem.name, flush=True)
            if args.json:
                args.json[0].write_text(json.dumps(found, indent=1) + "\n")
    print(f"{platform.processor() or platform.machine()}, one core; {len(found)} problems")
    print("\n".join((temperature_table if args.temperature else table)(found)))


if __name__ == "__main__":
    main()
