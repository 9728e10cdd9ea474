"""Scores of many labels are scikit-learn's, in every resample, with what is unknown left out."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from sklearn import metrics as sk

from frostline.stages.metrics.label_ranking import SCORES, average_precision, eleven_point_precision, ranking
from frostline.stages.metrics.multi_label import (
    BY_ROW,
    DECIDED,
    RANKED,
    by_row,
    label_scores,
    ranked,
    statistic,
    unscored,
    usual_thresholds,
)
from frostline.stages.metrics.paired import paired
from frostline.stages.metrics.statistic import Statistic
from frostline.stages.metrics.thresholds import best_thresholds

NAMES = ("sky", "sea", "sun", "sand")
HALVES = usual_thresholds(4, probabilistic=True)


def made(n: int = 120, *, seed: int = 0, digits: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return y (n, 4) without unknown values, every label in it, and probabilities of few digits, so that some tie."""
    rng = np.random.default_rng(seed)
    y = (rng.random((n, 4)) < [0.5, 0.3, 0.2, 0.15]).astype(np.int8)
    return y, np.round(np.clip(0.3 * y + 0.6 * rng.random((n, 4)), 0, 1), digits)


def once(one: Statistic, counts: np.ndarray) -> np.ndarray:
    return one.of(counts.astype(np.float64)[:, None])[:, 0]


def test_averages_are_scikit_learns() -> None:
    y, p = made()
    found, _ = label_scores(y, p, NAMES, probabilistic=True, thresholds=(0.4, 0.45, 0.5, 0.35))
    named, tuned = p > 0.5, p > (0.4, 0.45, 0.5, 0.35)
    expected = {
        "map": sk.average_precision_score(y, p, average="macro"),
        "macro_auroc": sk.roc_auc_score(y, p, average="macro"),
        "micro_auroc": sk.roc_auc_score(y, p, average="micro"),
        "macro_f1": sk.f1_score(y, named, average="macro"),
        "micro_f1": sk.f1_score(y, named, average="micro"),
        "macro_f1_at_thresholds": sk.f1_score(y, tuned, average="macro"),
        "micro_f1_at_thresholds": sk.f1_score(y, tuned, average="micro"),
        "lrap": sk.label_ranking_average_precision_score(y, p),
        "hamming_loss": sk.hamming_loss(y, named),
        "subset_accuracy": sk.accuracy_score(y, named),
    }
    assert set(found) == set(expected) | {"map_11_point"}
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-12), name
        assert found[name].low < value < found[name].high


def test_every_label_has_its_scores_and_its_share_of_rows() -> None:
    y, p = made()
    _, labels = label_scores(y, p, NAMES, probabilistic=True, thresholds=(0.4,) * 4)
    for k, label in enumerate(labels):
        assert (label.name, label.rows, label.positives) == (NAMES[k], 120, int(y[:, k].sum()))
        assert label.prevalence == pytest.approx(y[:, k].mean())
        for score, value in (
            (label.average_precision, sk.average_precision_score(y[:, k], p[:, k])),
            (label.auroc, sk.roc_auc_score(y[:, k], p[:, k])),
            (label.f1, sk.f1_score(y[:, k], p[:, k] > 0.5)),
            (label.f1_at_threshold, sk.f1_score(y[:, k], p[:, k] > 0.4)),
        ):
            assert score is not None and score.value == pytest.approx(value, abs=1e-12)
            assert score.low <= value <= score.high


@pytest.mark.parametrize("seed", range(5))
def test_a_resample_is_what_scikit_learn_makes_of_its_rows_drawn(seed: int) -> None:
    y, p = made(60, digits=1 + seed % 3)
    drawn = np.random.default_rng(seed).integers(0, 60, 90)  # not as many as there are rows
    counts = np.bincount(drawn, minlength=60)
    own, theirs = y[drawn], p[drawn]
    each = once(ranked(y, p), counts)[len(RANKED) :].reshape(len(SCORES), 4)
    areas = [(sk.average_precision_score(a, b), sk.roc_auc_score(a, b)) for a, b in zip(own.T, theirs.T, strict=True)]
    np.testing.assert_allclose(each[[0, 2]], np.transpose(areas), rtol=0, atol=1e-12)
    rows = once(by_row(y, p, HALVES), counts)
    expected = (
        sk.label_ranking_average_precision_score(own, theirs),
        sk.hamming_loss(own, theirs > 0.5),
        sk.accuracy_score(own, theirs > 0.5),
    )
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-12)
    for name in (*RANKED, *DECIDED, *BY_ROW, "micro_auroc"):
        whole, repeated = statistic(name, y, p, HALVES), statistic(name, own, theirs, HALVES)
        np.testing.assert_allclose(once(whole, counts), once(repeated, np.ones(90)), rtol=0, atol=1e-12)


def voc2007(y: np.ndarray, score: np.ndarray) -> float:
    """The VOC devkit's: for t = 0, 0.1 … 1 the highest precision at a recall of t or more; scores that don't tie."""
    hits = np.cumsum(y[np.argsort(-score)])
    recall, precision = hits / hits[-1], hits / np.arange(1, len(y) + 1)
    return float(np.mean([precision[recall >= t - 1e-9].max() for t in np.arange(11) / 10]))


def test_eleven_point_precision_is_the_voc_devkits_in_every_resample() -> None:
    rng = np.random.default_rng(3)
    y, score = (rng.random(200) < 0.2).astype(np.int8), rng.normal(size=200)
    score += y
    assert once_of(y, score, np.ones(200))[1] == pytest.approx(voc2007(y, score), abs=1e-12)
    kept = rng.random(200) < 0.6
    assert once_of(y, score, kept)[1] == pytest.approx(voc2007(y[kept], score[kept]), abs=1e-12)


def once_of(y: np.ndarray, score: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    curve = ranking(y, score).curve(counts.astype(np.float64)[:, None])
    return float(average_precision(curve)[0]), float(eleven_point_precision(curve)[0])


def test_unknown_values_count_for_nothing() -> None:
    y, p = made(200)
    y[np.random.default_rng(1).random(y.shape) < 0.3] = -1
    found, labels = label_scores(y, p, NAMES, probabilistic=True)
    known = [(y[y[:, k] >= 0, k], p[y[:, k] >= 0, k]) for k in range(4)]
    assert found["map"].value == pytest.approx(np.mean([sk.average_precision_score(*one) for one in known]), abs=1e-12)
    assert found["macro_f1"].value == pytest.approx(np.mean([sk.f1_score(a, b > 0.5) for a, b in known]), abs=1e-12)
    flat = tuple(np.concatenate(part) for part in zip(*known, strict=True))
    assert found["micro_auroc"].value == pytest.approx(sk.roc_auc_score(*flat), abs=1e-12)
    assert found["micro_f1"].value == pytest.approx(sk.f1_score(flat[0], flat[1] > 0.5), abs=1e-12)
    assert found["hamming_loss"].value == pytest.approx(np.mean(flat[0] != (flat[1] > 0.5)), abs=1e-12)
    assert [label.rows for label in labels] == [len(one[0]) for one in known]
    p[y < 0] = 1 - p[y < 0]
    again, _ = label_scores(y, p, NAMES, probabilistic=True)
    assert again == found


def test_a_row_of_which_nothing_is_known_changes_nothing() -> None:
    y, p = made(50)
    more, scores = np.vstack([y, np.full((3, 4), -1, np.int8)]), np.vstack([p, np.ones((3, 4))])
    for name in (*RANKED, *DECIDED, *BY_ROW, "micro_auroc"):
        with_them, without = statistic(name, more, scores, HALVES), statistic(name, y, p, HALVES)
        assert once(with_them, np.ones(53)) == pytest.approx(once(without, np.ones(50)), abs=1e-12)


def test_a_label_that_no_row_has_is_left_out_of_the_averages_and_said() -> None:
    y, p = made()
    y[:, 2] = 0
    found, labels = label_scores(y, p, NAMES, probabilistic=True, thresholds=HALVES)
    rest = [0, 1, 3]
    assert unscored(labels) == ("sun",)
    assert (labels[2].average_precision, labels[2].auroc, labels[2].f1, labels[2].f1_at_threshold) == (None,) * 4
    assert found["map"].value == pytest.approx(sk.average_precision_score(y[:, rest], p[:, rest]), abs=1e-12)
    assert found["macro_auroc"].value == pytest.approx(sk.roc_auc_score(y[:, rest], p[:, rest]), abs=1e-12)
    assert found["macro_f1"].value == pytest.approx(sk.f1_score(y[:, rest], p[:, rest] > 0.5, average="macro"))


def test_labels_ranked_without_a_mistake_still_have_an_interval() -> None:
    y, _ = made()
    found, _ = label_scores(y, y.astype(np.float64), NAMES, probabilistic=True)
    for name in ("map", "map_11_point", "macro_auroc", "micro_auroc", "macro_f1", "subset_accuracy"):
        assert found[name].value == found[name].high == 1 > found[name].low > 0.8
    assert found["hamming_loss"].value == 0 < found["hamming_loss"].high < 0.1


def test_scores_without_probabilities_are_cut_at_0() -> None:
    y, p = made()
    found, _ = label_scores(y, p - 0.5, NAMES, probabilistic=False)
    assert found["macro_f1"].value == pytest.approx(sk.f1_score(y, p > 0.5, average="macro"), abs=1e-12)


def test_groups_are_resampled_whole() -> None:
    y, p = made(40)
    many, scores, group = np.repeat(y, 10, 0), np.repeat(p, 10, 0), np.repeat(np.arange(40), 10)
    narrow, _ = label_scores(many, scores, NAMES, probabilistic=True)
    wide, _ = label_scores(many, scores, NAMES, probabilistic=True, groups=group)
    for name in ("map", "micro_auroc", "micro_f1", "lrap"):
        assert wide[name].value == narrow[name].value
        assert wide[name].high - wide[name].low > 2 * (narrow[name].high - narrow[name].low)


def test_two_predictions_are_compared_on_the_same_resamples() -> None:
    y, p = made(300)
    worse = np.clip(p + 0.3 * np.random.default_rng(9).normal(size=p.shape), 0, 1)
    pair = (statistic("map", y, p, HALVES), statistic("map", y, worse, HALVES))
    found = paired(*pair, len(y), seed=0)
    assert 0 < found.low < found.value < found.high and found.p < 0.05
    assert found.value == pytest.approx(sk.average_precision_score(y, p) - sk.average_precision_score(y, worse))
    same = paired(pair[0], pair[0], len(y), seed=0)
    assert (same.value, same.p) == (0, 1)


def test_the_threshold_of_a_label_is_where_f1_is_largest() -> None:
    y, p = made(150, digits=4)
    y[::7, 1] = -1
    found = best_thresholds(y, p, 0.5)
    for k, threshold in enumerate(found):
        rows = y[:, k] >= 0
        best = sk.f1_score(y[rows, k], p[rows, k] > threshold)
        levels = np.concatenate([[-1.0], np.unique(p[rows, k]), [2.0]])
        others = [sk.f1_score(y[rows, k], p[rows, k] > (a + b) / 2, zero_division=0) for a, b in pairwise(levels)]
        assert best == pytest.approx(max(others))


@pytest.mark.parametrize(("own", "expected"), [([0, 0, -1], 0.5), ([-1, -1, -1], 0.5), ([1, 1, 1], 0.2)])
def test_thresholds_of_labels_that_none_or_all_have(own: list[int], expected: float) -> None:
    (threshold,) = best_thresholds(np.array(own, np.int8)[:, None], np.array([[0.2], [0.9], [0.4]]), 0.5)
    assert threshold == pytest.approx(expected)
    if min(own) == 1:
        assert threshold < 0.2
