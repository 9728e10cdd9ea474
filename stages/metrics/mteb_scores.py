"""The scores of mteb's classification tasks (2.26.24, ``abstasks/classification.py``), as it computes them."""

from __future__ import annotations

import warnings

import numpy as np

from frostline.stages.metrics.predictions import Predictions


def mteb_scores(predicted: Predictions) -> dict[str, float]:
    """Return the scores of one experiment, of single labels, by mteb's names; mteb reports their means.

    ``f1``, ``precision`` and ``recall`` are means over the classes that occur as a label or as an answer, or weighted
    by their test rows. ``ap`` and ``ap_weighted`` exist where the test rows have two classes; they are of the answers
    0 and 1, not of probabilities, and of the second class.
    """
    from sklearn import metrics

    y, answers = predicted.y, predicted.labels
    found = {"accuracy": metrics.accuracy_score(y, answers)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class that is never answered has precision 0
        for name in ("f1", "precision", "recall"):
            for suffix, average in (("", "macro"), ("_weighted", "weighted")):
                found[name + suffix] = getattr(metrics, f"{name}_score")(y, answers, average=average)
    if len(np.unique(y)) == 2 and predicted.y.max() == 1:
        for suffix, average in (("", "macro"), ("_weighted", "weighted")):
            found[f"ap{suffix}"] = metrics.average_precision_score(y, answers, average=average)
    return {name: float(value) for name, value in found.items()}
