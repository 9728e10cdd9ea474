"""How often the interval of the best of several heads holds the truth, and how often an equal one is called worse.

    python -m benchmarks.selection.winner [--trials 400]

All heads are equally good, so that whatever is said of the best is luck. Their mistakes are shared to a part, as those
of heads on one backbone are. The interval is Wilson's: alone, allowing for the choice on these rows, and of the head
that held-out training rows (a third as many) picked. Then whether any head is called worse than the best after Holm's
correction for its comparisons, for all pairs, and than the head that was picked before. Half a minute on one core.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.metrics import Score
from frostline.stages.metrics.compare import holm, mcnemar
from frostline.stages.metrics.multiplicity import LEVEL, best_of

Array = NDArray[Any]
CASES = [(2, 0.9, 300), (6, 0.5, 300), (7, 0.8, 100), (20, 0.9, 300), (20, 0.55, 100), (20, 0.99, 360), (40, 0.9, 1000)]


def wilson(right: int, n: int) -> Score:
    z = 1.959964
    p = right / n
    margin = z * (p * (1 - p) / n + z * z / 4 / n / n) ** 0.5
    low, high = ((p + z * z / 2 / n + sign * margin) / (1 + z * z / n) for sign in (-1, 1))
    return Score(p, low, high, 0)


def p_values(right: Array, first: int) -> list[float]:
    others = [i for i in range(len(right)) if i != first]
    only = [((right[first] & ~right[i]).sum(), (right[i] & ~right[first]).sum()) for i in others]
    return [mcnemar(int(a), int(b)) for a, b in only]


def _holds(score: Score, value: float) -> bool:
    ends = score.interval
    return ends is not None and ends[0] <= value <= ends[1]


def trial(rng: np.random.Generator, heads: int, p: float, n: int, shared: float) -> tuple[bool, ...]:
    lots = np.where(rng.random((heads, n)) < shared, rng.random(n), rng.random((heads, n)))
    right, held_out = lots < p, rng.binomial(n // 3, p, heads)
    best, picked = int(right.sum(1).argmax()), int(held_out.argmax())
    alone, other = (wilson(int(right[i].sum()), n) for i in (best, picked))
    allowed = best_of(alone, heads, n)
    on_these, before = p_values(right, best), p_values(right, picked)
    return (
        *(_holds(one, p) for one in (alone, allowed, other)),
        min(holm(on_these)) < LEVEL,
        min(holm(on_these, heads * (heads - 1) // 2)) < LEVEL,
        min(holm(before)) < LEVEL,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=400)
    given = parser.parse_args()
    print(f"{'':31} {'interval holds the truth':^29} | {'an equal head is called worse':^29}")
    columns = ("alone", "allowing", "picked", "| k - 1", "all pairs", "picked")
    print(f"{'heads':>5} {'right':>6} {'rows':>6} {'shared':>7}    " + "".join(f"{name:>10}" for name in columns))
    for heads, p, n in CASES:
        for shared in (0.0, 0.7):
            rng = np.random.default_rng(0)
            found = np.mean([trial(rng, heads, p, n, shared) for _ in range(given.trials)], axis=0)
            line = f"{heads:>5} {p:>6.0%} {n:>6,} {shared:>7.0%}    "
            print(line + "".join(f"{share:>10.1%}" for share in found), flush=True)


if __name__ == "__main__":
    main()
