"""Published protocols give what a few independent lines give on the same rows."""

from __future__ import annotations

import warnings
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from frostline.pipeline.settings import Draw, Settings
from frostline.pipeline.steps.features import LazyFeatures
from frostline.pipeline.steps.subsets import drawn_curve
from frostline.stages.datasets.sampling import hold_out
from frostline.stages.datasets.sources.torchvision_catalogue import CATALOGUE
from frostline.stages.errors import DataError
from frostline.stages.fit import fit
from frostline.stages.fit.scheme import held_out
from frostline.stages.fit.training_rows import TrainingRows
from frostline.stages.heads import head_spec
from frostline.stages.heads.protocols import PROTOCOLS
from frostline.stages.store import Features
from frostline.stages.targets.values import Targets
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


def curve(name: str, train: Features = DATA, test: Features = TEST, modality: str = "image", **given: Any) -> Any:
    settings = Settings(head=name, **given)
    draw = settings.draw(name, modality)
    assert draw is not None
    return drawn_curve(settings.spec(name), draw, InMemory(train, test))


@pytest.mark.parametrize(("name", "fraction"), [("dinov2-logreg", 0.1), ("dinov3-logreg", 0.1), ("ssl-transfer", 0.2)])
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
    np.testing.assert_allclose(PROTOCOLS["dinov2-linear"].grid, np.array(rates) * 8 * 128 / 256)
    np.testing.assert_allclose(PROTOCOLS["clip-benchmark"].grid, np.logspace(-6, 2, num=97))
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
    spec = PROTOCOLS["dinov2-linear"].spec()
    assert spec.options == {"steps": 12_500, "batch": 1024}
    head, selection = fit([DATA], replace(spec, options={**spec.options, "steps": 600}))
    model = logistic(1e3).fit(X, DATA.y)
    assert len(selection.grid) == 13 and not selection.at_edge
    assert abs((head.decision_values(TEST.X).argmax(1) == TEST.y).mean() - model.score(NEW, TEST.y)) < 0.03


def test_clip_is_one_logistic_regression() -> None:
    head, selection = fit([DATA], PROTOCOLS["clip"].spec())
    assert selection.by == ""
    np.testing.assert_allclose(
        head.decision_values(TEST.X), logistic(0.316).fit(X, DATA.y).predict_proba(NEW), atol=5e-3
    )


def big_vision(X: np.ndarray, y: np.ndarray, new: np.ndarray, new_y: np.ndarray, shots: int, seed: int) -> float:
    """``fewshot_lsr.py`` in float64."""
    rng = np.random.default_rng(seed)
    of_classes = [rng.permutation(np.where(y == label)[0]) for label in range(int(y.max()) + 1)]
    few = np.concatenate([rows[:shots] for rows in of_classes])
    mean, std = X[few].mean(0), X[few].std(0) + 1e-5
    rows, new = ((a - mean) / std for a in (X[few], new))
    rows, new = (np.pad(a, ((0, 0), (0, 1)), constant_values=100.0) for a in (rows, new))
    gram = rows.T @ rows + 1024 * np.eye(rows.shape[1])
    weight = np.linalg.solve(gram, rows.T @ (2.0 * np.eye(int(y.max()) + 1)[y[few]] - 1))
    return float(((new @ weight).argmax(1) == new_y).mean())


@pytest.mark.parametrize("scale", [1.0, 1e-5])
def test_bigvision_fewshot_is_the_regularised_least_squares_of_its_source_on_its_rows(scale: float) -> None:
    """Features as small as the source's 1e-5 show it; 25 shots are more than the rows of a class."""
    train, test = (replace(one, X=(one.X * np.float32(scale))) for one in (DATA.masked(np.arange(800) > 60), TEST))
    assert np.bincount(train.y)[0] < 25
    found = curve("bigvision-fewshot", train, test)
    assert [point.size for point in found.points] == [1, 5, 10, 25]
    assert found.points[-1].rows == 25 * 3 + np.bincount(train.y)[0]
    for point in found.points:
        for draw, accuracy in enumerate(point.accuracy):
            own = big_vision(train.X.astype(np.float64), train.y, test.X.astype(np.float64), test.y, point.size, draw)
            assert abs(own - accuracy) <= 1.5 / len(NEW)


def mteb_rows(y: np.ndarray, per_label: int, experiments: int) -> list[list[int]]:
    """``AbsTaskClassification._undersample_data``, one experiment after the other."""
    found, idxs = [], list(range(len(y)))
    for _ in range(experiments):
        np.random.RandomState(42).shuffle(idxs)
        counter: dict[int, int] = defaultdict(int)
        found.append([])
        for i in idxs:
            if counter[y[i]] < per_label:
                found[-1].append(i)
                counter[y[i]] += 1
    return found


@pytest.mark.parametrize(
    ("modality", "given", "amount"),
    [
        ("image", {}, (16, 5)),
        ("text", {}, (8, 10)),
        ("audio", {}, (8, 10)),
        ("image", {"dataset": "stl10"}, (8, 10)),
        ("text", {"shots": "32", "draws": 3}, (32, 3)),
    ],
)
def test_mteb_is_its_logistic_regression_on_the_rows_that_it_draws(
    modality: str, given: dict[str, Any], amount: tuple[int, int]
) -> None:
    """A class of fewer rows gives what it has; scores and rounding are those of mteb's classifier."""
    train = DATA.masked(np.arange(800) > 65)
    [point] = curve("mteb", train, modality=modality, **given).points
    assert (point.size, len(point.accuracy)) == amount
    for draw, rows in enumerate(mteb_rows(train.y, *amount)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LogisticRegression(max_iter=100, random_state=42).fit(train.X[rows], train.y[rows])
        answers = model.predict(TEST.X)
        assert point.accuracy[draw] == point.scores["accuracy"][draw] == accuracy_score(TEST.y, answers)
        assert point.scores["f1"][draw] == f1_score(TEST.y, answers, average="macro")
        assert point.scores["f1_weighted"][draw] == f1_score(TEST.y, answers, average="weighted")
    assert point.spread.mean == pytest.approx(np.mean(point.accuracy))
    assert "ap" not in point.scores


def test_mteb_reports_the_average_precision_of_answers_where_there_are_two_classes() -> None:
    train, test = (features(200, 2, split, seed=i) for i, split in enumerate(("train", "test")))
    [point] = curve("mteb", train, test).points
    for draw, rows in enumerate(mteb_rows(train.y, 16, 5)):
        answers = LogisticRegression(max_iter=100).fit(train.X[rows], train.y[rows]).predict(test.X)
        recall = (answers[test.y == 1] == 1).mean()
        precision, prevalence = test.y[answers == 1].mean(), test.y.mean()
        assert point.scores["ap"][draw] == pytest.approx(recall * precision + (1 - recall) * prevalence)


def adamw(X: np.ndarray, y: np.ndarray, decay: float) -> torch.nn.Linear:
    """CLIP_benchmark's ``train``, on the start and the batches that the solver draws."""
    rng = np.random.default_rng(0)
    layer = torch.nn.Linear(X.shape[1], 4)
    start = rng.uniform(-1, 1, (4, X.shape[1] + 1)) / np.sqrt(X.shape[1])
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(start[:, :-1]))
        layer.bias.copy_(torch.tensor(start[:, -1]))
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1, weight_decay=decay)
    steps, step = 20 * -(-len(y) // 512), 0
    for _ in range(20):
        for picked in torch.tensor(rng.permutation(len(y))).split(512):
            for group in optimizer.param_groups:
                group["lr"] = 0.5 * (1 + np.cos(np.pi * step / steps)) * 0.1
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(layer(torch.tensor(X)[picked]), torch.tensor(y)[picked]).backward()
            optimizer.step()
            step += 1
    return layer


def test_clip_benchmark_sweeps_weight_decays_from_coarse_to_fine_and_trains_as_its_source() -> None:
    head, selection = fit([DATA], PROTOCOLS["clip-benchmark"].spec())
    X, new = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (DATA.X, TEST.X))
    out, decays, best = held(0.1), np.logspace(-6, 2, num=97).tolist(), {}

    def accuracy(place: int) -> float:
        if place not in best:
            scores = adamw(X[~out], DATA.y[~out], decays[place])(torch.tensor(X[out]))
            best[place] = float((scores.argmax(1).numpy() == DATA.y[out]).mean())
        return best[place]

    def peak(places: list[int]) -> int:
        found, most = 0, 0.0
        for place in places:
            if most < accuracy(place):
                found, most = place, accuracy(place)
        return found

    place, span = peak(list(range(0, 97, 16))), 8
    while span > 0:
        place = peak([max(place - span, 0), place, min(place + span, 96)])
        span //= 2
    assert selection.value == pytest.approx(decays[place])
    for one, value in best.items():
        assert selection.accuracy[one] == pytest.approx(value, abs=1.5 / out.sum())
    scores = adamw(X, DATA.y, decays[place])(torch.tensor(new)).softmax(1).detach().numpy()
    np.testing.assert_allclose(head.decision_values(TEST.X), scores, atol=2e-4)


@pytest.mark.parametrize(("name", "from_the_largest"), [("dinov3-logreg", False), ("ssl-transfer", True)])
def test_of_equal_values_the_first_that_the_source_tries_is_taken(name: str, from_the_largest: bool) -> None:
    easy = replace(DATA, X=(DATA.X + 100 * np.eye(4, 12)[DATA.y]).astype(np.float32))
    _, selection = fit([easy], PROTOCOLS[name].spec())
    best = np.flatnonzero(np.array(selection.accuracy) == max(selection.accuracy))
    assert len(best) > 10
    assert selection.value == selection.grid[best[-1 if from_the_largest else 0]]


def test_ssl_transfer_chooses_by_the_mean_of_the_classes_accuracies_where_its_source_does() -> None:
    names = {"fgvcaircraft", "caltech101", "flowers102", "oxfordiiitpet"}
    assert {
        n.removesuffix("-trainval") for n in CATALOGUE if PROTOCOLS["ssl-transfer"].spec(dataset=n).criterion
    } == names
    _, selection = fit([DATA], PROTOCOLS["ssl-transfer"].spec(dataset="flowers102"))
    out = held(0.2)
    for i in (12, 26):
        model = logistic(selection.grid[i]).fit(X[~out], DATA.y[~out])
        cm = confusion_matrix(DATA.y[out], model.predict(X[out]))
        own = (cm.diagonal() / cm.sum(axis=1)).mean()
        assert abs(own - selection.shown[i]) < 0.01


def test_ssl_transfer_chooses_on_the_validation_split_and_fits_on_both_where_its_source_does() -> None:
    split = np.arange(800) % 3 == 0
    train = replace(DATA, ids=tuple(f"{'val' if held else 'train'}/{i:06d}" for i, held in enumerate(split)))
    spec = PROTOCOLS["ssl-transfer"].spec(dataset="dtd-trainval")
    head, selection = fit([train], spec)
    assert (selection.fitted_rows, selection.held_out_rows, selection.final_rows) == (
        800 - split.sum(),
        split.sum(),
        800,
    )
    for i in (12, 20, 26):
        model = logistic(selection.grid[i]).fit(X[~split], DATA.y[~split])
        assert abs(model.score(X[split], DATA.y[split]) - selection.accuracy[i]) <= 1.5 / split.sum()
    model = logistic(float(selection.value)).fit(X, DATA.y)
    np.testing.assert_allclose(head.decision_values(TEST.X), model.predict_proba(NEW), atol=0.01)
    with pytest.raises(DataError, match="0 of 800 training rows belong to the validation split"):
        fit([DATA], spec)


def softmax_of_both(C: float, y: np.ndarray) -> np.ndarray:
    """Return the chances of the second of two classes by a vector each, both penalised, as ``multinomial`` has it."""

    def objective(theta: np.ndarray) -> float:
        W, b = theta[:-2].reshape(2, -1), theta[-2:]
        logits = X @ W.T + b
        losses = np.logaddexp(logits[:, 0], logits[:, 1]) - logits[np.arange(len(y)), y]
        return C * float(losses.sum()) + 0.5 * float((W**2).sum())

    theta = minimize(objective, np.zeros(2 * X.shape[1] + 2), method="BFGS", options={"gtol": 1e-4}).x
    logits = NEW @ theta[:-2].reshape(2, -1).T + theta[-2:]
    return 1 / (1 + np.exp(logits[:, 0] - logits[:, 1]))


def test_with_two_classes_twice_the_c_here_is_ssl_transfers() -> None:
    y = (DATA.y > 1).astype(np.int64)
    two = replace(DATA, targets=Targets(("a", "b"), y))
    theirs = softmax_of_both(0.01, y)
    for C, same in ((0.02, True), (0.01, False)):
        head, _ = fit([two], head_spec("logreg", (C,)))
        far = np.abs(head.decision_values(TEST.X)[:, 1] - theirs).max()
        assert bool(far < 1e-3) is same, far


@pytest.mark.parametrize("name", [name for name, found in PROTOCOLS.items() if len(found.grid) > 1])
def test_every_class_of_two_rows_has_one_among_those_that_choose(name: str) -> None:
    spec, y = PROTOCOLS[name].spec(), np.repeat(np.arange(30), 2)
    rows = TrainingRows(np.zeros((60, 3), np.float32), y, 30, spec)
    _, (out,) = held_out(rows, np.random.default_rng(0).integers(0, 256, (60, 32), np.uint8), None)
    assert (np.bincount(y[out], minlength=30) == 1).all()
    assert "a row of every class that has two or more" in PROTOCOLS[name].differs


def test_dinov3_logreg_is_fitted_in_float64_to_its_tolerance() -> None:
    spec = PROTOCOLS["dinov3-logreg"].spec()
    assert spec.options == {"dtype": "float64", "tolerance": 1e-12, "max_iterations": 1000}
    head, selection = fit([DATA], spec)
    assert selection.final_converged and all(selection.converged) and not selection.rough
    model = LogisticRegression(C=float(selection.value), max_iter=10_000, tol=1e-12).fit(X, DATA.y)
    np.testing.assert_allclose(head.decision_values(TEST.X), model.predict_proba(NEW), atol=2e-5)


def test_a_parameter_is_chosen_within_the_few_rows_that_were_drawn() -> None:
    spec = head_spec("logreg", (0.001, 0.1, 10.0))
    found = drawn_curve(spec, Draw("shots", (1, 4, 60), 2), InMemory(DATA, TEST))
    assert [point.by for point in found.points] == ["default", "folds", "folds"]
    assert [point.rows for point in found.points] == [4, 16, 240]
    assert found.points[0].values == (0.1, 0.1)


def test_all_training_rows_are_drawn_once() -> None:
    draw = Draw("samples", (50, "all"), 4)
    found = drawn_curve(head_spec("ridge", (1.0,)), draw, InMemory(DATA, TEST))
    assert [(p.size, p.rows, len(p.accuracy)) for p in found.points] == [(50, 50, 4), (800, 800, 1)]
    whole, _ = fit([DATA], head_spec("ridge", (1.0,)))
    assert found.points[1].accuracy[0] == (whole.decision_values(TEST.X).argmax(1) == TEST.y).mean()


def test_the_documentation_says_of_every_protocol_where_it_is_from_and_what_differs() -> None:
    text = Path(__file__).parents[3].joinpath("docs", "settings.md").read_text()
    for name, protocol in PROTOCOLS.items():
        assert f"({protocol.source}) | {protocol.differs} |\n" in text.partition(f"\n| `{name}` |")[2]
