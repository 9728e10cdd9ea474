"""The head that a run speaks of first is picked by training samples, and its interval holds the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frostline.pipeline.records.headline import Candidate, headline, of_the_best
from frostline.pipeline.report.verdicts import picked
from frostline.stages.evaluate import Evaluation
from frostline.stages.fit.selection import Selection
from frostline.stages.metrics import Score


def head(name: str, held_out: float | None, tested: float, n: int = 300) -> Candidate:
    centre, margin = tested + 1.92 / n, 1.96 * (tested * (1 - tested) / n + 0.96 / n**2) ** 0.5  # Wilson's
    low, high = (end / (1 + 3.84 / n) for end in (centre - margin, centre + margin))
    chosen = Selection(value=1.0, parameter="C", grid=(1.0,), accuracy=() if held_out is None else (held_out,))
    return Candidate(name, chosen, Evaluation(n, {"accuracy": Score(tested, low, high, 0)}))


def test_the_best_on_held_out_training_samples_comes_first_whatever_it_scores_in_test() -> None:
    assert headline([head("a", 0.8, 0.9), head("b", 0.9, 0.7), head("c", 0.9, 0.95)]) == (
        "b",
        "training",
        "accuracy",
    )
    assert headline([head("a", None, 0.9)]).name == "a"


def test_where_one_has_no_such_score_the_best_in_test_comes_first_and_it_is_said() -> None:
    assert headline([head("a", 0.8, 0.7), head("b", None, 0.9)]) == ("b", "test", "")


def test_other_kinds_are_picked_by_their_own_main_score() -> None:
    def of(name: str, r2: float) -> Candidate:
        chosen = Selection(value=2, parameter="k", grid=(1, 2), scores={"r2": (0.9, r2), "rmse": (1.0, 1.0)})
        return Candidate(name, chosen, Evaluation(9, {"r2": Score(0.0, -1.0, 1.0, 1000)}, kind="regression"))

    assert headline([of("a", -0.5), of("b", -0.2), of("c", -0.3)]) == ("b", "training", "r2")


def chosen(name: str, kind: str = "single-label", **given: Any) -> Candidate:
    tested = Evaluation(9, {main: Score(0.0, -1.0, 1.0, 1000) for main in ("accuracy", "r2")}, kind=kind)
    how = {"by": "folds", "held_out_rows": 90, "parameter": "C", "grid": (1, 2), "value": 2, **given}
    return Candidate(name, Selection(**how), tested)


def test_heads_that_were_chosen_by_different_scores_are_compared_by_one_that_all_have() -> None:
    usual = chosen("a", accuracy=(0.9, 0.8))
    balanced = chosen("b", accuracy=(0.5, 0.7), scores={"balanced_accuracy": (0.5, 0.95)})
    assert headline([usual, balanced]) == ("a", "training", "accuracy")
    errors = [chosen(name, "regression", scores={"mae": (9.0, mae)}) for name, mae in (("a", 2.0), ("b", 1.0))]
    assert headline(errors) == ("b", "training", "mae")


@pytest.mark.parametrize(
    "other",
    [
        {"by": "hold-out", "held_out_rows": 18, "accuracy": (0.9, 0.99)},
        {"held_out_rows": 18, "accuracy": (0.9, 0.99)},
        {"scores": {"balanced_accuracy": (0.9, 0.99)}},
    ],
)
def test_none_is_picked_by_scores_of_other_rows_or_of_another_kind(other: dict[str, Any]) -> None:
    heads = [chosen("a", accuracy=(0.9, 0.8)), chosen("b", **other)]
    assert headline(heads) == ("a", "order", "") and headline(heads[::-1]).name == "b"
    assert picked(heads) == (
        "a is the first of 2 heads as they were named; none was picked, since their scores on held-out training "
        "samples are not of the same samples, or not the same score"
    )


def test_two_draws_of_as_many_rows_are_not_the_same_rows() -> None:
    heads = [chosen(str(s), by="hold-out", seed=s, accuracy=(0.9, 0.8 + s / 10)) for s in (0, 1)]
    assert headline(heads).by == "order"


@pytest.mark.parametrize("by_training", [True, False])
def test_of_twenty_equal_heads_the_shown_interval_of_the_first_holds_the_truth(by_training: bool) -> None:
    rng, held = np.random.default_rng(1), 0
    for _ in range(400):
        tested, held_out = rng.binomial(300, 0.9, 20) / 300, rng.binomial(100, 0.9, 20) / 100
        heads = [head(str(i), held_out[i] if by_training else None, tested[i]) for i in range(20)]
        first = headline(heads)
        own = heads[int(first.name)].evaluation
        shown = of_the_best(own, 20) if first.by == "test" else own.scores["accuracy"]
        held += shown.low <= 0.9 <= shown.high
    print(f"picked by {'held-out training' if by_training else 'test'} samples: {held / 4:.1f} % of the intervals hold")
    assert held >= 0.93 * 400
