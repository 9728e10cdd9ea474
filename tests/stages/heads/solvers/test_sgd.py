from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from torch.nn.functional import cross_entropy

from frostline.stages.heads.solvers.sgd import SgdSolver
from support.rows import Data, clustered

RATES = (0.003, 0.03, 0.3)


def plain(n: int = 90, d: int = 6, classes: int = 4) -> Data:
    return clustered(n, d, classes)


def constant_and_duplicate_columns() -> Data:
    X, y = plain()
    X[:, 3] = 7
    return np.concatenate((X, X), 1), y


def two_classes() -> Data:
    return plain(classes=2)


def few_rows() -> Data:
    return plain(n=11, d=30)


def half_precision() -> Data:
    X, y = plain()
    return X.astype(np.float16), y


def solver(X, y, **options) -> SgdSolver:
    return SgdSolver(X, y, int(y.max()) + 1, **{"steps": 40, "batch": 16, **options})


def torchs(
    X, y, weights, rate, *, steps=40, batch=16, schedule="cosine", seed=0, drawn=0, **options
) -> tuple[np.ndarray, ...]:
    """One learning rate, by torch's own layer, optimiser and schedule, on the batches that the solver promises."""
    rng = np.random.default_rng(seed)
    layer = torch.nn.Linear(X.shape[1], int(y.max()) + 1)
    start = rng.normal(0, 0.01, (drawn or layer.out_features, layer.in_features))[: layer.out_features]
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(start))
        layer.bias.zero_()
    optimizer = torch.optim.SGD(layer.parameters(), lr=rate, **{"momentum": 0.9, **options})
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    order = np.concatenate([rng.permutation(len(y)) for _ in range(-(-steps * batch // len(y)))])
    for step in range(steps):
        picked = order[step * batch : (step + 1) * batch]
        loss = cross_entropy(layer(torch.tensor(X[picked]).float()), torch.tensor(y[picked]), reduction="none")
        optimizer.zero_grad()
        (loss * torch.tensor(weights[picked] / weights.mean())).mean().backward()
        optimizer.step()
        if schedule == "cosine":
            scheduler.step()
    return layer.weight.detach().numpy(), layer.bias.detach().numpy()


@pytest.mark.parametrize("rows", [plain, constant_and_duplicate_columns, two_classes, few_rows, half_precision])
@pytest.mark.parametrize(
    "options",
    [{}, {"schedule": "constant"}, {"momentum": 0.0, "weight_decay": 0.1}, {"batch": 100}, {"seed": 3, "steps": 7}],
    ids=str,
)
def test_each_rates_head_is_that_of_torchs_own_layer_and_optimiser(rows: Callable[[], Data], options) -> None:
    X, y = rows()
    path = solver(X, y, **options).fit(RATES, np.ones(len(y)))
    assert path.converged.all() and (path.iterations == options.get("steps", 40)).all() and path.probabilistic
    for index, rate in enumerate(RATES):
        weight, bias = torchs(X, y, np.ones(len(y)), rate, **options)
        np.testing.assert_allclose(path.weight[index], weight, atol=1e-4)
        np.testing.assert_allclose(path.bias[index], bias, atol=1e-4)


def test_a_rows_loss_is_multiplied_by_its_weight_over_their_mean() -> None:
    X, y = plain()
    weights = np.random.default_rng(1).uniform(0.1, 40, len(y))
    path = solver(X, y).fit(RATES, weights)
    for index, rate in enumerate(RATES):
        np.testing.assert_allclose(path.weight[index], torchs(X, y, weights, rate)[0], atol=1e-4)


def test_a_rates_head_does_not_depend_on_the_rates_beside_it() -> None:
    X, y = plain()
    together = solver(X, y).fit(RATES, np.ones(len(y)))
    for index, rate in enumerate(RATES):
        alone = solver(X, y).fit((rate,), np.ones(len(y)))
        np.testing.assert_allclose(together.weight[index], alone.weight[0], atol=1e-5)


def test_a_row_of_weight_zero_is_a_row_left_out() -> None:
    X, y = plain()
    used = np.random.default_rng(2).random(len(y)) < 0.6
    path = solver(X, y).fit(RATES, used.astype(float))
    alone = SgdSolver(X[used], y[used], 4, steps=40, batch=16).fit(RATES, np.ones(used.sum()))
    np.testing.assert_array_equal(path.weight, alone.weight)


def test_a_class_without_weight_has_probability_zero_and_moves_no_other() -> None:
    X, y = plain(classes=4)
    weights = (y != 3).astype(float)
    path = solver(X, y, weight_decay=0.1).fit(RATES, weights)
    assert (path.bias[:, 3] == -np.inf).all() and not path.weight[:, 3].any()
    assert not path.decision_values(X)[..., 3].any()
    for index, rate in enumerate(RATES):
        weight, bias = torchs(X[y != 3], y[y != 3], np.ones(68), rate, drawn=4, weight_decay=0.1)
        np.testing.assert_allclose(path.weight[index, :3], weight, atol=1e-4)
        np.testing.assert_allclose(path.bias[index, :3], bias, atol=1e-4)


def test_a_rate_that_overflows_is_not_converged_and_spoils_no_other() -> None:
    X, y = plain()
    path = solver(1e3 * X, y, weight_decay=1.0).fit((1e-6, 1e30), np.ones(len(y)))
    assert path.converged.tolist() == [True, False]
    np.testing.assert_array_equal(path.decision_values(X)[1], np.full((len(y), 4), 0.25))
    alone = solver(1e3 * X, y, weight_decay=1.0).fit((1e-6,), np.ones(len(y)))
    np.testing.assert_allclose(path.weight[0], alone.weight[0], atol=1e-5)


def test_every_row_of_an_epoch_is_taken_once() -> None:
    from frostline.stages.heads.solvers.descent import _batches

    taken = torch.cat(list(_batches(np.random.default_rng(0), n=30, batch=4, steps=15)))
    assert np.array_equal(np.sort(taken[:30]), np.arange(30)) and np.array_equal(np.sort(taken[30:]), np.arange(30))
    assert not np.array_equal(taken[:30], taken[30:])


def test_the_same_seed_gives_the_same_bits_and_another_one_others() -> None:
    X, y = plain()
    first, second, other = (solver(X, y, seed=seed).fit(RATES, np.ones(len(y))) for seed in (0, 0, 1))
    assert np.array_equal(first.weight, second.weight) and not np.allclose(first.weight, other.weight, atol=1e-3)


def test_long_training_at_a_good_rate_reaches_the_loss_of_logistic_regression() -> None:
    X, y = plain(n=300)
    path = solver(X, y, steps=3000, batch=64).fit((0.1,), np.ones(len(y)))
    best = LogisticRegression(C=1e6, max_iter=1000).fit(X, y).predict_proba(X)
    least, loss = log_loss(y, best), log_loss(y, path.decision_values(X.astype(float))[0])
    assert least < loss < least + 1e-3


def test_read_only_rows_are_taken_without_a_warning_and_left_as_they_are() -> None:
    X, y = plain()
    before = X.copy()
    X.flags.writeable = False
    solver(X, y).fit(RATES, np.ones(len(y)))
    assert np.array_equal(X, before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_cuda_device_gives_the_same_heads() -> None:
    X, y = plain()
    here, there = (solver(X, y, device=device).fit(RATES, np.ones(len(y))) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(here.weight, there.weight, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 0}, "0 steps of .* rows; expected 1 or more"),
        ({"batch": 0}, "steps of 0 rows; expected 1 or more"),
        ({"schedule": "linear"}, "schedule is 'linear'; expected cosine or constant"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        solver(*plain(), **options)


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match=r"torch has no device 'nowhere'.*expected cpu"):
        solver(*plain(), device="nowhere")


@pytest.mark.parametrize("grid", [(0.0,), (np.inf,), ()])
def test_a_learning_rate_that_is_none_is_refused(grid: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="lr is"):
        solver(*plain()).fit(grid, np.ones(90))
