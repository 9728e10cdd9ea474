"""How many of the labels that `health` wants looked at again are wrong, where it is known which are.

    python -m benchmarks.selection.label_doubts [--images FOLDER --weights FOLDER] [--data-dir DIR] [--rows 200 700]

--images: CIFAR-10 as train/<class> and test/<class>; --weights: mobilenet_v2-imagenet1k.pth and
squeezenet1_0-imagenet1k.pth. Without them, the digits alone. Of the labels 5 % are flipped, to any other class or to
the one that the head holds likeliest; then none is. Beside ours: confident learning (Northcutt et al., 2021), by which
these labels were found before, on the same out-of-fold probabilities. Means of --draws draws; a minute on one core
once the features are cached.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import frostline
from frostline.pipeline.settings import ExtractSettings
from frostline.stages.diagnostics import label_issues, out_of_fold
from frostline.stages.store import Features, load, open_set

FLIPPED, SHOWN = 0.05, 20
Array = NDArray[Any]
NETWORKS: dict[str, dict[str, Any]] = {
    "resnet8-cifar10": {},
    "squeezenet1_0": {"weights": "squeezenet1_0-imagenet1k.pth", "resize": 96, "crop": "none"},
    "mobilenet_v2": {"weights": "mobilenet_v2-imagenet1k.pth", "resize": 96, "crop": "none"},
}


@dataclass(frozen=True)
class Rows:
    """Features (n, d) and their true labels (n,)."""

    """Features (n, d) and their true labels (n,)."""

    name: str
    X: Array
    y: Array


def digits() -> Rows:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    return Rows("digits, pixels", X.astype(np.float32), y.astype(np.int64))


def cifar(images: Path, weights: Path, data_dir: Path) -> Iterator[Rows]:
    for name, how in NETWORKS.items():
        own = {**how, "weights": str(weights / str(how["weights"]))} if how else {}
        given = {"dataset": f"folder:{images}", "backbone": name, "data_dir": data_dir, **own}
        (train,) = (e for e in frostline.extract(ExtractSettings(**given)) if e.split == "train")
        features: Features = load(open_set(train.folder))
        yield Rows(f"CIFAR-10, {name}", features.X, features.y)


def confident_learning(p: Array, y: Array) -> Array:
    """Return the rows that belong confidently to another class than their own, by normalised margin."""
    rows = np.arange(len(y))
    own = p[rows, y]
    thresholds = np.array([own[y == k].mean() for k in range(p.shape[1])])
    confident = np.where(p >= thresholds, p, -1.0)
    others = p.copy()
    others[rows, y] = -1
    issue = (confident.max(1) >= 0) & (confident.argmax(1) != y)
    return np.flatnonzero(issue)[np.argsort((own - others.max(1))[issue], kind="stable")]


def flips(kind: str, p: Array, y: Array, rng: np.random.Generator) -> Array:
    """Return labels of which a share is another one: any, or the likeliest other."""
    wrong, made = rng.permutation(len(y))[: round(FLIPPED * len(y))], y.copy()
    if kind == "any other class":
        made[wrong] = (y[wrong] + rng.integers(1, p.shape[1], len(wrong))) % p.shape[1]
    if kind == "the likeliest other class":
        others = p[wrong].copy()
        others[np.arange(len(wrong)), y[wrong]] = -1
        made[wrong] = others.argmax(1)
    return made


def judged(rows: Rows, n: int, kind: str, seed: int) -> tuple[float, ...]:
    """Return the accuracy; by confident learning, and by ours: flagged, right among the shown; and those expected."""
    rng = np.random.default_rng(seed)
    drawn = rng.permutation(len(rows.y))[:n]
    X, true, classes = rows.X[drawn], rows.y[drawn], int(rows.y.max()) + 1
    digests = np.array([list(hashlib.sha256(row.tobytes()).digest()) for row in X], np.uint8)
    clean = out_of_fold(X, true, digests, classes)
    y = flips(kind, clean, true, rng)
    p = out_of_fold(X, y, digests, classes) if kind else clean
    ours = label_issues(p, y)
    found = [(len(o) / len(y), precision(o, y != true)) for o in (confident_learning(p, y), np.array(ours.rows, int))]
    return (float(np.mean(clean.argmax(1) == true)), *found[0], *found[1], ours.expected / len(y))


def precision(order: Array, wrong: Array) -> float:
    return float(wrong[order[:SHOWN]].mean()) if len(order) else np.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--rows", type=int, nargs="+", default=[200, 700, 2000])
    parser.add_argument("--draws", type=int, default=3)
    given = parser.parse_args()
    sets = [digits(), *(cifar(given.images, given.weights, given.data_dir) if given.images else ())]
    print(f"{'':34} {'':>8} {'confident learning':>20} {'ours':>20}")
    columns = f"{'flagged':>9} {'first 20':>10}"
    print(f"{'rows':34} {'accuracy':>8} {columns} {columns} {'expected':>9}")
    for kind in ("", "any other class", "the likeliest other class"):
        print(f"5 % of labels flipped to {kind}" if kind else "no label flipped")
        for rows in sets:
            for n in (n for n in given.rows if n <= len(rows.y) or n == max(given.rows)):
                found = np.nanmean([judged(rows, n, kind, seed) for seed in range(given.draws)], axis=0)
                shown = ["" if np.isnan(x) else f"{x:.1%}" for x in found]
                if not kind:
                    shown[2] = shown[4] = ""
                line = f"  {rows.name + f', {min(n, len(rows.y)):,}':32} {shown[0]:>8} {shown[1]:>9} {shown[2]:>10}"
                print(f"{line} {shown[3]:>9} {shown[4]:>10} {shown[5]:>9}", flush=True)


if __name__ == "__main__":
    main()
