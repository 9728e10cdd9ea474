"""The few-shot draws of published code, row for row: of labels in the order of a dataset's training rows.

Unlike Frostline's own (``frostline.stages.datasets.draws``) they depend on the order of the rows, and copies are drawn
each for itself. A class with fewer rows than are asked for gives those that it has.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
_MTEB_SEED = 42


def mteb(labels: NDArray[np.int64], count: int, draw: int, seed: int = 0) -> Rows:
    """Return the rows of experiment ``draw``, from 0, of mteb's classification tasks, int64, in its order.

    mteb 2.26.24, ``abstasks/classification.py``: a generator of seed 42 that is made again for each experiment shuffles
    the order that the last one left; of each label the first ``count`` rows are taken. ``labels``: int64 (n,);
    ``seed``: added to mteb's.
    """
    order = np.arange(len(labels))
    shuffle = order.copy()
    np.random.RandomState(_MTEB_SEED + seed).shuffle(shuffle)
    for _ in range(draw + 1):
        order = order[shuffle]
    return order[_place_in_label(labels[order]) < count]


def big_vision(labels: NDArray[np.int64], count: int, draw: int, seed: int = 0) -> Rows:
    """Return the rows of big_vision's seed ``seed + draw``, int64, class by class; fewer are nested in more.

    ``evaluators/fewshot_lsr.py``: one generator of that seed permutes the rows of each class in turn; the first
    ``count`` are taken. ``labels``: int64 (n,).
    """
    rng = np.random.default_rng(seed + draw)
    classes = [rng.permutation(np.flatnonzero(labels == label)) for label in range(int(labels.max()) + 1)]
    return np.concatenate([rows[:count] for rows in classes])


def _place_in_label(labels: NDArray[np.int64]) -> Rows:
    """Return how many rows before each have its label."""
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[order], prepend=labels[order][:1] - 1))
    places = np.empty(len(labels), np.int64)
    places[order] = np.arange(len(labels)) - np.repeat(starts, np.diff(starts, append=len(labels)))
    return places


PUBLISHED_DRAWS: dict[str, Callable[[NDArray[np.int64], int, int, int], Rows]] = {
    "mteb": mteb,
    "big_vision": big_vision,
}
