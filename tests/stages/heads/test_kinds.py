"""Every kind of head through the same door: fitted, chosen, stored and read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeClassifier, RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from frostline.stages.errors import ConfigError, DataError, StoreError
from frostline.stages.fit import fit
from frostline.stages.heads import HEADS, Kind, head_files, head_kind, head_spec, read_head
from frostline.stages.heads.solvers.sklearn_estimator import check
from frostline.stages.records.sealed import sealed, unsealed
from support.features import features

ESTIMATORS = ["sklearn.naive_bayes:GaussianNB", "sklearn.svm:LinearSVC", "sklearn.neighbors:NearestCentroid"]
QUICK = {"linear": {"steps": 200}}


def stored(head: Any, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name, data in head_files(head, {}).items():
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("scaling", ["none", "standardize", "l2"])
@pytest.mark.parametrize("name", [*HEADS.names(), *ESTIMATORS])
def test_a_head_beats_chance_and_reads_back_as_it_was(tmp_path: Path, name: str, scaling: Any) -> None:
    data, new = features(), features(seed=1).X
    head, selection = fit([data], head_spec(name, options=QUICK.get(name), scaling=scaling))
    assert (head.decision_values(data.X).argmax(1) == data.y).mean() > 0.45
    assert selection.final_converged
    again, record = read_head(stored(head, tmp_path / "head"))
    assert (again.classes, again.width, again.probabilistic) == (data.classes, 12, head.probabilistic)
    assert record["classes"] == list(data.classes)
    np.testing.assert_array_equal(again.decision_values(new), head.decision_values(new))
    if head.probabilistic:
        np.testing.assert_allclose(again.decision_values(new).sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", [n for n in HEADS.names() if head_kind(n).parameter])
def test_the_choice_of_a_protocol_is_among_the_most_accurate_and_recorded(name: str) -> None:
    spec = head_spec(name, options=QUICK.get(name), hold_out=0.1, rule="best")
    head, selection = fit([features()], spec)
    best = selection.accuracy[spec.grid.index(selection.value)]
    assert best == max(selection.accuracy) and len(selection.accuracy) == len(selection.grid)
    assert (selection.by, selection.parameter) == ("hold-out", head_kind(name).parameter)
    assert bool(selection.log_loss) == head.probabilistic == (selection.temperature is not None)


def test_of_equally_accurate_values_the_least_log_loss_wins() -> None:
    data = features()
    data.X[:] = np.eye(4, 12)[data.y] * 10  # every C is always right; the larger, the surer
    _, selection = fit([data], head_spec("logreg", hold_out=0.1, rule="best"))
    tied = [i for i, score in enumerate(selection.accuracy) if score == 1]
    assert len(tied) > 10
    chosen = selection.grid.index(selection.value)
    assert selection.log_loss[chosen] == min(selection.log_loss[i] for i in tied) < selection.log_loss[tied[0]]


def test_of_equal_values_without_probabilities_the_middle_one_wins() -> None:
    data = features()
    data.X[:] = np.eye(4, 12)[data.y]
    _, selection = fit([data], head_spec("ridge", (0.1, 0.2, 0.3)))
    assert selection.value == 0.2 and not selection.at_edge


def test_leave_one_out_chooses_as_scikit_learn_does() -> None:
    data, alphas = features(), (0.1, 10.0, 1000.0, 1e5)
    _, selection = fit([data], head_spec("ridge", alphas, folds="loo"))
    theirs = RidgeClassifierCV(alphas, scoring="accuracy").fit(data.X.astype(np.float64), data.y)
    assert selection.by == "leave-one-out" and selection.held_out_rows == 400
    assert selection.accuracy[alphas.index(theirs.alpha_)] == max(selection.accuracy)


def test_leave_one_out_that_would_know_the_row_is_refused() -> None:
    with pytest.raises(DataError, match="would leak: the scaling uses every row"):
        fit([features()], head_spec("ridge", folds="loo", scaling="standardize"))
    with pytest.raises(DataError, match="the other view of a sample stays in training"):
        fit([features(), features()], head_spec("knn", folds="loo"))


def test_a_standardised_ridge_is_scikit_learns() -> None:
    data, new = features(), features(seed=1).X
    head, _ = fit([data], head_spec("ridge", (3.0,), scaling="standardize"))
    model = make_pipeline(StandardScaler(), RidgeClassifier(3.0)).fit(data.X.astype(np.float64), data.y)
    np.testing.assert_allclose(head.decision_values(new), model.decision_function(new.astype(np.float64)), atol=1e-3)


def test_an_estimator_is_fitted_with_each_value_and_seeded() -> None:
    data = features()
    spec = head_spec("sklearn.ensemble:RandomForestClassifier", (5, 20), parameter="n_estimators", seed=3)
    head, selection = fit([data], spec)
    assert selection.value in (5, 20) and len(selection.accuracy) == 2
    theirs = RandomForestClassifier(selection.value, random_state=3).fit(data.X, data.y)
    np.testing.assert_array_equal(head.decision_values(data.X), theirs.predict_proba(data.X))


def test_a_factory_of_ones_own_makes_an_estimator_with_its_parameters(tmp_path: Path) -> None:
    file = tmp_path / "head.py"
    file.write_text(
        "from sklearn.neighbors import KNeighborsClassifier\n"
        "def near(weights):\n    return KNeighborsClassifier(weights=weights)\n"
    )
    spec = head_spec(f"{file}:near", (1, 7), parameter="n_neighbors", options={"weights": "distance"})
    assert fit([features()], spec)[1].value in (1, 7)
    changed = spec.code
    file.write_text(file.read_text() + "\n# changed\n")
    assert head_spec(f"{file}:near").code != changed


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("sklearn.linear_model:Ridge", {}, "returned a Ridge; expected a scikit-learn classifier"),
        ("sklearn.svm:SVC", {"grid": (1,), "parameter": "c"}, "has no parameter 'c'; it has C, "),
        ("sklearn.svm:SVC", {"options": {"kernel": "none"}}, "sklearn.svm:SVC raised .*'kernel'"),
        ("sklearn.neighbors:NearestCentroid", {"class_weight": "balanced"}, "does not support sample weights"),
        ("linear", {"options": {"step": 3}}, "unknown parameter of linear 'step'; did you mean 'steps'"),
        ("linear", {"options": {"steps": 0}}, "linear with .*: 0 steps of 128 rows; expected 1 or more of each"),
        ("lda", {"options": {"shrinkage": 1}}, "lda takes no parameters with --head-params; got 'shrinkage'"),
        ("logreg", {"options": {"dtype": "int8"}}, "logreg with"),
        ("logreg", {"options": {"device": "cuda:99"}}, "logreg with"),
        ("linear", {"options": {"momentum": "x"}}, "linear with"),
        ("svm", {"options": {"max_iterations": "x"}}, "svm with"),
    ],
)
def test_what_a_head_can_not_take_is_said(name: str, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        fit([features()], head_spec(name, **more))


def test_a_class_without_training_rows_is_never_answered() -> None:
    data = features()
    rare = data.masked(data.y != 2)
    for name in [*HEADS.names(), *ESTIMATORS]:
        head, _ = fit([rare], head_spec(name, options=QUICK.get(name)))
        assert not (head.decision_values(data.X).argmax(1) == 2).any(), name


def test_an_estimator_whose_types_are_not_scikit_learns_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    file.write_text(
        "from sklearn.naive_bayes import GaussianNB\nclass Own(GaussianNB):\n    pass\ndef make():\n    return Own()\n"
    )
    for name in (f"{file}:make", "sklearn.ensemble:RandomForestClassifier"):
        with pytest.raises(ConfigError, match="can't be stored safely"):
            check(head_spec(name))


def test_a_copy_does_not_vouch_for_its_original() -> None:
    data = features()
    data.digests[7] = data.digests[8]
    with pytest.raises(DataError, match="copies of 1 training sample would leak"):
        fit([data], head_spec("ridge", folds="loo"))


def test_an_estimator_within_a_pipeline_is_seeded(tmp_path: Path) -> None:
    file = tmp_path / "head.py"
    file.write_text(
        "from sklearn.linear_model import SGDClassifier\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import StandardScaler\n"
        "def make():\n    return make_pipeline(StandardScaler(), SGDClassifier())\n"
    )
    one, other = (fit([features()], head_spec(f"{file}:make"))[0].decision_values(features().X) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_an_estimator_that_counts_no_iterations_is_no_trouble() -> None:
    _, selection = fit([features()], head_spec("sklearn.linear_model:RidgeClassifier", (1, 10), parameter="alpha"))
    assert selection.final_iterations == 0


def test_the_usual_value_is_one_of_the_grid() -> None:
    assert head_spec("logreg", (0.001, 0.01)).default == 0.01
    assert head_spec("knn", (1, 2, 3)).default == 3
    assert head_spec("lda", (0.0, 1.0)).default == 1.0


def test_tolerance_reaches_the_solver() -> None:
    loose, tight = (
        fit([features()], head_spec("logreg", (1.0,), options={"tolerance": t, "dtype": "float64"}))[1].final_gap
        for t in (1e-2, 1e-9)
    )
    assert loose is not None and tight is not None and tight <= 1e-9 < loose


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"form": {"kind": "estimator"}}, "damaged"),
        ({"form": {"kind": "linear", "normalized": 1, "probabilistic": True}}, "neither true nor false"),
        ({"form": {"kind": "pickle"}}, "its form is 'pickle', which no installed package can read"),
        ({"width": 5}, "a head of 12 features, recorded as 5"),
        ({"classes": ["a"]}, "classes that are not two different ones"),
        ({"classes": ["a", "a", "b", "c"]}, "classes that are not two different ones"),
        ({"files": {"../../secret": "0" * 64}}, "an unknown file"),
        ({"scaled": True, "form": None}, "damaged"),
    ],
)
def test_a_record_that_lies_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    head, _ = fit([features()], head_spec("logreg", (1.0,)))
    folder = stored(head, tmp_path / "head")
    record = unsealed((folder / "head.json").read_bytes())
    (folder / "head.json").write_bytes(sealed({**record, **change}))
    with pytest.raises(StoreError, match=said):
        read_head(folder)


def test_a_stranger_s_estimator_that_would_run_code_is_refused(tmp_path: Path) -> None:
    import hashlib
    import os

    import skops.io
    from sklearn.naive_bayes import GaussianNB

    head, _ = fit([features()], head_spec("sklearn.naive_bayes:GaussianNB"))
    folder = stored(head, tmp_path / "head")
    evil = GaussianNB()
    evil.priors = os.system
    data = skops.io.dumps(evil)
    (folder / "head.skops").write_bytes(data)
    record = unsealed((folder / "head.json").read_bytes())
    record["files"]["head.skops"] = hashlib.sha256(data).hexdigest()
    (folder / "head.json").write_bytes(sealed(record))
    with pytest.raises(StoreError, match=r"posix\.system"):
        read_head(folder)


@pytest.mark.parametrize("data", [b"junk", "compressed", "cut"])
def test_an_estimator_s_file_that_can_not_be_read_is_named(tmp_path: Path, data: Any) -> None:
    import hashlib
    import io
    import zipfile

    head, _ = fit([features()], head_spec("sklearn.naive_bayes:GaussianNB"))
    folder = stored(head, tmp_path / "head")
    sound = (folder / "head.skops").read_bytes()
    if data == "compressed":
        packed = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(sound)) as plain, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in plain.namelist():
                archive.writestr(name, plain.read(name))
        data = packed.getvalue()
    data = sound[:-30] if data == "cut" else data
    (folder / "head.skops").write_bytes(data)
    record = unsealed((folder / "head.json").read_bytes())
    record["files"]["head.skops"] = hashlib.sha256(data).hexdigest()
    (folder / "head.json").write_bytes(sealed(record))
    with pytest.raises(StoreError, match="the head's estimator can't be read"):
        read_head(folder)


def test_what_a_kind_accepts_follows_from_its_solvers() -> None:
    both = Kind("frostline.stages.heads.solvers.ridge:RidgeSolver", others={"multi-label": "json:JSONDecoder"})
    assert both.accepts == ("single-label", "multi-label") and not both.built_in
    assert "strict" in both.options("multi-label") and both.options() == []
    assert Kind(others={"multi-label": "json:JSONDecoder"}).accepts == ("multi-label",)


def test_a_target_that_a_kind_has_no_solver_for_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="a head for single-label targets; expected one for unheard-of"):
        Kind("json:JSONDecoder").solver_class("unheard-of")
    with pytest.raises(ConfigError, match=r"lda is a head for single-label targets; for unheard-of targets are: none"):
        head_spec("lda", target="unheard-of")
    monkeypatch.setitem(HEADS._loaded, "knn", Kind(others={"multi-label": "json:JSONDecoder"}))
    with pytest.raises(ConfigError, match="is a head for multi-label targets; for single-label targets are: log"):
        head_spec("knn")


def test_a_kind_that_says_what_it_accepts_by_itself_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'accepts'"):
        Kind("json:JSONDecoder", accepts=("multi-label",))  # type: ignore[call-arg]
