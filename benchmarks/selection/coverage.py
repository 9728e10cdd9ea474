"""How often the 95 % interval of every score holds the population's value, and how wide it is beside an oracle's.

    python -m benchmarks.selection.coverage [--repetitions 200] [--rows 20 100] [--classes 2] [--exact]

Samples of populations whose scores are known (``benchmarks.selection.populations``): 20 to 2,000 rows, 2 to 100 classes
of one size or from 1 down to 1 : 50, accuracies 0.55 to 0.999, a calibrated head, one too sure and one not sure enough
("unsure"). Of scores that are averages over classes, the truth is that over the classes a sample has.

The whole table takes six minutes on two quiet cores. Each row says from how many repetitions it is, fewer where rows
times classes are many, and the standard error of a coverage of 0.95.

Each entry is the coverage, and the mean width over an oracle's. That is the wider of two: what the central 95 % of
samples' scores span, and what the rows leave open to one who knows the population but for its error rate: how far the
score is from that at the upper 97.5 % limit (Clopper and Pearson's) of the error rate for the median number of
mistakes, of each class for itself where the score is an average over classes, and their distances combined as
independent.

! marks a coverage below the aim, 0.92 where 3 rows of the rarest class or more are expected and 0.90 elsewhere, + a
ratio above 1.6, and (0.3) is the share of samples that had an interval, where not all had: a class with one row leaves
averages over classes none, and macro-F1 one that is predicted and has no row. With --exact, classes have just their
shares of the rows instead of being drawn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product
from multiprocessing import get_context
from zlib import crc32

import numpy as np
from scipy.stats import beta, binom

from benchmarks.selection.populations import HEADS, Array, Cell, class_f1, sample, truth
from frostline.stages.metrics import Predictions, Score
from frostline.stages.metrics.evaluation import single_label

SCORES = (
    *("accuracy", "top5_accuracy", "balanced_accuracy", "macro_f1", "weighted_f1"),
    *("auroc", "log_loss", "brier", "ece"),
)
ACCURACIES = (0.55, 0.9, 0.99, 0.999)
WIDEST, AIM, AIM_OF_FEW, ENOUGH = 1.6, 0.92, 0.90, 3
_KNOTS, _ROUNDING = 14, 1e-9
_FEWEST = 30  # intervals
_COSTLY = 50_000  # rows times classes


@dataclass(frozen=True)
class Found:
    """Of one score in one cell: how often its interval holds the truth, how often there is one, and mean widths."""

    coverage: float
    samples: int
    share: float
    width: float
    oracle: float

    @property
    def error(self) -> float:
        """The standard error of a coverage of 0.95 from so many samples that had an interval."""
        return standard_error(self.samples)

    @property
    def ratio(self) -> float:
        return self.width / self.oracle if self.oracle > 0 else float("inf")


def standard_error(samples: int) -> float:
    return float((0.95 * 0.05 / samples) ** 0.5)


def repetitions_of(cell: Cell, usual: int) -> int:
    """Return how many samples of a cell are drawn: half as many of those that take long."""
    return usual // 2 if cell.rows * cell.classes > _COSTLY else usual


def measured(cell: Cell, repetitions: int) -> dict[str, Found]:
    """Return what is found of each score that has any interval in the cell."""
    rng = np.random.default_rng(crc32(repr(cell).encode()))
    rows: dict[str, list[tuple[bool, float, float]]] = {name: [] for name in SCORES}
    for _ in range(repetitions):
        predicted = sample(cell, rng)
        scores, true = single_label(predicted).scores, true_scores(cell, predicted)
        for name in SCORES:
            if name in scores:
                rows[name] += _held(scores[name], true[name])
    return {name: _found(cell, name, rows[name], repetitions) for name in SCORES if rows[name]}


def _held(score: Score, true: float) -> Iterator[tuple[bool, float, float]]:
    """Yield whether an interval, if there is one, holds the truth, its width and the score."""
    if score.interval:
        low, high = score.interval
        yield low - _ROUNDING <= true <= high + _ROUNDING, high - low, score.value


def _found(cell: Cell, name: str, rows: Sequence[tuple[bool, float, float]], repetitions: int) -> Found:
    held, widths, values = map(np.array, zip(*rows, strict=True))
    spanned = float(np.diff(np.quantile(values, (0.025, 0.975)))[0])
    oracle = max(spanned, left_open(cell, name))
    return Found(float(held.mean()), len(rows), len(rows) / repetitions, float(widths.mean()), oracle)


def true_scores(cell: Cell, predicted: Predictions) -> dict[str, float]:
    """Return the population's scores, those over classes of the classes that the sample has."""
    seen = np.union1d(predicted.y, predicted.labels)
    f1, shares = class_f1(cell, np.full(cell.classes, cell.accuracy)), cell.shares
    averages = {"balanced_accuracy": cell.accuracy, "macro_f1": f1[seen].mean(), "weighted_f1": shares @ f1}
    return {**truth(cell.classes, cell.accuracy, cell.head), **averages}


def left_open(cell: Cell, name: str) -> float:
    """Return how far a score may be from the cell's by the mistakes that are to be expected."""
    rows, wrong, K = np.maximum(np.round(cell.rows * cell.shares), 1), 1 - cell.accuracy, cell.classes
    if name in ("balanced_accuracy", "macro_f1", "auroc"):
        most = np.array([_most(int(n), cell.accuracy) for n in rows])
        if name == "balanced_accuracy":
            away = (most - wrong) / K
        elif name == "auroc":
            away = (at(cell, wrong) - at(cell, most)) / K
        else:
            recalls = np.where(np.eye(K, dtype=bool), 1 - most, cell.accuracy)
            usual = class_f1(cell, np.full(K, cell.accuracy)).mean()
            away = np.array([usual - class_f1(cell, one).mean() for one in recalls])
        return float(np.sqrt((away**2).sum()))
    known = truth(K, cell.accuracy, cell.head)
    share = 1 - known[name] if name == "top5_accuracy" else wrong
    return (_most(cell.rows, 1 - share) - share) * known.get(f"{name}_of_a_mistake", 1.0)


def _most(rows: int, accuracy: float) -> float:
    """Return the upper limit of the error rate for the median number of mistakes."""
    wrong = int(binom.median(rows, 1 - accuracy))
    return float(beta.ppf(0.975, wrong + 1, rows - wrong)) if wrong < rows else 1.0


def at(cell: Cell, errors: Array | float) -> Array:
    """Return the area under the curve at other error rates, as far as chance."""
    known, areas = _knots(cell.classes, cell.head)
    found: Array = np.interp(np.log(np.maximum(errors, known[0])), np.log(known), areas)
    return found


@cache
def _knots(classes: int, head: str) -> tuple[Array, list[float]]:
    errors = np.geomspace(5e-4, 0.98 * (1 - 1 / classes), _KNOTS)
    return errors, [truth(classes, 1 - float(error), head, 20_000)["auroc"] for error in errors]


def cells(given: argparse.Namespace) -> list[Cell]:
    """Return the cells; those that follow each other are mostly of one population, which is made once."""
    parts = product(given.classes, given.accuracies, given.heads, given.rows, given.shares)
    return [Cell(K, n, shares == "even", accuracy, head, given.exact) for K, accuracy, head, n, shares in parts]


def line(cell: Cell, found: dict[str, Found], repetitions: int) -> str:
    names = f"{cell.classes:>3} {cell.rows:>5} {'even' if cell.even else '1:50':<4} {cell.accuracy:<5} {cell.head:<10}"
    names += f" {repetitions:>5} {standard_error(repetitions):.3f}"
    return names + " |" + "".join(f"{_entry(cell, found.get(name)):>18}" for name in SCORES)


def aim(cell: Cell) -> float:
    return AIM if cell.fewest >= ENOUGH else AIM_OF_FEW


def _entry(cell: Cell, one: Found | None) -> str:
    if one is None:
        return "none"
    marks = ("!" if one.coverage < aim(cell) else "") + ("+" if one.ratio > WIDEST else "")
    few = f"({one.share:.2f})" if one.share < 1 else ""
    return f"{few}{one.coverage:.3f}/{min(one.ratio, 99):.2f}{marks:<2}"


def summary(done: Iterable[tuple[Cell, dict[str, Found]]]) -> Iterator[str]:
    """Yield for each score how many cells miss the aims, and the worst of them, of those with 30 intervals or more."""
    every = [(cell, name, one) for cell, found in done for name, one in found.items()]
    for name in SCORES:
        own = [(cell, one) for cell, of, one in every if of == name and one.samples >= _FEWEST]
        if not own:
            continue
        low = [cell for cell, one in own if one.coverage < aim(cell)]
        lost = [cell for cell, one in own if one.coverage + 2 * one.error < aim(cell)]
        wide = [cell for cell, one in own if one.ratio > WIDEST]
        least, most = min(one.coverage for _, one in own), max(one.ratio for _, one in own)
        mean, usual = (float(np.mean([getattr(one, of) for _, one in own])) for of in ("coverage", "ratio"))
        yield (
            f"{name:<18} {len(own):>3} cells: coverage {least:.3f} at least, mean {mean:.3f}, below {len(low)} times, "
            f"by more than two standard errors {len(lost)}; width {most:.2f} at most, mean {usual:.2f}, "
            f"above {WIDEST}: {len(wide)}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--classes", type=int, nargs="+", default=[2, 10, 100])
    parser.add_argument("--rows", type=int, nargs="+", default=[20, 100, 360, 2000])
    parser.add_argument("--shares", nargs="+", choices=["even", "1:50"], default=["even", "1:50"])
    parser.add_argument("--accuracies", type=float, nargs="+", default=ACCURACIES)
    parser.add_argument("--heads", nargs="+", choices=list(HEADS), default=list(HEADS))
    parser.add_argument("--exact", action="store_true", help="classes have just their shares of the rows")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    started, wanted, done = time.perf_counter(), cells(given), []
    counts = [repetitions_of(cell, given.repetitions) for cell in wanted]
    together = len(given.rows) * len(given.shares)
    print(
        f"{'K':>3} {'n':>5} {'size':<4} {'acc':<5} {'head':<10} {'reps':>5} {'s.e.':<5} |"
        + "".join(f"{name:>18}" for name in SCORES)
    )
    with ProcessPoolExecutor(given.processes, get_context("spawn")) as pool:
        each = pool.map(measured, wanted, counts, chunksize=together)
        for cell, found, repetitions in zip(wanted, each, counts, strict=True):
            done.append((cell, found))
            print(line(cell, found, repetitions), flush=True)
    print(*summary(done), sep="\n")
    print(f"{time.perf_counter() - started:,.0f} s")


if __name__ == "__main__":
    main()
