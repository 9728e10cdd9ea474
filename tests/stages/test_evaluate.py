"""Evaluation reports what the predictions allow, and nothing else."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, astuple, replace

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss, roc_auc_score

from frostline.stages.errors import DataError, StoreError
from frostline.stages.evaluate import Evaluation, predictions, score
from frostline.stages.heads import LinearHead
from frostline.stages.metrics import Predictions, predictions_csv, tempered
from frostline.stages.store import Features
from frostline.stages.targets.values import Targets

DECIDED = {"accuracy", "balanced_accuracy", "macro_f1", "weighted_f1"}
CHANCES = {"log_loss", "brier", "ece"}


def head(classes: int = 6, probabilistic: bool = True) -> LinearHead:
    weight = np.random.default_rng(0).standard_normal((classes, 8)).astype(np.float32)
    names = tuple(f"class {i}" for i in range(classes))
    return LinearHead(weight, np.zeros(classes, np.float32), names, probabilistic=probabilistic)


def features(fitted: LinearHead, n: int = 120, seed: int = 1) -> Features:
    """Return test features whose labels the head knows rather well."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, len(fitted.classes), n)
    X = (fitted.weight[y] / 2 + rng.standard_normal((n, 8))).astype(np.float32)
    ids = tuple(f"{i}.png" for i in range(n))
    return Features(X, Targets(fitted.classes, y), ids, np.zeros((n, 32), np.uint8), "test", f"key{seed}")


def evaluate(fitted: LinearHead, views: list[Features], seed: int = 0, temperature: float | None = None) -> Evaluation:
    return score(predictions(fitted, views), seed=seed, temperature=temperature)


def test_scores_are_those_of_the_heads_probabilities() -> None:
    fitted = head()
    rows = features(fitted)
    found = evaluate(fitted, [rows])
    p = fitted.decision_values(rows.X)
    assert set(found.scores) == DECIDED | CHANCES | {"auroc", "top5_accuracy"}
    assert found.scores["accuracy"].value == pytest.approx((p.argmax(1) == rows.y).mean())
    assert found.scores["macro_f1"].value == pytest.approx(f1_score(rows.y, p.argmax(1), average="macro"))
    assert found.scores["log_loss"].value == pytest.approx(log_loss(rows.y, p))
    assert found.scores["auroc"].value == pytest.approx(roc_auc_score(rows.y, p, multi_class="ovr"))
    for one in found.scores.values():
        assert one.low <= one.value <= one.high
    assert (found.rows, sum(map(sum, found.confusion)), found.features) == (120, 120, ("key1",))


def test_a_temperature_adds_calibrated_scores_beside_the_others() -> None:
    fitted = head()
    rows = features(fitted)
    plain, found = evaluate(fitted, [rows]), evaluate(fitted, [rows], temperature=2.0)
    for name, one in plain.scores.items():
        assert astuple(found.scores[name]) == pytest.approx(astuple(one), rel=1e-12)
    assert set(found.scores) - set(plain.scores) == {f"{name}_calibrated" for name in CHANCES}
    expected = log_loss(rows.y, tempered(fitted.decision_values(rows.X), 2.0))
    assert found.scores["log_loss_calibrated"].value == pytest.approx(expected)
    assert (plain.temperature, found.temperature) == (None, 2.0)
    assert plain.reliability == found.reliability != found.reliability_calibrated
    assert not plain.reliability_calibrated


def test_a_head_without_probabilities_has_no_scores_of_them() -> None:
    fitted = head(probabilistic=False)
    rows = features(fitted)
    found = evaluate(fitted, [rows], temperature=2.0)
    assert set(found.scores) == DECIDED | {"auroc", "top5_accuracy"}
    assert (found.temperature, found.reliability, found.reliability_calibrated) == (None, (), ())
    decisions = rows.X @ fitted.weight.T
    expected = np.mean([roc_auc_score(rows.y == label, decisions[:, label]) for label in range(6)])
    assert found.scores["auroc"].value == pytest.approx(expected)


def test_five_classes_have_no_top_five() -> None:
    fitted = head(classes=5)
    assert "top5_accuracy" not in evaluate(fitted, [features(fitted)]).scores


def test_one_test_class_is_scored_without_a_warning() -> None:
    fitted = head()
    found = features(fitted)
    rows = replace(found, targets=replace(found.targets, values=np.full(120, 2)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = evaluate(fitted, [rows], temperature=1.5)
    assert "auroc" not in found.scores
    assert found.scores["balanced_accuracy"].value == found.scores["accuracy"].value
    assert [c.support for c in found.classes] == [0, 0, 120, 0, 0, 0]


@pytest.mark.parametrize("right", [True, False])
def test_a_single_row_says_next_to_nothing(right: bool) -> None:
    fitted = head()
    rows = features(fitted, n=1)
    predicted = predictions(fitted, [rows])
    y = predicted.labels if right else (predicted.labels + 1) % 6
    found = score(replace(predicted, y=y)).scores["accuracy"]
    assert found.high - found.low > 0.79


def test_views_are_averaged_before_anything_is_scored() -> None:
    fitted = head()
    views = [features(fitted), replace(features(fitted), X=features(fitted, seed=2).X, key="flipped")]
    found = predictions(fitted, views)
    mean = (fitted.decision_values(views[0].X) + fitted.decision_values(views[1].X)) / 2
    np.testing.assert_allclose(found.decision_values, mean)
    assert found.features == ("key1", "flipped")
    assert score(found, seed=3) == evaluate(fitted, views, seed=3)


def test_the_seed_moves_resampled_intervals_alone() -> None:
    fitted = head()
    rows = features(fitted)
    assert evaluate(fitted, [rows], seed=0) == evaluate(fitted, [rows], seed=1)
    grouped = [replace(rows, targets=replace(rows.targets, groups=np.arange(120) // 5))]
    one, other = evaluate(fitted, grouped, seed=0), evaluate(fitted, grouped, seed=1)
    assert one == evaluate(fitted, grouped, seed=0) != other
    assert {n: s.value for n, s in one.scores.items()} == {n: s.value for n, s in other.scores.items()}


def test_an_evaluation_is_plain_json() -> None:
    fitted = head()
    record = asdict(evaluate(fitted, [features(fitted)], temperature=1.5))
    assert json.loads(json.dumps(record, allow_nan=False)) == json.loads(json.dumps(record))


def test_class_names_of_any_kind_are_kept() -> None:
    names = ("<b>", 'a "quoted" one', "猫", "=1+1", "it's", "f,g")
    fitted = replace(head(), classes=names)
    rows = features(fitted)
    assert tuple(c.name for c in evaluate(fitted, [rows]).classes) == names
    assert len(predictions_csv(predictions(fitted, [rows])).splitlines()) == 121


def test_predictions_know_what_is_right() -> None:
    p = np.array([[0.2, 0.8], [0.5, 0.5]])
    found = Predictions(("a", "b"), np.array([0, 0]), p, ("x", "y"), True, ())
    assert (found.labels.tolist(), found.right.tolist(), len(found)) == ([1, 0], [False, True], 2)


def test_features_that_are_not_the_heads_are_refused() -> None:
    fitted = head()
    rows = features(fitted)
    with pytest.raises(DataError, match="expected the test split"):
        evaluate(fitted, [replace(rows, split="train")])
    with pytest.raises(DataError, match="the head has 6 names"):
        evaluate(fitted, [replace(rows, targets=Targets(("a", "b"), rows.targets.values % 2))])
    with pytest.raises(StoreError, match="got 5 features; the head expects 8"):
        evaluate(fitted, [replace(rows, X=rows.X[:, :5])])
    with pytest.raises(DataError, match="nothing to evaluate"):
        evaluate(fitted, [rows.masked(np.zeros(120, bool))])
    with pytest.raises(DataError, match="different test samples"):
        evaluate(fitted, [rows, rows.masked(np.arange(120) < 119)])
