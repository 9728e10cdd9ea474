"""How far heads of logistic regression are from their optimum, and how far they say they are.

    python -m benchmarks.heads.certificates [--problems 300] [--seed 1000]

Random problems: 30 to 5,000 rows, 5 to 400 features on scales up to three orders of magnitude apart, some of them far
from zero, rectified, twice the same or in float16, 10 to 100 classes that are easy or impossible to tell apart, and up
to five values of C from 1e-6 to 1e5. Each head is compared with one in float64 to 1e-10. Prints how many heads are
further from it than their gap says, how many further than the tolerance, 1e-5, and the worst.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from frostline.stages.heads.solvers.logistic import logistic_path

_TOLERANCE = 1e-5
_KNOWN = 1e-8  # gap of the float64 head, above which nothing is known


class Head(NamedTuple):
    """Of one head: the seed of its problem, C, how far above the optimum it is, and how far it says."""

    seed: int
    C: float
    above: float
    gap: float


def problem(seed: int) -> tuple[NDArray[Any], NDArray[np.int64], int, NDArray[np.float64]]:
    """Return rows, labels, the number of classes and values of C."""
    rng = np.random.default_rng(seed)
    n, d, classes = int(10 ** rng.uniform(1.5, 3.7)), int(10 ** rng.uniform(0.7, 2.6)), int(rng.choice([10, 30, 100]))
    n = max(n, 2 * classes)
    y = np.append(np.arange(classes), rng.integers(0, classes, n - classes))
    X = rng.standard_normal((n, d))
    X = np.maximum(X, 0) if rng.random() < 0.5 else X
    X *= 10 ** (rng.uniform(0, 1.5) * rng.standard_normal(d))
    X += rng.choice([0, 0.3, 1, 3]) * rng.standard_normal((classes, d))[y] * X.std(0)
    X += 10 ** rng.uniform(0, 3) * X.std() * (rng.random() < 0.3)
    if rng.random() < 0.2:
        X[:, d // 2 :] = X[:, : d - d // 2]
    kinds = ["float16", "float32", "float64"] if np.abs(X).max() < 6e4 else ["float32"]
    return X.astype(str(rng.choice(kinds))), y, classes, np.sort(10 ** rng.uniform(-6, 5, rng.integers(1, 6)))


def solved(seeds: range) -> Iterator[tuple[float, list[Head]]]:
    """Yield the seconds of processor time that each problem took, and its heads."""
    for seed in seeds:
        X, y, classes, grid = problem(seed)
        started = time.process_time()
        path = logistic_path(X, y, grid, classes=classes, tolerance=_TOLERANCE)
        seconds = time.process_time() - started
        how: dict[str, Any] = {"tolerance": 1e-10, "dtype": "float64", "max_iterations": 400}
        tight = logistic_path(X, y, grid, classes=classes, **how)
        above = path.objective / tight.objective - 1
        known = tight.gap < _KNOWN
        heads = [Head(seed, *map(float, of)) for of in zip(grid[known], above[known], path.gap[known], strict=True)]
        yield seconds, heads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1000)
    args = parser.parse_args()
    found = list(solved(range(args.seed, args.seed + args.problems)))
    heads = [head for _, some in found for head in some]
    further = [head for head in heads if head.above > head.gap]
    print(
        f"{len(heads)} heads in {sum(seconds for seconds, _ in found):.0f} s; "
        f"{sum(head.gap > _TOLERANCE for head in heads)} did not converge; {len(further)} are further than they say, "
        f"{sum(head.above > _TOLERANCE for head in heads)} further than {_TOLERANCE:g}"
    )
    for head in sorted(further, key=lambda head: head.above / head.gap)[::-1][:5]:
        print(f"seed {head.seed}, C = {head.C:.3g}: {head.above:.1e} above the optimum, gap {head.gap:.1e}")


if __name__ == "__main__":
    main()
