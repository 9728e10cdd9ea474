from __future__ import annotations

import numpy as np
import pytest

from frostline.stages.heads.linear import normalized
from frostline.stages.heads.solvers.nearest import Search


def rows(n: int, d: int = 24, seed: int = 0, classes: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    y = np.sort(rng.integers(0, classes, n))
    centres = 2 * rng.standard_normal((classes, d)) * (classes > 1)
    return normalized((rng.standard_normal((n, d)) + centres[y]).astype(np.float32))


def by_sorting(bank: np.ndarray, queries: np.ndarray, own: np.ndarray, count: int) -> np.ndarray:
    """Similarities of the nearest, in float64, by a sort of all of them."""
    found = queries.astype(np.float64) @ bank.astype(np.float64).T
    for row in np.flatnonzero(own >= 0):
        found[row, own[row]] = -np.inf
    return -np.sort(-found, 1)[:, :count]


@pytest.mark.parametrize("count", [1, 20, 200, 5000])
@pytest.mark.parametrize("classes", [1, 7])
@pytest.mark.parametrize("n", [3, 300, 9000, 20_000])
def test_the_nearest_are_those_of_a_sort_of_all(n: int, classes: int, count: int) -> None:
    bank = rows(n, classes=classes)
    own = np.where(np.arange(30) % 2, np.random.default_rng(1).integers(0, n, 30), -1)
    queries = np.where(own[:, None] >= 0, bank[own], rows(30, seed=2))
    similarity, place = Search(bank, count).nearest(queries, own)
    wanted = by_sorting(bank, queries, own, count)
    np.testing.assert_allclose(similarity, wanted, atol=1e-6)
    assert all(len(set(one)) == len(one) for one in place.tolist())
    there = np.einsum("bd,bkd->bk", queries.astype(np.float64), bank.astype(np.float64)[place])
    np.testing.assert_allclose(np.where(np.isfinite(similarity), there, -np.inf), wanted, atol=1e-6)


def test_an_excluded_row_comes_last_where_all_are_asked_for() -> None:
    bank = rows(10)
    similarity, place = Search(bank, 50).nearest(bank, np.arange(10))
    assert place[:, -1].tolist() == list(range(10))
    assert (similarity[:, -1] == -np.inf).all()
    assert np.isfinite(similarity[:, :-1]).all()


def test_rows_that_are_all_the_same_are_each_found_once() -> None:
    bank = np.repeat(rows(1), 10_000, 0)
    similarity, place = Search(bank, 20).nearest(bank[:5], np.arange(5))
    np.testing.assert_allclose(similarity, 1, atol=1e-6)
    assert all(len(set(one)) == 20 and mine not in one for mine, one in enumerate(place.tolist()))


def test_opposite_rows_and_rows_of_zeros_are_ordered_too() -> None:
    bank = np.concatenate((-rows(1), np.zeros((1, 24), np.float32), rows(1)))
    similarity, place = Search(bank, 3).nearest(rows(1), np.array([-1]))
    assert place.tolist() == [[2, 1, 0]]
    np.testing.assert_allclose(similarity, [[1, 0, -1]], atol=1e-6)


def test_one_search_serves_queries_of_several_lengths() -> None:
    bank = rows(20_000)
    search = Search(bank, 5)
    for n in (7, 3, 11):
        queries = rows(n, seed=n)
        found = search.nearest(queries, np.full(n, -1))[0]
        np.testing.assert_allclose(found, by_sorting(bank, queries, np.full(n, -1), 5), atol=1e-6)
