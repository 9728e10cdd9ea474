"""How often 95 % intervals hold what is true of new subjects, where test photos come in groups.

    python -m benchmarks.selection.groups [--draws 100] [--subjects 30] [--photos 10]

First whole experiments: subjects of five classes have offsets of their own in feature space; a split of subjects and
one of photos, alpha of ridge chosen by folds of the same kind, and what each reports, beside the accuracy on 2,000 new
subjects. Then the intervals alone, for scores of few and of many groups: over groups, as percentiles of resampled
groups (the usual cluster bootstrap), and over rows. About a minute on one core.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets import grouped, sampling
from frostline.stages.heads.solvers.ridge import RidgeSolver
from frostline.stages.metrics import Score, Statistic, bootstrap, means
from frostline.stages.metrics.clusters import clusters
from frostline.stages.metrics.regression import statistic
from frostline.stages.metrics.statistic import resampled
from frostline.stages.targets.single_label import SINGLE_LABEL

CLASSES, WIDTH, NEW = 5, 20, 2000
ALPHAS = tuple(10.0**i for i in range(-2, 5))
Array = NDArray[Any]


@dataclass(frozen=True)
class Said:
    """What an experiment reports, and what is true of new subjects."""

    score: Score
    truth: float

    @property
    def holds(self) -> bool:
        return holds(self.score, self.truth)


def holds(score: Score, truth: float) -> bool:
    return score.interval is not None and score.interval[0] <= truth <= score.interval[1]


def photos(rng: np.random.Generator, centres: Array, subjects: int, each: int) -> tuple[Array, Array, Array]:
    of, y = np.repeat(np.arange(subjects), each), np.arange(subjects) % CLASSES
    own = centres[y] + rng.standard_normal((subjects, WIDTH))
    return own[of] + 0.3 * rng.standard_normal((len(of), WIDTH)), y[of], of


def experiment(seed: int, subjects: int, each: int) -> tuple[Said, Said]:
    """Return what is said where subjects, and where photos, are split, held out and resampled."""
    rng = np.random.default_rng(seed)
    centres = 0.75 * rng.standard_normal((CLASSES, WIDTH))
    X, y, of = photos(rng, centres, subjects, each)
    digests = np.frombuffer(b"".join(hashlib.sha256(row).digest() for row in X), np.uint8).reshape(-1, 32)
    new_X, new_y, _ = photos(rng, centres, NEW, 1)
    found = []
    for by_subject in (True, False):
        held = (
            grouped.hold_out(SINGLE_LABEL, y, digests, of, 0.2, 0)
            if by_subject
            else sampling.hold_out(y, digests, CLASSES, 0.2, 0)
        )
        predict = chosen(X[~held], y[~held], digests[~held], of[~held] if by_subject else None)
        right = predict(X[held]) == y[held]
        score = bootstrap([means([right])], len(right), 0, groups=of[held] if by_subject else None)[0][0]
        found.append(Said(score, float(np.mean(predict(new_X) == new_y))))
    return found[0], found[1]


def chosen(X: Array, y: Array, digests: Array, of: Array | None) -> Callable[[Array], Array]:
    """Return what predicts with the alpha that was best on five folds."""
    fold = (
        sampling.folds(y, digests, CLASSES, 5, 0)
        if of is None
        else grouped.folds(SINGLE_LABEL, y, digests, of, min(5, len(np.unique(of))), 0)
    )
    right = np.zeros(len(ALPHAS))
    solver = RidgeSolver(X, y, CLASSES)
    for k in np.unique(fold):
        path = solver.fit(ALPHAS, (fold != k).astype(float))
        right += (path.decision_values(X[fold == k]).argmax(-1) == y[fold == k]).sum(1)
    best = solver.fit(ALPHAS[int(right.argmax()) :][:1], np.ones(len(y)))
    return lambda rows: best.decision_values(rows)[0].argmax(1)


def accuracy(rng: np.random.Generator, groups: int, each: int) -> tuple[Statistic, Array]:
    """Of subjects whose own accuracies have mean 0.72 and correlate by 0.5 within a subject."""
    of = np.repeat(np.arange(groups), each)
    return means([rng.random(len(of)) < rng.beta(0.72, 0.28, groups)[of]]), of


def numbers(name: str) -> Callable[[np.random.Generator, int, int], tuple[Statistic, Array]]:
    """Of predictions that are off by as much for all photos of a subject."""

    def drawn(rng: np.random.Generator, groups: int, each: int) -> tuple[Statistic, Array]:
        of = np.repeat(np.arange(groups), each)
        y = rng.standard_normal((len(of), 1))
        return statistic(name, y, y + rng.standard_normal((groups, 1))[of] + 0.5 * rng.standard_normal(y.shape)), of

    return drawn


KINDS = {"accuracy": accuracy, "mae": numbers("mae"), "r2": numbers("r2"), "spearman": numbers("spearman")}


def intervals(name: str, groups: int, each: int, draws: int) -> Iterator[tuple[bool, bool, bool]]:
    """Yield whether the intervals hold the truth: over groups, as percentiles of groups, over rows."""
    make = KINDS[name]
    one, of = make(np.random.default_rng(10**6), 20_000, 5)
    truth = float(one.of(np.ones((len(of), 1)))[0, 0])
    for seed in range(draws):
        one, of = make(np.random.default_rng(seed), groups, each)
        ours, rows = (bootstrap([one], len(of), seed, 200, own)[0][0] for own in (of, None))
        percentiles = np.quantile(resampled([one], len(of), seed, 200, clusters(of))[0][0], (0.025, 0.975))
        yield (
            holds(ours, truth),
            bool(percentiles[0] <= truth <= percentiles[1]),
            holds(rows, truth),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--subjects", type=int, default=30)
    parser.add_argument("--photos", type=int, default=10)
    given = parser.parse_args()
    both = [experiment(seed, given.subjects, given.photos) for seed in range(given.draws)]
    print(f"{given.draws} experiments of {given.subjects} subjects with {given.photos} photos each")
    for name, said in zip(("split by subject", "split by photo"), zip(*both, strict=True), strict=True):
        reported, truth = (np.mean([value]) for value in ([s.score.value for s in said], [s.truth for s in said]))
        held = sum(one.holds for one in said)
        print(f"  {name:<17} reported {reported:.1%}, true {truth:.1%}, the interval holds it in {held}", flush=True)
    print(f"{'score':<9} {'groups':>6} {'over groups':>12} {'percentiles':>12} {'over rows':>10}   of {given.draws}")
    for kind in KINDS:
        for groups in (4, 6, 12, 30):
            held = np.sum(list(intervals(kind, groups, given.photos, given.draws)), axis=0)
            print(f"{kind:<9} {groups:>6} {held[0]:>12} {held[1]:>12} {held[2]:>10}", flush=True)


if __name__ == "__main__":
    main()
