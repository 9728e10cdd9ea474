"""Features that do not fit in memory give the heads that they give in memory."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frostline.stages.fit import fit
from frostline.stages.heads import HEADS, head_spec
from frostline.stages.heads.newton.losses import Loss, Softmax, SquaredHinge
from frostline.stages.heads.newton.penalised import prepare
from frostline.stages.store import Features, RowFile, stacked
from support.features import features

SCALINGS = ("none", "standardize", "l2")


def on_disk(data: Features, folder: Path) -> Features:
    file: Any = RowFile(data.X.shape[1], data.X.dtype, folder)
    for start in range(0, len(data), 170):
        file.append(data.X[start : start + 170])
    return replace(data, X=file)


def test_a_file_of_rows_is_indexed_as_an_array_is(tmp_path: Path) -> None:
    data = features()
    file = on_disk(data, tmp_path).X
    assert (len(file), file.shape, file.dtype) == (400, (400, 12), np.float32)
    mask = np.random.default_rng(0).random(400) < 0.3
    for rows in (slice(None), slice(5, 9), slice(390, 500), slice(7, 7), slice(0, 90, 7), mask, np.flatnonzero(mask)):
        np.testing.assert_array_equal(file[rows], data.X[rows])
    assert file[np.array([], int)].shape == (0, 12)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("loss", [Softmax(), SquaredHinge()], ids=["logreg", "svm"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_streamed_path_reaches_the_optimum_of_the_one_in_memory(tmp_path: Path, dtype: Any, loss: Loss) -> None:
    data = features(n=3000, classes=5, width=24)
    grid = (1e-5, 1e-3, 0.1, 10.0)
    weights = np.random.default_rng(1).random((2, 3000)) * (np.arange(3000) % 4 > 0)
    near, far = (
        prepare(X, data.y, loss=loss, classes=5, dtype=dtype).fit(grid, weights)
        for X in (data.X, on_disk(data, tmp_path).X)
    )
    assert far.converged.all()
    np.testing.assert_allclose(far.objective, near.objective, rtol=2e-5)
    np.testing.assert_allclose(far.decision_values(data.X), near.decision_values(data.X), atol=2e-3)


@pytest.mark.parametrize(
    ("name", "scaling"),
    [
        *product(["ridge"], SCALINGS),
        *zip([name for name in HEADS.names() if name != "ridge"], cycle(SCALINGS), strict=False),
        ("sklearn.naive_bayes:GaussianNB", "standardize"),
    ],
)
def test_every_head_is_fitted_on_a_file_as_on_an_array(tmp_path: Path, name: str, scaling: Any) -> None:
    data = features()
    spec = head_spec(name, options={"steps": 50} if name == "linear" else None, scaling=scaling)
    (near, one), (far, other) = (fit([d], spec) for d in (data, on_disk(data, tmp_path)))
    assert one.value == other.value
    np.testing.assert_allclose(far.decision_values(data.X), near.decision_values(data.X), atol=2e-3)
    np.testing.assert_allclose(far.decision_values(on_disk(data, tmp_path).X), far.decision_values(data.X), atol=1e-6)


def test_views_on_disk_are_stacked_on_disk(tmp_path: Path) -> None:
    one, other = on_disk(features(), tmp_path), features(seed=1)
    together = stacked([one, other])
    assert isinstance(together, RowFile)
    np.testing.assert_array_equal(together[:], np.concatenate([one.X[:], other.X]))


def test_rows_that_are_not_finite_are_named_from_a_file(tmp_path: Path) -> None:
    from frostline.stages.errors import DataError

    data = features()
    data.X[[7, 391]] = np.nan
    with pytest.raises(DataError, match=r"NaN or infinite, in:\n  7\n  391"):
        fit([on_disk(data, tmp_path)], head_spec("logreg"))
