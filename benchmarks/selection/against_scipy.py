"""Intervals of scores next to ``scipy.stats.bootstrap`` on the same predictions.

    python -m benchmarks.selection.against_scipy [--rows 10000] [--classes 10] [--resamples 1000] [--rounds 3]
        [--threads 1 2]

Predictions are synthetic, as in ``bootstrap.py``. ``frostline``: all scores of an evaluation with their intervals. The
peers: SciPy's bootstrap of one score each, accuracy and log-loss as means (vectorised), macro-F1 by scikit-learn's
function (called for every resample), at 95 % by percentiles. The ratio of the widths is that of Frostline's interval
to SciPy's.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.common.rounds import interleaved, is_pinned, on_threads
from benchmarks.selection.bootstrap import synthetic
from frostline.stages.evaluate import score
from frostline.stages.metrics import Predictions

Interval = tuple[float, float]


def scipys(data: tuple[Any, ...], statistic: Callable[..., Any], resamples: int, **how: Any) -> Interval:
    from scipy.stats import bootstrap

    found = bootstrap(data, statistic, n_resamples=resamples, method="percentile", rng=0, batch=100, **how)
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def macro_f1(y: Any, decided: Any) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(y, decided, average="macro"))


def peers(predicted: Predictions, resamples: int) -> dict[str, Callable[[], Interval]]:
    y, p = predicted.y, predicted.decision_values
    decided = p.argmax(1)
    right, loss = (decided == y).astype(np.float64), -np.log(p[np.arange(len(y)), y])
    pairs = {"paired": True, "vectorized": False}
    return {
        "accuracy": lambda: scipys((right,), np.mean, resamples),
        "log_loss": lambda: scipys((loss,), np.mean, resamples),
        "macro_f1": lambda: scipys((y, decided), macro_f1, resamples, **pairs),
    }


def compared(args: argparse.Namespace) -> None:
    predicted = synthetic(args.rows, args.classes)
    score(synthetic(100, 10), temperature=1.0)  # imports are not measured
    took = interleaved(
        {"frostline": lambda: score(predicted, temperature=1.0), **peers(predicted, args.resamples)}, args.rounds
    )
    ours = took.pop("frostline")
    scores = ours.answer.scores
    print(f"frostline, {len(scores)} scores     {ours.cpu:8.3f} s CPU {ours.wall:8.3f} s")
    for name, one in took.items():
        low, high = scores[name].interval
        width = (high - low) / (one.answer[1] - one.answer[0])
        line = f"scipy.stats.bootstrap, {name:<10} {one.cpu:8.3f} s CPU {one.wall:8.3f} s"
        print(f"{line}  {one.cpu / ours.cpu:6.2f} x CPU {one.wall / ours.wall:6.2f} x  widths {width:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in {"rows": 10_000, "classes": 10, "resamples": 1000, "rounds": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    if is_pinned(args.threads):
        print(f"{args.rows} rows, {args.classes} classes, {args.resamples} resamples, threads: {args.threads[0]}")
        compared(args)
        return
    shape = [f"--{name}={getattr(args, name)}" for name in ("rows", "classes", "resamples", "rounds")]
    for count in args.threads:
        on_threads(count, __spec__.name, [*shape, f"--threads={count}"])


if __name__ == "__main__":
    main()
