"""The head that a run speaks of first is picked by training samples, and its interval holds the truth."""

from __future__ import annotations

import numpy as np
import pytest

from frostline.pipeline.records.headline import Candidate, headline, of_the_best
from frostline.stages.evaluate import Evaluation
from frostline.stages.fit.selection import Selection
from frostline.stages.metrics import Score


def head(name: str, held_out: float | None, tested: float, n: int = 300) -> Candidate:
    centre, margin = tested + 1.92 / n, 1.96 * (tested * (1 - tested) / n + 0.96 / n**2) ** 0.5  # Wilson's
    low, high = (end / (1 + 3.84 / n) for end in (centre - margin, centre + margin))
    chosen = Selection(value=1.0, parameter="C", grid=(1.0,), accuracy=() if held_out is None else (held_out,))
    return Candidate(name, chosen, Evaluation(n, {"accuracy": Score(tested, low, high, 0)}))


def test_the_best_on_held_out_training_samples_comes_first_whatever_it_scores_in_test() -> None:
    assert headline([head("a", 0.8, 0.9), head("b", 0.9, 0.7), head("c", 0.9, 0.95)]) == ("b", False)
    assert headline([head("a", None, 0.9)]) == ("a", False)


def test_where_one_has_no_such_score_the_best_in_test_comes_first_and_it_is_said() -> None:
    assert headline([head("a", 0.8, 0.7), head("b", None, 0.9)]) == ("b", True)


def test_other_kinds_are_picked_by_their_own_main_score() -> None:
    def of(name: str, r2: float) -> Candidate:
        chosen = Selection(value=2, parameter="k", grid=(1, 2), scores={"r2": (0.9, r2), "rmse": (1.0, 1.0)})
        return Candidate(name, chosen, Evaluation(9, {"r2": Score(0.0, -1.0, 1.0, 1000)}, kind="regression"))

    assert headline([of("a", -0.5), of("b", -0.2), of("c", -0.3)]) == ("b", False)


@pytest.mark.parametrize("by_training", [True, False])
def test_of_twenty_equal_heads_the_shown_interval_of_the_first_holds_the_truth(by_training: bool) -> None:
    rng, held = np.random.default_rng(1), 0
    for _ in range(400):
        tested, held_out = rng.binomial(300, 0.9, 20) / 300, rng.binomial(100, 0.9, 20) / 100
        heads = [head(str(i), held_out[i] if by_training else None, tested[i]) for i in range(20)]
        name, by_test = headline(heads)
        own = heads[int(name)].evaluation
        shown = of_the_best(own, 20) if by_test else own.scores["accuracy"]
        held += shown.low <= 0.9 <= shown.high
    print(f"picked by {'held-out training' if by_training else 'test'} samples: {held / 4:.1f} % of the intervals hold")
    assert held >= 0.93 * 400
