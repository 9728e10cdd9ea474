"""How often the forecast for twice the labels holds what twice the labels then give, on real features.

    python -m benchmarks.selection.forecast FEATURES.npz [...] [--curves 100] [--seed 0]

FEATURES.npz holds X (n, d) and y (n,), 6,000 rows or more, as ``benchmarks.extraction.plain_probe --features``
writes them. For each curve 64 or 128 of the features, a pool of N = 400, 1,000 or 2,000 labels and 300, 1,000 or 2,000
test rows are taken at random. Ridge, its alpha by leave-one-out, is fitted on ten stratified draws of N/8, N/4 and N/2
of the pool and on all of it; then on the pool and N fresh labels. That is compared with the forecast, which was told of
the pool, and with one that takes the draws for independent. About 1.5 seconds a curve on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets.sampling import train_size
from frostline.stages.heads.solvers.ridge import RidgeSolver
from frostline.stages.metrics.learning_curve import Forecast, learning_curve

ALPHAS = tuple(10.0**i for i in range(-2, 6))
Array = NDArray[Any]


@dataclass(frozen=True)
class Outcome:
    """What was forecast of one curve, with and without knowing of the pool, and what came."""

    pool: int
    tests: int
    file: str
    told: Forecast
    untold: Forecast
    came: float


def holds(forecast: Forecast, came: float) -> bool:
    return forecast.accuracy[1] <= came <= forecast.accuracy[2]


def reached(X: Array, y: Array, new_X: Array, new_y: Array, classes: int) -> float:
    solver, weights = RidgeSolver(X, y, classes), np.ones(len(y))
    right = (solver.leave_one_out(ALPHAS, weights).argmax(-1) == y).sum(1)
    path = solver.fit((ALPHAS[int(right.argmax())],), weights)
    return float((path.decision_values(new_X)[0].argmax(1) == new_y).mean())


def outcome(file: str, X: Array, y: Array, seed: int) -> Outcome:
    rng, classes = np.random.default_rng(seed), int(y.max()) + 1
    width, pool, tests = (int(rng.choice(of)) for of in ((64, 128), (400, 1000, 2000), (300, 1000, 2000)))
    columns, rows = rng.permutation(X.shape[1])[:width], rng.permutation(len(y))[: 2 * pool + tests]
    X, y, digests = X[rows][:, columns], y[rows], rng.integers(0, 256, (pool, 32), np.uint8)
    test = X[2 * pool :], y[2 * pool :], classes
    sizes, accuracies = [pool // 8, pool // 4, pool // 2, pool], []
    for n in sizes:
        masks = [train_size(y[:pool], digests, classes, n, draw) for draw in range(10 if n < pool else 1)]
        accuracies.append([reached(X[:pool][mask], y[:pool][mask], *test) for mask in masks])
    told, untold = (learning_curve(sizes, accuracies, seed=seed, pool=of).forecast for of in (pool, None))
    assert told is not None and untold is not None
    return Outcome(pool, tests, file, told, untold, reached(X[: 2 * pool], y[: 2 * pool], *test))


def outcomes(files: Sequence[str], curves: int, seed: int) -> Iterator[Outcome]:
    stored = {file: np.load(file) for file in files}
    rows = {file: (found["X"].astype(np.float32), found["y"]) for file, found in stored.items()}
    for i in range(curves):
        file = files[i % len(files)]
        yield outcome(Path(file).stem, *rows[file], seed + i)


def line(name: str, found: Sequence[Outcome]) -> str:
    told, untold = (np.mean([holds(f, o.came) for o, f in zip(found, of, strict=True)]) for of in _both(found))
    wide = [100 * np.mean([f.accuracy[2] - f.accuracy[1] for f in of]) for of in _both(found)]
    error = (told * (1 - told) / len(found)) ** 0.5
    return f"{name:<28} {len(found):>6} {told:>7.3f} ± {error:.3f} {wide[0]:>6.1f} {untold:>12.3f} {wide[1]:>6.1f}"


def _both(found: Sequence[Outcome]) -> tuple[list[Forecast], list[Forecast]]:
    return [one.told for one in found], [one.untold for one in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("features", nargs="+")
    parser.add_argument("--curves", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    found = list(outcomes(given.features, given.curves, given.seed))
    print("share of 95 % intervals that hold what came, and their width in points")
    print(f"{'':<28} {'curves':>6} {'told of the pool':>22} {'independent draws':>19}")
    print(line("all", found))
    for what in ("file", "pool", "tests"):
        for value in sorted({getattr(one, what) for one in found}):
            print(line(f"{what} {value}", [one for one in found if getattr(one, what) == value]))
    bias = 100 * np.mean([one.came - one.told.accuracy[0] for one in found])
    print(f"what came less what was forecast: {bias:+.2f} points on average")


if __name__ == "__main__":
    main()
