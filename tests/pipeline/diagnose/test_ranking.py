"""How far a ranking's scores can be trusted, in words."""

from __future__ import annotations

import pytest

from frostline.pipeline.diagnose.rank import BackboneRanking, RankedBackbone, ranking_table
from frostline.stages.diagnostics.transferability import RankAgreement, Transferability

SCORES = Transferability(logme=1.5, h_score=2.0, h_score_shrunk=1.9, gbc=-3.25, leep=None, nce=None)


def told(known: int) -> list[str]:
    """Return the ranking of four backbones, of which so many have been measured."""
    backbones = tuple(
        RankedBackbone(f"net{i}", 1000 + i, 0, 0, SCORES, accuracy=0.9 if i < known else None)
        for i in range(max(4, known))
    )
    agreement = {"logme": RankAgreement(n=known, kendall=1.0, spearman=0.5), "leep": None}
    return ranking_table(BackboneRanking("pets", 200, 2000, backbones, agreement)).splitlines()


@pytest.mark.parametrize(
    ("known", "said"), [(0, "no run on"), (1, "a run of 1 backbone on"), (2, "runs of 2 backbones on")]
)
def test_of_fewer_than_three_measured_backbones_no_agreement_is_shown(known: int, said: str) -> None:
    assert told(known)[-1] == (
        f"- {said} this dataset so far: from three on, how well each score ordered them stands here"
    )


def test_from_three_measured_backbones_on_the_agreement_of_each_score_that_has_one_is_shown() -> None:
    assert told(3)[-3:] == [
        "",
        "- LogME: Kendall's τ 1.00, Spearman's ρ 0.50 with the accuracies of 3 backbones",
        "- of fewer than 5 backbones, even a perfect order may be chance",
    ]


def test_of_five_measured_backbones_an_order_is_shown_without_that() -> None:
    assert told(5)[-1] == "- LogME: Kendall's τ 1.00, Spearman's ρ 0.50 with the accuracies of 5 backbones"


def test_a_score_is_shown_with_its_interval() -> None:
    one = RankedBackbone("net", 9, 0, 0, SCORES, None, {"logme": (1.25, 1.75)})
    lines = ranking_table(BackboneRanking("pets", 200, 2000, (one,), {})).splitlines()
    assert "1.500 [1.250, 1.750]    2.000 " in lines[3]
    assert lines[5].startswith("- [ ]: 95 % interval, each tenth of the samples left out once; ")


def test_a_score_that_no_backbone_has_takes_no_column() -> None:
    assert told(1)[:4] == [
        "pets: 200 of 2,000 training samples; by LogME, the best first",
        "",
        "backbone  width  LogME  H-score  H-score, shrunk     GBC  accuracy measured",
        "net0      1,000  1.500    2.000            1.900  -3.250             90.0 %",
    ]
