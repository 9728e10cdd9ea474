"""How far a ranking's scores can be trusted, in words."""

from __future__ import annotations

import pytest

from frostline.pipeline.diagnose.past_runs import Measured, one_for_each
from frostline.pipeline.diagnose.rank import BackboneRanking, RankedBackbone, ranking_table
from frostline.pipeline.records.headline import Candidate
from frostline.stages.diagnostics.transferability import RankAgreement, Transferability
from frostline.stages.evaluate import Evaluation
from frostline.stages.fit.selection import Selection
from frostline.stages.metrics import Score

SCORES = Transferability(logme=1.5, h_score=2.0, h_score_shrunk=1.9, gbc=-3.25, leep=None, nce=None)


def told(known: int) -> list[str]:
    """Return the ranking of four backbones, of which so many have been measured."""
    backbones = tuple(
        RankedBackbone(f"net{i}", 100 + i, 0, 0, SCORES, accuracy=0.9 if i < known else None, head="ridge")
        for i in range(max(4, known))
    )
    agreement = {"logme": RankAgreement(n=known, kendall=1.0, spearman=0.5), "leep": None}
    return ranking_table(BackboneRanking("pets", 200, 2000, backbones, agreement)).splitlines()


@pytest.mark.parametrize(
    ("known", "said"), [(0, "no run on"), (1, "a run of 1 backbone on"), (2, "runs of 2 backbones on")]
)
def test_of_fewer_than_three_measured_backbones_no_agreement_is_shown(known: int, said: str) -> None:
    assert told(known)[-1] == (
        f"- {said} this dataset so far. With 3 or more backbones, this shows how well each score predicted their order"
    )


def test_from_three_measured_backbones_on_the_agreement_of_each_score_that_has_one_is_shown() -> None:
    assert told(3)[-3:] == [
        "",
        "- LogME: Kendall's τ 1.00, Spearman's ρ 0.50 with the accuracies of 3 backbones",
        "- with fewer than 5 backbones, even a perfect order can be chance",
    ]


def test_of_five_measured_backbones_an_order_is_shown_without_that() -> None:
    assert told(5)[-1] == "- LogME: Kendall's τ 1.00, Spearman's ρ 0.50 with the accuracies of 5 backbones"


def test_a_score_is_shown_with_its_interval() -> None:
    one = RankedBackbone("net", 9, 0, 0, SCORES, None, {"logme": (1.25, 1.75)})
    lines = ranking_table(BackboneRanking("pets", 200, 2000, (one,), {})).splitlines()
    assert "1.500 [1.250, 1.750]    2.000 " in lines[3]
    assert lines[5].startswith("- [ ]: 95 % interval, by leaving out each tenth of the samples once. All backbones ")
    assert lines[6].startswith("- No interval covers another split ") and lines[6].endswith("(--group)")
    grouped = ranking_table(BackboneRanking("pets", 200, 2000, (one,), {}, grouped=True))
    assert "No interval covers another split (try another --seed)\n" in grouped


def test_where_rows_are_no_more_than_features_the_h_score_has_a_note() -> None:
    few, many = (RankedBackbone(f"of {n}", n, 0, 0, SCORES, None) for n in (180, 179))
    text = ranking_table(BackboneRanking("pets", 200, 2000, (few, many), {}))
    assert "- no interval for the H-score of of 180: it is close to the number of classes minus one" in text


def past(head: str, made: str, accuracy: float, held_out: float, *, usual: bool = True) -> Measured:
    selection = Selection(value=1.0, parameter="C", grid=(1.0,), by="hold-out", accuracy=(held_out,), held_out_rows=9)
    score = Score(accuracy, accuracy - 0.1, accuracy + 0.05, 0)
    return Measured(made, usual, Candidate(head, selection, Evaluation(100, {"accuracy": score})))


def test_backbones_are_measured_by_one_head_with_its_usual_grid_where_there_is_one() -> None:
    one = [past("knn", "2", 0.9, 0.9), past("ridge", "1", 0.7, 0.7), past("centroid", "3", 0.6, 0.5)]
    two = [past("ridge", "4", 0.8, 0.8), past("knn", "5", 0.85, 0.9, usual=False)]
    assert [found and (found.head, found.score) for found in one_for_each([one, [], two], "single-label")] == [
        ("ridge", 0.7),
        None,
        ("ridge", 0.8),
    ]


def test_else_each_backbone_is_measured_by_its_best_on_held_out_rows_and_not_by_the_newest() -> None:
    one = [past("knn", "1", 0.8, 0.9), past("ridge", "2", 0.9, 0.7)]
    two = [past("logreg", "4", 0.8, 0.8)]
    assert [found and found.head for found in one_for_each([one, two], "single-label")] == ["knn", "logreg"]
    assert one_for_each([[], []], "single-label") == [None, None]


def test_a_score_that_no_backbone_has_takes_no_column() -> None:
    assert told(1)[:4] == [
        "pets: 200 of 2,000 training samples, sorted by LogME, best first",
        "",
        "backbone  width  LogME  H-score  H-score, shrunk     GBC  accuracy measured",
        "net0        100  1.500    2.000            1.900  -3.250     90.0 % (ridge)",
    ]
