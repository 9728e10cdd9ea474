from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier

from frostline.stages.heads.solvers import knn as neighbours
from frostline.stages.heads.solvers.knn import NeighbourSolver, read_neighbours

KS = (1, 5, 40)
Data = tuple[np.ndarray, np.ndarray]


def plain(n: int = 90, d: int = 8, classes: int = 4) -> Data:
    rng = np.random.default_rng(0)
    y = np.arange(n) % classes
    X = rng.standard_normal((n, d)) + 0.7 * rng.standard_normal((classes, d))[y]
    return (X * rng.uniform(0.1, 10, (n, 1))).astype(np.float32), y


def solver(X, y, **options) -> NeighbourSolver:
    return NeighbourSolver(X, y, int(y.max()) + 1, **options)


def queries() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((33, 8)).astype(np.float32)


def dinov2s(X, y, query, temperature=0.07) -> list[np.ndarray]:
    """Its votes, as eval/knn.py counts them: a softmax over the largest k, the first k summed by class."""
    rows, query = (torch.nn.functional.normalize(torch.tensor(part), dim=1) for part in (X, query))
    similarity, index = (query @ rows.T).topk(max(KS), largest=True, sorted=True)
    votes = (similarity / temperature).softmax(1)[..., None] * torch.nn.functional.one_hot(torch.tensor(y)[index])
    return [votes[:, :k].sum(1).numpy() for k in KS]


def test_votes_are_dinov2s_divided_by_their_sum() -> None:
    X, y = plain()
    ours = solver(X, y).fit(KS, np.ones(len(y))).decision_values(queries())
    for votes, shares in zip(dinov2s(X, y, queries()), ours, strict=True):
        np.testing.assert_allclose(shares, votes / votes.sum(1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("temperature", [0.03, 0.07, 1.0])
@pytest.mark.parametrize("classes", [2, 4])
def test_shares_are_the_probabilities_of_scikit_learns_neighbours(temperature: float, classes: int) -> None:
    X, y = plain(classes=classes)
    ours = solver(X, y, temperature=temperature).fit(KS, np.ones(len(y))).decision_values(queries())
    for k, shares in zip(KS, ours, strict=True):
        model = KNeighborsClassifier(k, metric="cosine", weights=lambda gap: np.exp(-gap / temperature))
        np.testing.assert_allclose(shares, model.fit(X.astype(float), y).predict_proba(queries()), atol=2e-5)


@pytest.mark.parametrize("length", [7, 64])
def test_blocks_of_rows_and_queries_change_nothing(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = plain()
    path = solver(X, y).fit(KS, np.ones(len(y)))
    whole, alone = path.decision_values(queries()), solver(X, y).leave_one_out(KS, np.ones(len(y)))
    monkeypatch.setattr(neighbours, "_ROWS", length)
    monkeypatch.setattr(neighbours, "QUERIES", length)
    np.testing.assert_allclose(path.decision_values(queries()), whole, atol=1e-6)
    np.testing.assert_allclose(solver(X, y).leave_one_out(KS, np.ones(len(y))), alone, atol=1e-6)


def test_more_neighbours_than_rows_are_all_rows() -> None:
    X, y = plain(n=30)
    most, all_of_them = solver(X, y).fit((200, 30), np.ones(30)).decision_values(queries())
    np.testing.assert_allclose(most, all_of_them)


@pytest.mark.parametrize("k", [1, 3, 200])
def test_leave_one_out_shares_are_those_of_the_other_rows(k: int) -> None:
    X, y = plain()
    weights = np.random.default_rng(2).uniform(0.1, 4, len(y))
    weights[::6] = 0
    shares = solver(X, y).leave_one_out((k,), weights)[0]
    for row in range(0, len(y), 5):
        others = weights * (np.arange(len(y)) != row)
        expected = solver(X, y).fit((k,), others).decision_values(X[row : row + 1])[0, 0]
        np.testing.assert_allclose(shares[row], expected, atol=1e-5)


def test_a_copy_of_a_row_still_votes_for_it_when_the_row_itself_is_left_out() -> None:
    X, y = plain()
    twice, labels = np.concatenate((X, X)), np.concatenate((y, (y + 1) % 4))
    shares = solver(twice, labels).leave_one_out((1,), np.ones(len(labels)))[0]
    np.testing.assert_array_equal(shares.argmax(1), np.concatenate(((y + 1) % 4, y)))


def test_a_rows_vote_is_multiplied_by_its_weight() -> None:
    X, y = plain()
    weights = np.random.default_rng(3).uniform(0.1, 4, len(y))
    shares = solver(X, y).fit((90,), weights).decision_values(queries())[0]
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    query = queries() / np.linalg.norm(queries(), axis=1, keepdims=True)
    votes = weights * np.exp(query.astype(float) @ unit.T / 0.07)
    expected = np.stack([votes[:, y == c].sum(1) for c in range(4)], 1) / votes.sum(1, keepdims=True)
    np.testing.assert_allclose(shares, expected, atol=1e-5)


def test_a_row_of_weight_zero_and_a_class_without_weight_have_no_vote() -> None:
    X, y = plain()
    used = (y != 2) & (np.arange(len(y)) % 3 > 0)
    shares = solver(X, y).fit(KS, used.astype(float)).decision_values(queries())
    alone = NeighbourSolver(X[used], y[used], 4).fit(KS, np.ones(used.sum())).decision_values(queries())
    np.testing.assert_array_equal(shares, alone)
    assert not shares[..., 2].any()


def test_rows_of_zeros_are_as_near_as_a_right_angle_and_warn_of_nothing() -> None:
    X, y = plain()
    X[0] = 0
    shares = solver(X, y).fit((90,), np.ones(len(y))).decision_values(np.zeros((1, 8), np.float32))[0]
    np.testing.assert_allclose(shares[0], np.bincount(y) / len(y))


def test_half_precision_rows_are_kept_in_half_precision() -> None:
    X, y = plain()
    path = solver(X.astype(np.float16), y).fit(KS, np.ones(len(y)))
    assert path.rows.dtype == np.float16
    whole = solver(X, y).fit(KS, np.ones(len(y))).decision_values(X)
    assert (path.decision_values(X.astype(np.float16)).argmax(-1) == whole.argmax(-1)).mean() > 0.98


def test_a_head_has_the_shares_of_its_path_and_is_made_again_from_its_tensors() -> None:
    X, y = plain()
    path = solver(X, y).fit(KS, np.linspace(0.5, 2, len(y)))
    head = path.head(1, ("a", "b", "c", "d"))
    np.testing.assert_array_equal(head.decision_values(queries()), path.decision_values(queries())[1])
    again = read_neighbours(head.stored(), head.classes, head.width)
    np.testing.assert_array_equal(again.decision_values(queries()), head.decision_values(queries()))
    assert head.width == 8 and head.k == 5


@pytest.mark.parametrize("grid", [(0,), (-1,), (2.5,), (np.nan,), ()])
def test_a_number_of_neighbours_that_is_none_is_refused(grid: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="k is"):
        solver(*plain()).fit(grid, np.ones(90))


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.inf, np.nan])
def test_a_temperature_that_is_none_is_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature is"):
        solver(*plain(), temperature=temperature)
