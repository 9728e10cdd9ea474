"""Every kind of head that predicts numbers, through the same door: fitted, chosen, stored and read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score
from sklearn.svm import SVR

from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.fit import fit_rows
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import HEADS, Head, head_files, head_kind, head_spec, read_head
from frostline.stages.heads.solvers import sklearn_regressor
from frostline.stages.records.sealed import sealed, unsealed

CAN = ["linear", "ridge", "knn"]
ESTIMATORS = ["sklearn.linear_model:Lasso", "sklearn.svm:SVR", "sklearn.cross_decomposition:PLSRegression"]
HOW: dict[str, Any] = {"linear": {"grid": (0.02, 0.05), "options": {"steps": 150}}}


def rows(outputs: int = 2, missing: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((240, 6)).astype(np.float32)
    y = X[:, :outputs] * 10.0 + rng.standard_normal((240, outputs)) + 50
    y[rng.random(y.shape) < missing] = np.nan
    return X, y, rng.integers(0, 256, (240, 32)).astype(np.uint8)


def fitted(name: str, outputs: int = 2, missing: float = 0.0, **how: Any) -> Head:
    X, y, digests = rows(outputs, missing)
    spec = head_spec(name, target="regression", **HOW.get(name, {}), **how)
    names = ("age", "weight", "height")[:outputs]
    return fit_rows(TrainingRows(X, y, outputs, spec, "regression"), digests, names)[0]


def written(head: Head, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in head_files(head, {}).items():
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("scaling", ["none", "standardize", "l2"])
@pytest.mark.parametrize("name", [*CAN, *ESTIMATORS])
def test_a_head_explains_most_of_the_variance_and_reads_back_as_it_was(tmp_path: Path, name: str, scaling: Any) -> None:
    head = fitted(name, scaling=scaling)
    X, y, _ = rows(seed=1)
    found = head.decision_values(X)
    assert found.shape == (240, 2) and found.dtype == np.float64 and not head.probabilistic
    assert r2_score(y, found) > (0.3 if name == "sklearn.svm:SVR" or scaling == "l2" else 0.6)
    again, _ = read_head(written(head, tmp_path / "head"))
    assert (again.classes, again.width, again.probabilistic) == (("age", "weight"), 6, False)
    np.testing.assert_array_equal(again.decision_values(X), found)


@pytest.mark.parametrize("name", [*CAN, *ESTIMATORS])
def test_one_output_and_missing_values(tmp_path: Path, name: str) -> None:
    for outputs in (1, 3):
        head = fitted(name, outputs, 0.3)
        again, _ = read_head(written(head, tmp_path / f"head{outputs}"))
        X, y, _ = rows(outputs, seed=1)
        assert r2_score(y, again.decision_values(X)) > (0.2 if name == "sklearn.svm:SVR" else 0.5)


def test_heads_that_can_not_predict_numbers_say_so() -> None:
    assert [name for name in HEADS.names() if "regression" in head_kind(name).accepts] == CAN
    for name in ("logreg", "svm", "lda", "centroid"):
        with pytest.raises(ConfigError, match="for regression targets are: linear, ridge, knn"):
            head_spec(name, target="regression")


def test_an_estimator_is_scikit_learns_for_all_outputs_at_once_or_each_by_itself() -> None:
    X, y, _ = rows()
    forest = fitted("sklearn.ensemble:RandomForestRegressor", seed=3)
    theirs = RandomForestRegressor(random_state=3).fit(X, y)
    np.testing.assert_allclose(forest.decision_values(X), theirs.predict(X))
    each = [SVR().fit(X, column).predict(X) for column in y.T]
    np.testing.assert_allclose(fitted("sklearn.svm:SVR").decision_values(X), np.stack(each, 1))
    y = rows(missing=0.3)[1]
    known = ~np.isnan(y[:, 0])
    alone = RandomForestRegressor(random_state=3).fit(X[known], y[known, 0]).predict(X)
    forest = fitted("sklearn.ensemble:RandomForestRegressor", missing=0.3, seed=3)
    np.testing.assert_allclose(forest.decision_values(X)[:, 0], alone)


def test_an_estimators_parameter_is_chosen() -> None:
    X, y, digests = rows()
    spec = head_spec("sklearn.linear_model:Ridge", (0.1, 1e9), parameter="alpha", target="regression")
    assert fit_rows(TrainingRows(X, y, 2, spec, "regression"), digests, ("a", "b"))[1].value == 0.1


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("sklearn.linear_model:LogisticRegression", {}, "expected a scikit-learn regressor"),
        ("sklearn.svm:SVR", {"grid": (1,), "parameter": "c"}, "has no parameter 'c'; it has C, "),
        ("sklearn.svm:SVR", {"class_weight": "balanced"}, "--class-weight balanced with regression targets"),
        ("ridge", {"class_weight": "balanced"}, "--class-weight balanced with regression targets"),
    ],
)
def test_what_a_head_can_not_take_is_said(name: str, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        fitted(name, **more)


def test_estimators_are_checked_before_anything_is_fitted() -> None:
    sklearn_regressor.check(head_spec("sklearn.linear_model:Lasso", target="regression"))
    with pytest.raises(ConfigError, match="expected a scikit-learn regressor"):
        sklearn_regressor.check(head_spec("sklearn.svm:SVC", target="regression"))


def changed(folder: Path, form: dict[str, Any] | None = None, tensors: dict[str, Any] | None = None) -> Path:
    """Rewrite a stored head as a stranger could, its digests right."""
    import hashlib

    record = unsealed((folder / "head.json").read_bytes())
    if tensors:
        data = save({**load((folder / "head.safetensors").read_bytes()), **tensors})
        (folder / "head.safetensors").write_bytes(data)
        record["files"]["head.safetensors"] = hashlib.sha256(data).hexdigest()
    record["form"].update(form or {})
    record.pop("sha256", None)
    (folder / "head.json").write_bytes(sealed(record))
    return folder


@pytest.mark.parametrize(
    ("name", "form", "tensors"),
    [
        ("ridge", {"normalized": 1}, {}),
        ("ridge", {}, {"weight": np.full((2, 6), np.nan)}),
        ("ridge", {}, {"bias": np.array([np.inf, 0])}),
        ("ridge", {}, {"weight": np.zeros((3, 6)), "bias": np.zeros(3)}),
        ("ridge", {}, {"weight": np.zeros((2, 6), np.float32)}),
        ("ridge", {}, {"weight": np.zeros((2, 7))}),
        ("ridge", {"kind": "linear"}, {}),
        ("knn", {"k": 0}, {}),
        ("knn", {"k": True}, {}),
        ("knn", {"k": 2.5}, {}),
        ("knn", {"temperature": 0.0}, {}),
        ("knn", {"temperature": "x"}, {}),
        ("knn", {}, {"values": np.zeros((240, 3))}),
        ("knn", {}, {"values": np.full((240, 2), np.nan)}),
        ("knn", {}, {"values": np.full((240, 2), np.inf)}),
        ("knn", {}, {"values": np.zeros((240, 2), np.float32)}),
        ("knn", {}, {"weights": np.zeros(240)}),
        ("knn", {}, {"weights": np.full(240, -1.0)}),
        ("knn", {}, {"weights": np.ones(7)}),
        ("knn", {}, {"rows": np.full((240, 6), np.nan, np.float32)}),
        ("knn", {}, {"rows": np.zeros((240, 6), np.int64)}),
        ("knn", {"kind": "neighbours"}, {}),
    ],
)
def test_a_strangers_head_is_refused(tmp_path: Path, name: str, form: dict[str, Any], tensors: dict[str, Any]) -> None:
    folder = changed(written(fitted(name), tmp_path / "head"), form, tensors)
    with pytest.raises(StoreError):
        read_head(folder)


def test_an_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    import hashlib

    import skops.io
    from sklearn.linear_model import LinearRegression, LogisticRegression

    X, y, _ = rows()
    folder = written(fitted("sklearn.linear_model:Lasso"), tmp_path / "head")
    record = unsealed((folder / "head.json").read_bytes())
    record.pop("sha256", None)
    classifier = LogisticRegression().fit(X, y[:, 0] > 50)
    narrow, whole = LinearRegression().fit(X[:, :3], y), LinearRegression().fit(X, y)
    for held in (whole, [], [classifier], [narrow], [whole] * 3, [LinearRegression()], ["x"], {"a": whole}):
        data = skops.io.dumps(held)
        (folder / "head.skops").write_bytes(data)
        record["files"]["head.skops"] = hashlib.sha256(data).hexdigest()
        (folder / "head.json").write_bytes(sealed(record))
        with pytest.raises(StoreError, match="regressors"):
            read_head(folder)
    assert json.loads((folder / "head.json").read_bytes())["form"] == {"kind": "estimator-regression"}
