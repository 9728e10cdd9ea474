"""Every kind of head of many labels through the same door: fitted, chosen, stored and read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load, save
from sklearn.linear_model import RidgeClassifierCV
from sklearn.metrics import average_precision_score, f1_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.fit import Selection, fit_rows
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import HEADS, Head, check_options, head_files, head_kind, head_spec, read_head
from frostline.stages.heads.linear import normalized
from frostline.stages.heads.solvers.centroid_labels import CentroidLabelsSolver
from frostline.stages.heads.solvers.knn_labels import NeighbourLabelsSolver
from frostline.stages.heads.solvers.ridge_labels import RidgeLabelsSolver
from frostline.stages.heads.solvers.sgd_labels import SgdLabelsSolver
from frostline.stages.records.sealed import sealed, unsealed
from support.labels import labelled

CAN = ["logreg", "linear", "ridge", "knn", "centroid", "svm"]
ESTIMATORS = ["sklearn.naive_bayes:GaussianNB", "sklearn.svm:LinearSVC", "sklearn.neighbors:NearestCentroid"]
CHOSEN = [name for name in CAN if name != "centroid"]
HOW: dict[str, Any] = {"linear": {"options": {"steps": 200}}}
NAMES = ("sky", "sea", "sun", "sand")
X, Y = labelled(300, 10, 4)
DIGESTS = np.random.default_rng(1).integers(0, 256, (300, 32), np.uint8)
ONES = np.ones(300)


def fitted(name: str, y: np.ndarray = Y, **how: Any) -> tuple[Head, Selection]:
    spec = head_spec(name, target="multi-label", **HOW.get(name, {}), **how)
    rows = TrainingRows(X, y, y.shape[1], spec, "multi-label")
    return fit_rows(rows, DIGESTS, NAMES[: y.shape[1]])


def written(head: Head, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in head_files(head, {}).items():
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("scaling", ["none", "standardize", "l2"])
@pytest.mark.parametrize("name", [*CAN, *ESTIMATORS])
def test_a_head_ranks_every_label_and_reads_back_as_it_was(tmp_path: Path, name: str, scaling: Any) -> None:
    head, selection = fitted(name, scaling=scaling)
    found = head.decision_values(X)
    assert found.shape == (300, 4) and found.dtype == np.float64 and np.isfinite(found).all()
    for own, score in zip(Y.T, found.T, strict=True):
        known = own >= 0
        assert average_precision_score(own[known], score[known]) > own[known].mean() + 0.15
    again, record = read_head(written(head, tmp_path / "head"))
    assert (again.classes, again.width, again.probabilistic) == (NAMES, 10, head.probabilistic)
    assert record["target"] == "multi-label" and again.target == "multi-label"  # type: ignore[attr-defined]
    assert again.thresholds == selection.thresholds  # type: ignore[attr-defined]
    np.testing.assert_array_equal(again.decision_values(X), found)


def test_heads_that_can_not_do_many_labels_say_so() -> None:
    assert [name for name in HEADS.names() if "multi-label" in head_kind(name).accepts] == CAN
    with pytest.raises(ConfigError, match="for multi-label targets are: logreg, linear, ridge, knn, centroid, svm"):
        head_spec("lda", target="multi-label")


@pytest.mark.parametrize("name", CHOSEN)
def test_the_value_is_of_the_least_macro_log_loss_or_else_of_the_largest_map(name: str) -> None:
    head, selection = fitted(name)
    place = selection.grid.index(selection.value)
    if head.probabilistic:
        loss = selection.scores["macro_log_loss"]
        assert len(loss) == len(selection.grid) and loss[place] == min(loss)
    else:
        assert list(selection.scores) == ["map"]
        assert selection.scores["map"][place] == pytest.approx(max(selection.scores["map"]), abs=1e-12)
    assert selection.accuracy == selection.log_loss == () and selection.temperature is None
    assert len(selection.thresholds) == 4 and selection.held_out_rows == 300


@pytest.mark.parametrize("name", CHOSEN)
def test_a_value_for_each_label_is_that_of_the_label_alone(name: str) -> None:
    head, selection = fitted(name, per_label=True, folds=3)
    assert len(selection.values) == 4 and set(selection.values) <= set(selection.grid)
    found = head.decision_values(X)
    for label, value in enumerate(selection.values):
        whole, _ = fitted(name, grid=(value,))
        np.testing.assert_allclose(found[:, label], whole.decision_values(X)[:, label], atol=2e-3)


def test_a_value_for_each_name_of_single_labels_is_refused() -> None:
    rows = TrainingRows(X, (Y[:, 0] == 1).astype(np.int64), 2, head_spec("ridge", per_label=True))
    with pytest.raises(
        ConfigError, match="a separate value for each name with single-label targets; they share one value"
    ):
        fit_rows(rows, DIGESTS, ("a", "b"))


def test_thresholds_are_learned_on_rows_that_the_head_has_not_seen() -> None:
    head, selection = fitted("logreg", folds=3)
    assert head.thresholds == selection.thresholds  # type: ignore[attr-defined]
    for label, threshold in enumerate(selection.thresholds):
        known = Y[:, label] >= 0
        p = head.decision_values(X)[known, label]
        assert f1_score(Y[known, label], p > threshold) > f1_score(Y[known, label], p > 0.98)
    assert fitted("logreg", grid=(1.0,))[1].thresholds == ()


def test_class_weights_are_for_single_labels() -> None:
    with pytest.raises(
        ConfigError, match="--class-weight balanced with multi-label targets; it applies to single-label targets only"
    ):
        fitted("logreg", class_weight="balanced")


@pytest.mark.parametrize("name", [*CAN, *ESTIMATORS])
def test_a_label_that_all_or_none_have_or_that_is_unknown_does_not_disturb_the_others(
    tmp_path: Path, name: str
) -> None:
    grid = (head_kind(name).default,)
    y = np.tile(np.array([0, 1, -1, 0], np.int8), (300, 1))
    y[:, 3] = Y[:, 3]
    how = {} if name in ESTIMATORS or name == "centroid" else {"grid": grid}
    head, _ = fitted(name, y, **how)
    found = head.decision_values(X)
    middle = 0.5 if head.probabilistic else 0
    assert (found[:, 0] < middle).all() and (found[:, 1] > middle).all() and (found[:, 2] == middle).all()
    assert len(np.unique(found[:, :3], axis=0)) == 1 or name == "knn"  # the same for every row
    np.testing.assert_allclose(found[:, 3], fitted(name, **how)[0].decision_values(X)[:, 3], atol=2e-3)
    again, _ = read_head(written(head, tmp_path / "head"))
    np.testing.assert_array_equal(again.decision_values(X), found)


def test_one_label_is_enough(tmp_path: Path) -> None:
    head, _ = fitted("logreg", Y[:, :1])
    again, _ = read_head(written(head, tmp_path / "head"))
    assert again.classes == ("sky",)


def test_ridge_without_a_row_is_scikit_learns_of_each_label() -> None:
    alphas = (0.1, 10.0, 1000.0)
    scores = RidgeLabelsSolver(X, Y, 4).leave_one_out(alphas, ONES)
    for label in range(4):
        known = Y[:, label] >= 0
        cv = RidgeClassifierCV(alphas, store_cv_results=True, scoring=None)
        cv.fit(X[known].astype(np.float64), Y[known, label])
        target = 2.0 * Y[known, label] - 1
        np.testing.assert_allclose((target - scores[:, known, label]) ** 2, cv.cv_results_[:, 0].T, rtol=1e-6)


def test_leave_one_out_chooses_too() -> None:
    _, selection = fitted("ridge", folds="loo")
    assert selection.by == "leave-one-out" and selection.held_out_rows == 300
    assert fitted("knn", folds="loo")[1].by == "leave-one-out"


def test_neighbours_vote_as_scikit_learns_do_with_the_same_weights() -> None:
    path = NeighbourLabelsSolver(X, Y, 4, temperature=0.2).fit((5, 20), ONES)
    new = labelled(50, 10, 4, seed=5)[0]
    unit, queries = normalized(X), normalized(new)
    for place, k in enumerate((5, 20)):
        for label in range(4):
            known = Y[:, label] >= 0
            model = KNeighborsClassifier(k, weights=lambda d: np.exp((1 - d**2 / 2) / 0.2))
            expected = model.fit(unit[known], Y[known, label]).predict_proba(queries)[:, 1]
            np.testing.assert_allclose(path.decision_values(new)[place, :, label], expected, atol=1e-5)


def test_centroids_are_the_two_sides_of_each_label() -> None:
    path = CentroidLabelsSolver(X, Y, 4).fit((0.0,), ONES)
    for label in range(4):
        sides = [normalized(X[Y[:, label] == side]).mean(0, keepdims=True) for side in (1, 0)]
        having, lacking = (normalized(X) @ normalized(side)[0] for side in sides)
        np.testing.assert_allclose(path.decision_values(X)[0, :, label], having - lacking, atol=1e-5)


def test_sgd_is_torchs_on_the_cross_entropy_of_each_label() -> None:
    """Full batches: no chance but the start, which is that of the solver at a rate of almost 0."""
    y = np.where(Y == 1, 1, 0).astype(np.int8)
    how: dict[str, Any] = {"batch": 300, "schedule": "constant", "seed": 3}
    start = SgdLabelsSolver(X, y, 4, steps=1, **how).fit((1e-30,), ONES)
    layer = torch.nn.Linear(10, 4)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(start.weight[0]))
        layer.bias.zero_()
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.05, momentum=0.9)
    for _ in range(20):
        optimiser.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            layer(torch.from_numpy(X)), torch.from_numpy(y).float(), reduction="none"
        )
        loss.sum(1).mean().backward()
        optimiser.step()
    found = SgdLabelsSolver(X, y, 4, steps=20, **how).fit((0.05,), ONES)
    np.testing.assert_allclose(found.weight[0], layer.weight.detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(found.bias[0], layer.bias.detach().numpy(), atol=1e-5)


def test_an_estimator_is_scikit_learns_on_the_known_rows_of_each_label() -> None:
    head, _ = fitted("sklearn.naive_bayes:GaussianNB")
    for label in range(4):
        known = Y[:, label] >= 0
        theirs = GaussianNB().fit(X[known], Y[known, label]).predict_proba(X)[:, 1]
        np.testing.assert_array_equal(head.decision_values(X)[:, label], theirs)


def test_options_are_tried_before_there_are_rows() -> None:
    check_options(head_spec("logreg", target="multi-label", options={"tolerance": 1e-3}), "multi-label")
    with pytest.raises(ConfigError, match="unknown parameter of linear 'step'; did you mean 'steps'"):
        check_options(head_spec("linear", target="multi-label", options={"step": 1}), "multi-label")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"target": "single-label"}, "a head for multi-label targets, recorded as one for another kind"),
        ({"classes": ["a"]}, "damaged"),
        (
            {"form": {"kind": "linear-multi-label", "normalized": False, "probabilistic": True, "thresholds": [1]}},
            "a nu",
        ),
        ({"form": {"kind": "linear", "normalized": False, "probabilistic": True}}, "recorded as one for another kind"),
    ],
)
def test_a_record_that_lies_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    folder = written(fitted("logreg", grid=(1.0,))[0], tmp_path / "head")
    record = unsealed((folder / "head.json").read_bytes())
    (folder / "head.json").write_bytes(sealed({**record, **change}))
    with pytest.raises(StoreError, match=said):
        read_head(folder)


@pytest.mark.parametrize(
    ("name", "tensor", "value"),
    [
        ("knn", "labels", np.full((300, 4), 2, np.int8)),
        ("knn", "k", np.zeros(4, np.int64)),
        ("knn", "weights", np.full(300, np.nan)),
        ("sklearn.naive_bayes:GaussianNB", "shares", np.zeros(4)),
    ],
)
def test_tensors_that_lie_are_refused(tmp_path: Path, name: str, tensor: str, value: np.ndarray) -> None:
    import hashlib

    folder = written(fitted(name)[0], tmp_path / "head")
    tensors = {**load((folder / "head.safetensors").read_bytes()), tensor: value}
    (folder / "head.safetensors").write_bytes(data := save(tensors))
    record = unsealed((folder / "head.json").read_bytes())
    record["files"]["head.safetensors"] = hashlib.sha256(data).hexdigest()
    (folder / "head.json").write_bytes(sealed(record))
    with pytest.raises(StoreError):
        read_head(folder)
