"""Intervals over groups of rows hold what is true of new groups, and stay within a score's bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import t

from frostline.stages.errors import DataError
from frostline.stages.metrics import bootstrap, calibration_error, means, one_versus_rest, precision_recall_f1, wilson
from frostline.stages.metrics import statistic as statistic_module
from frostline.stages.metrics.clusters import cluster_interval, clusters
from frostline.stages.metrics.score import SHARE
from support.scores import rows

REAL = (-np.inf, np.inf)


def of_subjects(seed: int, subjects: int, photos: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows are right, and their groups: 72 % of all there could be, correlated by 0.5 within a group."""
    rng = np.random.default_rng(seed)
    own = rng.beta(0.72, 0.28, subjects)
    groups = np.repeat(np.arange(subjects), photos)
    return rng.random(len(groups)) < own[groups], groups


@pytest.mark.parametrize("subjects", [4, 6, 12, 30])
def test_the_interval_holds_the_accuracy_of_new_groups_however_few_there_are(subjects: int) -> None:
    over_groups = over_rows = 0
    for seed in range(200):
        right, groups = of_subjects(seed, subjects, 10)
        score = bootstrap([means([right])], len(right), seed, 200, groups)[0][0]
        over_groups += score.low <= 0.72 <= score.high
        score = bootstrap([means([right])], len(right), seed, 200)[0][0]
        over_rows += score.low <= 0.72 <= score.high
    assert over_groups >= 180 and over_rows <= 160


def test_whole_groups_are_drawn_and_as_many_as_there_are() -> None:
    groups = clusters(np.array([7, 3, 7, 7, 9, 3]))
    for counts in statistic_module._of_groups(groups, 0, 10):
        assert counts.shape == (6, 10)
        assert (counts[0] == counts[2]).all() and (counts[0] == counts[3]).all() and (counts[1] == counts[5]).all()
        assert (counts[[0, 1, 4]].sum(0) == 3).all()
        assert len(set(counts.sum(0))) > 1


def test_scores_are_those_of_the_rows_that_the_drawn_groups_hold() -> None:
    y, p = rows(60, 3)
    groups = clusters(np.random.default_rng(0).integers(0, 9, 60))
    counts = next(iter(statistic_module._of_groups(groups, 0, 20)))
    area = one_versus_rest(p, y)
    assert area is not None
    for b in range(20):
        taken = np.repeat(np.arange(60), counts[:, b].astype(int))
        whole, theirs = np.ones((len(taken), 1)), counts[:, [b]]
        again = one_versus_rest(p[taken], y[taken])
        if again is not None and len(np.unique(y[taken])) == 3:
            np.testing.assert_allclose(area.of(theirs), again.of(whole), rtol=1e-12)
        for statistic, of_taken in (
            (means([p[:, 0]]), means([p[taken, 0]])),
            (calibration_error(p, y), calibration_error(p[taken], y[taken])),
            (precision_recall_f1(y, p.argmax(1), 3), precision_recall_f1(y[taken], p[taken].argmax(1), 3)),
        ):
            np.testing.assert_allclose(statistic.of(theirs), of_taken.of(whole), rtol=1e-12)


def test_the_interval_of_a_share_is_students_on_the_logits() -> None:
    drawn = np.random.default_rng(0).normal(0.8, 0.05, 1000)
    error = drawn.std() * (8 / 7) ** 0.5 / (0.8 * 0.2)
    expected = expit(logit(0.8) + t.ppf([0.025, 0.975], 7) * error)
    assert cluster_interval(0.8, drawn, 8, SHARE, 0) == pytest.approx(tuple(expected))


def test_the_interval_of_an_error_is_students_on_the_logarithms() -> None:
    drawn = np.random.default_rng(0).normal(3, 0.5, 1000)
    expected = 3 * np.exp(t.ppf([0.025, 0.975], 7) * drawn.std() * (8 / 7) ** 0.5 / 3)
    assert cluster_interval(3.0, drawn, 8, (0, np.inf), 0) == pytest.approx(tuple(expected))
    assert cluster_interval(-3.0, drawn, 8, (-np.inf, 0), 0) == pytest.approx(tuple(-expected[::-1]))
    plain = 3 + t.ppf([0.025, 0.975], 7) * drawn.std() * (8 / 7) ** 0.5
    assert cluster_interval(3.0, drawn, 8, REAL, 0) == pytest.approx(tuple(plain))


def test_the_interval_of_a_correlation_is_students_on_fishers_z() -> None:
    drawn = np.random.default_rng(0).normal(0.6, 0.1, 1000)
    error = drawn.std() * (8 / 7) ** 0.5 / (1 - 0.6**2)
    expected = np.tanh(np.arctanh(0.6) + t.ppf([0.025, 0.975], 7) * error)
    assert cluster_interval(0.6, drawn, 8, (-1, 1), 0) == pytest.approx(tuple(expected))


def test_groups_that_are_alike_by_chance_claim_no_more_than_rows() -> None:
    right, groups = np.tile(np.arange(10) < 8, 5), np.repeat(np.arange(5), 10)
    score = bootstrap([means([right])], 50, 0, groups=groups)[0][0]
    assert score.low < 0.67 and score.high > 0.89  # Wilson's of 40 of 50


def test_groups_that_are_all_right_have_wilsons_interval_of_their_number() -> None:
    score = bootstrap([means([np.ones(60, bool)])], 60, 0, groups=np.repeat(np.arange(6), 10))[0][0]
    assert (score.value, score.low, score.high) == (1, wilson(1.0, 6)[0], 1)


def test_groups_of_one_row_each_give_about_the_interval_of_rows() -> None:
    values = np.random.default_rng(0).standard_normal(1000)
    over_rows = bootstrap([means([values])], 1000, 0)[0][0]
    over_groups = bootstrap([means([values])], 1000, 0, groups=np.arange(1000))[0][0]
    assert (over_groups.low, over_groups.high) == pytest.approx((over_rows.low, over_rows.high), abs=0.01)


def test_ids_of_groups_are_names_and_nothing_else() -> None:
    right, groups = of_subjects(0, 12, 5)
    other = 100 - 3 * groups
    a, b = (bootstrap([means([right])], len(right), 0, groups=each)[0][0] for each in (groups, other))
    assert (a.low, a.high) == pytest.approx((b.low, b.high), abs=0.03)


def test_rows_of_one_group_say_nothing_of_others() -> None:
    with pytest.raises(DataError, match="belong to one group"):
        bootstrap([means([np.ones(9)])], 9, 0, groups=np.zeros(9, np.int64))


def test_a_few_resamples_of_hardly_more_than_one_group_do_not_rule_the_interval() -> None:
    drawn = np.append(np.random.default_rng(0).normal(0.9, 0.02, 990), np.full(10, -1e6))
    low, high = cluster_interval(0.9, drawn, 8, (-np.inf, 1.0), 0)
    assert 0.7 < low < 0.9 < high < 1
