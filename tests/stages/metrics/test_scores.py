"""Every score is scikit-learn's, on the rows and on any resample of them."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    precision_recall_fscore_support,
    roc_auc_score,
    top_k_accuracy_score,
)

from frostline.stages.metrics import (
    bootstrap,
    brier_losses,
    class_scores,
    confusion,
    in_top,
    log_losses,
    means,
    one_versus_rest,
    precision_recall_f1,
)
from support.scores import of, resample, rows


def drawn_and_counts(n: int) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.arange(n), np.ones(n)), resample(n)]


@pytest.mark.parametrize("whole", [True, False], ids=["all rows", "a resample"])
def test_scores_by_class_and_their_averages_are_scikit_learns(whole: bool) -> None:
    y, p = rows()
    predicted = p.argmax(1)
    drawn, counts = drawn_and_counts(len(y))[not whole]
    found = of(precision_recall_f1(y, predicted, 7), counts)
    one, other = y[drawn], predicted[drawn]
    averages = [balanced_accuracy_score(one, other), *(f1_score(one, other, average=a) for a in ("macro", "weighted"))]
    np.testing.assert_allclose(found[:3], averages)
    np.testing.assert_allclose(found[3:].reshape(3, 7), precision_recall_fscore_support(one, other)[:3])


@pytest.mark.parametrize("whole", [True, False], ids=["all rows", "a resample"])
def test_means_over_rows_are_scikit_learns(whole: bool) -> None:
    y, p = rows()
    drawn, counts = drawn_and_counts(len(y))[not whole]
    found = of(means([p.argmax(1) == y, in_top(p, y, 5), log_losses(p, y), brier_losses(p, y)]), counts)
    one, other = y[drawn], p[drawn]
    labels = np.arange(7)
    expected = [
        accuracy_score(one, other.argmax(1)),
        top_k_accuracy_score(one, other, k=5, labels=labels),
        log_loss(one, other, labels=labels),
        np.mean(((other - np.eye(7)[one]) ** 2).sum(1)),  # Brier (1950), equation 2
    ]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("decimals", [16, 1, 0], ids=["no ties", "ties", "mostly ties"])
@pytest.mark.parametrize("whole", [True, False], ids=["all rows", "a resample"])
def test_the_area_under_the_curve_is_scikit_learns(decimals: int, whole: bool) -> None:
    y, p = rows(decimals=decimals)
    drawn, counts = drawn_and_counts(len(y))[not whole]
    expected = roc_auc_score(y[drawn], p[drawn], multi_class="ovr", average="macro")
    np.testing.assert_allclose(of(one_versus_rest(p, y), counts), expected, rtol=1e-12)


def test_of_two_classes_the_area_is_that_of_either() -> None:
    y, p = rows(classes=2)
    np.testing.assert_allclose(of(one_versus_rest(p, y), np.ones(400)), roc_auc_score(y, p[:, 1]))


def test_any_scores_can_be_ranked() -> None:
    y, p = rows()
    decisions = 100 * np.log(p) - 3
    expected = np.mean([roc_auc_score(y == label, decisions[:, label]) for label in range(7)])
    np.testing.assert_allclose(of(one_versus_rest(decisions, y), np.ones(400)), expected)


def test_classes_without_test_rows_are_left_out_of_the_averages() -> None:
    y, p = rows()
    kept = y % 3 > 0
    y, p = y[kept], p[kept]
    present = np.unique(y)
    area = np.mean([roc_auc_score(y == label, p[:, label]) for label in present])
    np.testing.assert_allclose(of(one_versus_rest(p, y), np.ones(len(y))), area)
    balanced, macro, _ = of(precision_recall_f1(y, p.argmax(1), 7), np.ones(len(y)))[:3]
    with warnings.catch_warnings():  # scikit-learn warns of the predictions that are no label
        warnings.simplefilter("ignore")
        assert balanced == pytest.approx(balanced_accuracy_score(y, p.argmax(1)))
    assert macro == pytest.approx(f1_score(y, p.argmax(1), average="macro"))


def test_a_class_that_is_neither_label_nor_prediction_does_not_lower_macro_f1() -> None:
    y, predicted = np.array([0, 1, 1, 0]), np.array([0, 1, 1, 1])
    assert of(precision_recall_f1(y, predicted, 4), np.ones(4))[1] == pytest.approx(
        f1_score(y, predicted, average="macro")
    )


def test_one_test_class_has_no_area_under_a_curve() -> None:
    _, p = rows(20)
    assert one_versus_rest(p, np.full(20, 3)) is None


def test_a_class_nobody_predicts_and_nobody_has_is_wholly_unknown() -> None:
    y, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    scores = bootstrap([precision_recall_f1(y, predicted, 3)], 4, seed=0)[0]
    absent = class_scores(scores, "abc", y)[2]
    assert (absent.name, absent.support) == ("c", 0)
    for score in (absent.precision, absent.recall, absent.f1):
        assert (score.value, score.low, score.high, score.resamples) == (0, 0, 1, 0)


def test_class_scores_stand_under_their_names() -> None:
    y, p = rows()
    found = class_scores(bootstrap([precision_recall_f1(y, p.argmax(1), 7)], 400, seed=0)[0], "abcdefg", y)
    values = [(c.precision.value, c.recall.value, c.f1.value, c.support) for c in found]
    np.testing.assert_allclose(values, np.transpose(precision_recall_fscore_support(y, p.argmax(1))))
    assert [c.name for c in found] == list("abcdefg")


def test_the_confusion_matrix_is_scikit_learns() -> None:
    y, p = rows()
    np.testing.assert_array_equal(confusion(y, p.argmax(1), 7), confusion_matrix(y, p.argmax(1)))


def test_of_equal_scores_the_first_class_is_the_higher_as_in_the_prediction() -> None:
    equal = np.zeros((3, 3))
    assert in_top(equal, np.arange(3), 1).tolist() == (equal.argmax(1) == np.arange(3)).tolist() == [True, False, False]
    assert in_top(equal, np.arange(3), 2).tolist() == [True, True, False]


def test_a_label_held_impossible_costs_what_it_costs_in_scikit_learn() -> None:
    p = np.array([[1.0, 0.0], [0.5, 0.5]])
    y = np.array([1, 0])
    assert log_losses(p, y).mean() == pytest.approx(log_loss(y, p))
    assert log_losses(p, y)[0] == pytest.approx(36.04, abs=0.01)


def test_brier_goes_from_zero_to_two() -> None:
    sure = np.eye(3)
    assert brier_losses(sure, np.arange(3)).tolist() == [0, 0, 0]
    assert brier_losses(sure, np.array([1, 2, 0])).tolist() == [2, 2, 2]


def test_importing_metrics_loads_neither_torch_nor_scikit_learn_nor_scipy() -> None:
    code = "import sys, frostline.stages.metrics, frostline.stages.metrics.compare\n"
    code += "assert not {'torch', 'sklearn', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={})
