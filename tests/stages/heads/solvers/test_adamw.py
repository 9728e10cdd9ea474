"""The AdamW solver takes torch's steps, for every weight decay as if it were alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from frostline.stages.heads.solvers.adamw import AdamWSolver
from frostline.stages.store import RowFile
from support.rows import clustered

DECAYS = (1e-4, 0.1, 3.0)


def solver(X, y, classes: int = 4, **options) -> AdamWSolver:
    return AdamWSolver(X, y, classes, **{"epochs": 3, "batch": 16, **options})


def torchs(X, y, weights, decay, *, epochs=3, batch=16, lr=0.1, seed=0) -> tuple[np.ndarray, np.ndarray]:
    """One weight decay, by torch's own layer, optimiser and loss, on the batches that the solver promises."""
    rng = np.random.default_rng(seed)
    layer = torch.nn.Linear(X.shape[1], 4)
    start = rng.uniform(-1, 1, (4, X.shape[1] + 1)) / np.sqrt(X.shape[1])
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(start[:, :-1]))
        layer.bias.copy_(torch.tensor(start[:, -1]))
    optimizer = torch.optim.AdamW(layer.parameters(), lr=lr, weight_decay=decay)
    steps = epochs * -(-len(y) // batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 * (1 + np.cos(np.pi * step / steps)))
    for _ in range(epochs):
        for picked in np.split(order := rng.permutation(len(y)), range(batch, len(order), batch)):
            loss = cross_entropy(layer(torch.tensor(X[picked]).float()), torch.tensor(y[picked]), reduction="none")
            optimizer.zero_grad()
            (loss * torch.tensor(weights[picked] / weights.mean())).mean().backward()
            optimizer.step()
            schedule.step()
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


@pytest.mark.parametrize("weighted", [False, True])
def test_heads_are_those_of_torch(weighted: bool) -> None:
    X, y = clustered(90, 6, 4)
    weights = np.random.default_rng(1).uniform(0.5, 2, 90) if weighted else np.ones(90)
    path = solver(X, y).fit(DECAYS, weights)
    for i, decay in enumerate(DECAYS):
        weight, bias = torchs(X, y, weights, decay)
        np.testing.assert_allclose(path.weight[i], weight, atol=2e-5)
        np.testing.assert_allclose(path.bias[i], bias, atol=2e-5)
    assert path.converged.all() and (path.iterations == 3 * 6).all() and path.probabilistic


def test_a_head_does_not_depend_on_the_others_nor_on_rows_without_weight() -> None:
    X, y = clustered(90, 6, 4)
    used = np.arange(90) % 3 > 0
    together, alone = (
        solver(X, y).fit(DECAYS, used.astype(float)),
        solver(X[used], y[used]).fit(DECAYS[1:2], np.ones(60)),
    )
    np.testing.assert_allclose(together.weight[1], alone.weight[0], atol=1e-6)


def test_a_class_without_rows_is_never_likely() -> None:
    X, y = clustered(90, 6, 4)
    path = solver(X, y, 5).fit(DECAYS, np.ones(90))
    assert (path.decision_values(X)[..., 4] == 0).all()


def test_rows_of_a_file_give_the_same_heads(tmp_path: Path) -> None:
    X, y = clustered(90, 6, 4)
    X = X.astype(np.float32)
    file = RowFile(6, np.float32, tmp_path)
    file.append(X)
    first, second = (solver(rows, y).fit(DECAYS, np.ones(90)) for rows in (X, file))
    np.testing.assert_array_equal(first.weight, second.weight)


def test_a_head_that_overflows_is_said_not_to_have_converged() -> None:
    X, y = clustered(90, 6, 4)
    path = solver(X, y, lr=1e30).fit((1e-4, 1e10), np.ones(90))
    assert not path.converged[1] and (path.weight[1] == 0).all()


@pytest.mark.parametrize("options", [{"epochs": 0}, {"batch": 0}, {"lr": 0.0}, {"device": "nowhere"}])
def test_options_of_no_use_are_refused(options: dict) -> None:
    X, y = clustered(90, 6, 4)
    with pytest.raises(ValueError, match="expected"):
        solver(X, y, **options)
