"""Published protocols give what a few independent lines give on the same rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from frostline.pipeline.settings import Draw, Settings
from frostline.pipeline.steps.features import LazyFeatures
from frostline.pipeline.steps.subsets import drawn_curve
from frostline.stages.datasets.sampling import hold_out, shots
from frostline.stages.fit import fit
from frostline.stages.heads.protocols import PROTOCOLS
from frostline.stages.store import Features
from support.features import features

DATA, TEST = features(800), features(300, split="test", seed=1)
X, NEW = DATA.X.astype(np.float64), TEST.X.astype(np.float64)


def held(fraction: float) -> np.ndarray:
    return hold_out(DATA.y, DATA.digests, 4, fraction, 0)


def logistic(C: float) -> LogisticRegression:
    return LogisticRegression(C=C, tol=1e-8, max_iter=100_000)


class InMemory(LazyFeatures):
    """The features of this file instead of a workspace's."""

    def __init__(self, train: Features, test: Features) -> None:
        self.train, self.test = [train], [test]


def curve(name: str) -> Any:
    draw = Settings(head=name).draw(name)
    assert draw is not None
    return drawn_curve(PROTOCOLS[name].spec(), draw, InMemory(DATA, TEST))


@pytest.mark.parametrize(("name", "fraction"), [("dinov2-logreg", 0.1), ("ssl-transfer", 0.2)])
def test_the_logistic_protocols_score_every_c_on_held_out_rows_and_refit_on_all(name: str, fraction: float) -> None:
    head, selection = fit([DATA], PROTOCOLS[name].spec())
    out = held(fraction)
    assert len(selection.grid) == 45 and selection.held_out_rows == out.sum()
    for i in (12, 20, 26):
        model = logistic(selection.grid[i]).fit(X[~out], DATA.y[~out])
        assert abs(model.score(X[out], DATA.y[out]) - selection.accuracy[i]) <= 1.5 / out.sum()
    model = logistic(float(selection.value)).fit(X, DATA.y)
    np.testing.assert_allclose(head.decision_values(TEST.X), model.predict_proba(NEW), atol=0.01)


def test_the_values_are_the_published_ones() -> None:
    np.testing.assert_allclose(PROTOCOLS["dinov2-logreg"].grid, 10.0 ** np.linspace(-6, 5, 45))
    np.testing.assert_allclose(sorted(1 / np.array(PROTOCOLS["ssl-transfer"].grid)), np.logspace(-6, 5, 45))
    rates = [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1]
    np.testing.assert_allclose(PROTOCOLS["dinov2-linear"].grid, np.array(rates) * 128 / 256)
    assert PROTOCOLS["bigvision-fewshot"].grid == (2.0**10,)


def test_dinov2_knn_is_a_vote_weighted_by_the_softmax_of_cosines() -> None:
    head, selection = fit([DATA], PROTOCOLS["dinov2-knn"].spec())
    out = held(0.1)

    def votes(rows: np.ndarray, labels: np.ndarray, new: np.ndarray, k: int) -> np.ndarray:
        unit, asked = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (rows, new))
        cosine = asked @ unit.T
        near = np.argsort(-cosine, 1)[:, :k]
        weight = np.exp(np.take_along_axis(cosine, near, 1) / 0.07)
        weight /= weight.sum(1, keepdims=True)
        return np.stack([(weight * (labels[near] == c)).sum(1) for c in range(4)], 1)

    for k, found in zip((10, 20, 100, 200), selection.accuracy, strict=True):
        right = votes(X[~out], DATA.y[~out], X[out], k).argmax(1) == DATA.y[out]
        assert abs(right.mean() - found) < 1e-9
    np.testing.assert_allclose(head.decision_values(TEST.X), votes(X, DATA.y, NEW, int(selection.value)), atol=1e-4)


def test_dinov2_linear_ends_near_the_optimum_of_its_loss() -> None:
    head, selection = fit([DATA], PROTOCOLS["dinov2-linear"].spec())
    model = logistic(1e3).fit(X, DATA.y)
    assert len(selection.grid) == 13 and not selection.at_edge
    assert abs((head.decision_values(TEST.X).argmax(1) == TEST.y).mean() - model.score(NEW, TEST.y)) < 0.03


def test_clip_is_one_logistic_regression() -> None:
    head, selection = fit([DATA], PROTOCOLS["clip"].spec())
    assert selection.by == ""
    np.testing.assert_allclose(
        head.decision_values(TEST.X), logistic(0.316).fit(X, DATA.y).predict_proba(NEW), atol=5e-3
    )


def test_bigvision_fewshot_is_the_regularised_least_squares_of_its_source() -> None:
    found = curve("bigvision-fewshot")
    assert [point.size for point in found.points] == [1, 5, 10, 25]
    for point in found.points:
        for draw, accuracy in enumerate(point.accuracy):
            few = shots(DATA.y, DATA.digests, 4, point.size, draw)
            mean, std = X[few].mean(0), X[few].std(0) + 1e-5
            rows, new = ((a - mean) / std for a in (X[few], NEW))
            rows, new = (np.pad(a, ((0, 0), (0, 1)), constant_values=100.0) for a in (rows, new))
            gram = rows.T @ rows + 1024 * np.eye(rows.shape[1])
            weight = np.linalg.solve(gram, rows.T @ (2.0 * np.eye(4)[DATA.y[few]] - 1))
            assert abs(((new @ weight).argmax(1) == TEST.y).mean() - accuracy) <= 1.5 / len(NEW)


def test_mteb_is_ten_logistic_regressions_on_eight_samples_per_class() -> None:
    [point] = curve("mteb").points
    assert (point.size, point.rows, len(point.accuracy)) == (8, 32, 10)
    for draw, accuracy in enumerate(point.accuracy):
        few = shots(DATA.y, DATA.digests, 4, 8, draw)
        assert abs(logistic(1.0).fit(X[few], DATA.y[few]).score(NEW, TEST.y) - accuracy) <= 1.5 / len(NEW)
    assert point.spread.mean == pytest.approx(np.mean(point.accuracy))


def test_a_parameter_is_chosen_within_the_few_rows_that_were_drawn() -> None:
    from frostline.stages.heads import head_spec

    spec = head_spec("logreg", (0.001, 0.1, 10.0))
    found = drawn_curve(spec, Draw("shots", (1, 4, 60), 2), InMemory(DATA, TEST))
    assert [point.by for point in found.points] == ["default", "folds", "hold-out"]
    assert [point.rows for point in found.points] == [4, 16, 240]
    assert found.points[0].values == (0.1, 0.1)


def test_all_training_rows_are_drawn_once() -> None:
    from frostline.stages.heads import head_spec

    draw = Draw("samples", (50, "all"), 4)
    found = drawn_curve(head_spec("ridge", (1.0,)), draw, InMemory(DATA, TEST))
    assert [(p.size, p.rows, len(p.accuracy)) for p in found.points] == [(50, 50, 4), (800, 800, 1)]
    whole, _ = fit([DATA], head_spec("ridge", (1.0,)))
    assert found.points[1].accuracy[0] == (whole.decision_values(TEST.X).argmax(1) == TEST.y).mean()
