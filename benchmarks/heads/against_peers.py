"""kNN, ridge and LDA next to the libraries that a user would choose, at the settings that they would use.

    python -m benchmarks.heads.against_peers [knn ridge lda] [--rows 10000] [--width 768] [--classes 10] [--rounds 3]
        [--threads 1 2]

Made-up rows as in ``logistic_path.py``, float32; a tenth as many more are predicted. Each job includes fitting and the
predictions of those rows. Rounds are interleaved, each count of threads in a process pinned to as many cores. ``x`` is
the peer's time divided by Frostline's: above 1 Frostline is faster. ``same answers``: the share of equal predictions,
of all values of the hyperparameter.

``faiss``: IndexFlatIP or IndexFlatL2 on normalised rows, and the votes in NumPy. Leave-one-out: the alpha of the least
mean squared error, and its predictions.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.rounds import interleaved, is_pinned, on_threads, table
from frostline.stages.heads import head_spec, solver

Answers = NDArray[np.int64]
_TEMPERATURE = 0.07


class Problem(NamedTuple):
    """Training rows with labels, and rows to predict."""

    X: NDArray[np.float32]
    y: NDArray[np.int64]
    test: NDArray[np.float32]
    classes: int


def made(rows: int, width: int, classes: int) -> Problem:
    from benchmarks.heads.logistic_path import synthetic

    X, y = synthetic(rows + rows // 10, width, classes)
    return Problem(X[:rows], y[:rows], X[rows:], classes)


def ours(kind: str, problem: Problem, grid: tuple[float, ...] | None = None) -> Answers:
    """Predictions of the test rows by the head of each value, (k, n)."""
    spec = head_spec(kind, grid)
    made = solver(spec, problem.X, problem.y, problem.classes)
    path = made.fit(spec.grid, np.ones(len(problem.y)))
    found: Answers = path.decision_values(problem.test).argmax(-1)
    return found


def unit(X: NDArray[np.float32]) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = X / np.linalg.norm(X, axis=1, keepdims=True)
    return rows


def by_faiss(problem: Problem, grid: tuple[float, ...], *, inner: bool) -> Answers:
    import faiss

    width = problem.X.shape[1]
    index = faiss.IndexFlatIP(width) if inner else faiss.IndexFlatL2(width)
    index.add(unit(problem.X))
    found, place = index.search(unit(problem.test), int(max(grid)))
    cosine = found if inner else 1 - found / 2
    votes = np.exp((cosine - cosine[:, :1]) / _TEMPERATURE)
    cells = np.arange(len(place))[:, None] * problem.classes + problem.y[place]
    size = len(place) * problem.classes
    counts = [np.bincount(cells[:, : int(k)].ravel(), votes[:, : int(k)].ravel(), size) for k in grid]
    shares = np.stack(counts).reshape(len(grid), len(place), -1)
    predicted: Answers = shares.argmax(-1)
    return predicted


def by_neighbours_classifier(problem: Problem, k: int) -> Answers:
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(k, algorithm="brute", weights=lambda far: np.exp(-far * far / 2 / _TEMPERATURE))
    predicted: Answers = model.fit(unit(problem.X), problem.y).predict(unit(problem.test))
    return predicted[None]


def knn(problem: Problem, rounds: int) -> None:
    grid = head_spec("knn").grid
    for title, values in {"knn, k = 20": (20.0,), f"knn, {len(grid)} values of k": grid}.items():
        jobs: dict[str, Callable[[], Answers]] = {
            "frostline": partial(ours, "knn", problem, values),
            "faiss IndexFlatIP, votes": partial(by_faiss, problem, values, inner=True),
            "faiss IndexFlatL2, votes": partial(by_faiss, problem, values, inner=False),
        }
        if len(values) == 1:
            jobs["KNeighborsClassifier, brute"] = partial(by_neighbours_classifier, problem, 20)
        table(title, interleaved(jobs, rounds), share)


def chosen_by_leave_one_out(problem: Problem) -> Answers:
    spec = head_spec("ridge")
    made, weights = solver(spec, problem.X, problem.y, problem.classes), np.ones(len(problem.y))
    targets = np.where(problem.y[:, None] == np.arange(problem.classes), 1.0, -1.0)
    left_out = made.leave_one_out(spec.grid, weights)  # type: ignore[attr-defined]
    best = spec.grid[int(np.argmin([((one - targets) ** 2).mean() for one in left_out]))]
    found: Answers = made.fit([best], weights).decision_values(problem.test).argmax(-1)
    return found


def ridge(problem: Problem, rounds: int) -> None:
    from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV

    def by(model: Any, dtype: type = np.float32) -> Callable[[], Answers]:
        return lambda: model.fit(problem.X.astype(dtype), problem.y).predict(problem.test.astype(dtype))[None]

    grid = head_spec("ridge").grid
    one = {
        "frostline": lambda: ours("ridge", problem, (1.0,)),
        "RidgeClassifier, float64": by(RidgeClassifier(1.0), np.float64),
        "RidgeClassifier, float32": by(RidgeClassifier(1.0)),
    }
    table("ridge, alpha = 1", interleaved(one, rounds), share)
    every = {
        "frostline": lambda: chosen_by_leave_one_out(problem),
        "RidgeClassifierCV": by(RidgeClassifierCV(grid)),
    }
    table(f"ridge, {len(grid)} alphas, loo", interleaved(every, rounds), share)


def lda(problem: Problem, rounds: int) -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    def theirs(values: tuple[float, ...]) -> Answers:
        models = [LinearDiscriminantAnalysis(solver="lsqr", shrinkage=value) for value in values]
        return np.stack([model.fit(problem.X, problem.y).predict(problem.test) for model in models])

    grid = head_spec("lda").grid
    for title, values in {"lda, shrinkage 0.1": (0.1,), f"lda, {len(grid)} shrinkages": grid}.items():
        jobs = {
            "frostline": partial(ours, "lda", problem, values),
            "LinearDiscriminantAnalysis": partial(theirs, values),
        }
        table(title, interleaved(jobs, rounds), share)


def share(a: Answers, b: Answers) -> float:
    return float((a == b).mean())


HEADS = {"knn": knn, "ridge": ridge, "lda": lda}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("heads", nargs="*", metavar="HEAD", help=f"by default all: {', '.join(HEADS)}")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    args = parser.parse_args()
    if not is_pinned(args.threads):
        shape = [f"--{name}={getattr(args, name)}" for name in ("rows", "width", "classes", "rounds")]
        for count in args.threads:
            on_threads(count, __spec__.name, [*args.heads, *shape, f"--threads={count}"])
        return
    print(f"{args.rows} + {args.rows // 10} x {args.width}, {args.classes} classes, threads: {args.threads[0]}")
    problem = made(args.rows, args.width, args.classes)
    for name in args.heads or HEADS:
        HEADS[name](problem, args.rounds)


if __name__ == "__main__":
    main()
