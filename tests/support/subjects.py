"""Photos of subjects: rows that come in groups, each subject with an offset of its own in feature space."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from frostline.stages.datasets.grouped import hold_out
from frostline.stages.datasets.sampling import hold_out as hold_out_rows
from frostline.stages.heads.solvers.ridge import RidgeSolver
from frostline.stages.metrics import Score, bootstrap, means
from frostline.stages.targets.single_label import SINGLE_LABEL

CLASSES, FEATURES = 5, 20


@dataclass(frozen=True)
class Draw:
    """What is reported of 30 subjects with 10 photos each, by groups and by rows, and what is true of new subjects."""

    by_groups: Score
    truth: float
    by_rows: Score
    truth_of_rows: float


def photos(rng: np.random.Generator, subjects: int, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features (10 subjects, d), classes, and which subject each photo is of; a subject is of one class."""
    of = np.repeat(np.arange(subjects), 10)
    y = np.arange(subjects) % CLASSES
    own = centres[y] + rng.standard_normal((subjects, FEATURES))
    return own[of] + 0.3 * rng.standard_normal((len(of), FEATURES)), y[of], of


def draw(seed: int, resamples: int = 300) -> Draw:
    """Return what a split of subjects and a split of photos say of one sample of 30 subjects."""
    rng = np.random.default_rng(seed)
    centres = 0.75 * rng.standard_normal((CLASSES, FEATURES))
    X, y, of = photos(rng, 30, centres)
    digests = np.frombuffer(b"".join(hashlib.sha256(row).digest() for row in X), np.uint8).reshape(-1, 32)
    new_X, new_y, _ = photos(rng, 2000, centres)
    found = []
    for held in (hold_out(SINGLE_LABEL, y, digests, of, 0.2, 0), hold_out_rows(y, digests, CLASSES, 0.2, 0)):
        path = RidgeSolver(X, y, CLASSES).fit((10.0,), (~held).astype(float))
        right = path.decision_values(X[held])[0].argmax(1) == y[held]
        groups = of[held] if not found else None
        score = bootstrap([means([right])], len(right), 0, resamples, groups)[0][0]
        found += [score, float((path.decision_values(new_X)[0].argmax(1) == new_y).mean())]
    return Draw(*found)
