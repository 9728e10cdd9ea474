"""The leaderboard: what it says first, its ranks and tables, and a page that runs nothing."""

from __future__ import annotations

import csv
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest
from scipy.stats import kendalltau

from frostline.pipeline.bench.leaderboard import ScoreAgreement, mean_ranks
from frostline.pipeline.bench.render import as_html, as_markdown, as_text
from frostline.pipeline.bench.tables import answers, tables
from frostline.pipeline.cli.main import main
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.lookup import look_up
from frostline.pipeline.plan.make import make_plan
from frostline.pipeline.report.wording import percent
from frostline.stages.diagnostics.transferability import RankAgreement, transferability
from frostline.stages.store import load
from support.matrices import CENTROID, CURVE, DIGITS, LAYER1, PIXELS, RIDGE, SMALL, done
from support.project import Write


def test_the_mean_rank_counts_only_what_ran_on_every_dataset(write: Write) -> None:
    one, two = done(write(DIGITS + PIXELS + RIDGE + CENTROID)).entries
    assert mean_ranks([one, two]) == ()
    there = [replace(e, name=replace(e.name, dataset="other"), rank=rank) for e, rank in ((one, 4), (two, 1))]
    first, second = mean_ranks([replace(one, rank=1), replace(two, rank=2), *there])
    assert (first.head, first.ranks, first.mean) == (two.name.head, (2, 1), 1.5)
    assert first.accuracy == two.main.value
    assert (second.head, second.ranks, second.mean) == (one.name.head, (1, 4), 2.5)
    assert [m.head for m in mean_ranks([one, two, there[0]])] == [one.name.head]
    assert mean_ranks([replace(one, rank=None), there[0]]) == ()


def test_scores_without_a_fit_are_correlated_with_the_accuracies_of_the_first_head(write: Write, work: Path) -> None:
    matrix = write(DIGITS + SMALL + LAYER1 + PIXELS + RIDGE + CENTROID)
    board = done(matrix)
    found = {p.score: p for p in board.predicted}
    scores = []
    for cell in matrix.cells[::2]:
        cached = look_up(make_plan(open_inputs(cell.settings)), "train", "plain").existing
        assert cached is not None
        features = load(cached)
        scores.append(transferability(features.X, features.y).logme)
    by = {e.name: e.main.value for e in board.entries}
    accuracies = [by[cell.name] for cell in matrix.cells[::2]]
    assert "3 only" in as_markdown(board) and "even a perfect order can be chance" in as_markdown(board)
    assert found["LogME"].agreement.n == 3 and found["LogME"].head == "ridge"
    assert found["LogME"].agreement.kendall == pytest.approx(kendalltau(scores, accuracies).statistic)


def test_of_fewer_than_five_backbones_it_is_said_that_an_order_may_be_chance(write: Write) -> None:
    board = done(write(DIGITS + PIXELS + RIDGE))

    def told(n: int) -> str:
        found = ScoreAgreement("digits", "LogME", "ridge", RankAgreement(n=n, kendall=1.0, spearman=1.0))
        return as_text(replace(board, predicted=(found,)))

    assert "4 only" in told(4) and "with fewer than 5 entries, even a perfect order can be chance" in told(4)
    assert "only" not in told(5) and "may be chance" not in told(5)


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        assert not any(name.startswith("on") or name in ("src", "href", "style") for name in given)
        self.policy += given["content"] or "" if "http-equiv" in given else ""

    def handle_data(self, data: str) -> None:
        self.text.append(data)


HOSTILE = "<script>alert(1)</script>"


def test_the_page_escapes_every_name_and_its_policy_allows_its_own_style_alone(write: Write, work: Path) -> None:
    done(write(DIGITS + PIXELS + f'name = "{HOSTILE}"\n' + RIDGE + CENTROID))
    page = Page()
    page.feed(next(work.glob("bench/*/leaderboard.html")).read_text())
    assert "script" not in page.tags and HOSTILE in page.text and page.tags.count("table") == 1
    style = page.text[page.text.index(next(t for t in page.text if "border-collapse" in t))]
    allowed = b64encode(sha256(style.encode()).digest()).decode()
    assert page.policy == f"default-src 'none'; style-src 'sha256-{allowed}'"


def test_the_leaderboard_begins_with_the_best_its_interval_and_what_it_can_not_be_told_from(
    write: Write, work: Path
) -> None:
    board = done(write(DIGITS + PIXELS + RIDGE + CENTROID))
    best, other = board.entries
    (found,) = board.comparisons
    assert found.score.low < best.main.low and found.score.value == best.main.value and found.comparisons == 1
    said = f"digits: ridge on pixels is right for {percent(found.score)} of the test samples"
    choice = "; the interval accounts for choosing the best of 2."
    shared = replace(best, tied=("pixels default centroid",)), replace(other, tied=("pixels default ridge",))
    tied, apart = (replace(board, entries=e) for e in (shared, (replace(best, tied=()), replace(other, tied=()))))
    assert answers(tied) == [
        f"{said}{choice} With these 359 samples it is not distinguishable from centroid on pixels."
    ]
    assert answers(apart) == [f"{said}{choice} It is better than all others beyond chance."]
    assert "=: ridge on pixels and the heads that are not" in as_html(tied) and "2=" in as_html(tied)
    assert "=: ridge on pixels" not in as_html(apart) and "2=" not in as_html(apart)
    assert as_html(tied).index("it is not distinguishable") < as_html(tied).index("<table")


def test_every_entry_says_how_far_it_is_behind_the_best_and_all_pairs_come_on_request(
    work: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write(DIGITS + SMALL + PIXELS + RIDGE + CENTROID)
    assert main(["bench", "some.toml", "--all-pairs"]) == 0
    out = capsys.readouterr().out
    assert "behind the best" in out and "All pairs on digits" in out and "corrected for all pairs" in out
    assert "No interval covers other training samples (--train-sizes N --draws 10 measures that)" in out
    assert main(["bench", "some.toml"]) == 0
    assert "All pairs" not in capsys.readouterr().out


def test_accuracy_is_beside_the_names_and_a_layer_has_one_name_in_all_tables(write: Write) -> None:
    board = done(write(DIGITS + SMALL + RIDGE + CURVE))
    scores, curves = tables(board)
    assert scores.columns[:5] == ("rank", "backbone", "layer", "head", "accuracy")
    assert scores.rows[0][2] == curves.rows[0][2] == "default"
    assert "layer default: fc:input of resnet8-cifar10" in as_html(board)


def test_a_table_over_draws_says_itself_what_its_intervals_do_not_cover(write: Write) -> None:
    board = done(write(DIGITS + PIXELS + RIDGE + CURVE))
    assert [table.note for table in tables(board)][1].startswith("No interval covers another split ")
    text = as_markdown(board)
    assert text.count("o interval covers") == 2
    assert "scores of heads fitted on all training samples: no interval covers other training samples" in text


def test_every_cell_of_the_page_has_its_columns_name_for_where_it_stands_alone(write: Write) -> None:
    page = as_html(done(write(DIGITS + PIXELS + RIDGE)))
    assert page.count("<td") == page.count(" data-label=") and 'data-label="accuracy"' in page


def test_a_name_that_is_a_formula_or_steers_a_terminal_is_made_harmless(
    write: Write, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(DIGITS + PIXELS + 'name = "=1+1 \\u001b[31m"\n' + RIDGE)
    assert main(["bench", "some.toml"]) == 0
    out = capsys.readouterr()
    assert "\x1b" not in out.out + out.err and "=1+1 \\x1b[31m" in out.out
    with next(work.glob("bench/*/leaderboard.csv")).open() as file:
        assert next(csv.DictReader(file))["backbone"].startswith("'=1+1")


def test_a_head_and_its_curve_are_told_apart_while_they_are_made(
    write: Write, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(DIGITS + PIXELS + CENTROID + CURVE)
    assert main(["bench", "some.toml"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert (
        "digits × pixels × centroid" in said
        and "digits × pixels × centroid, random subsets of the training data" in said
    )
