"""Parts of what is printed: plain in a pipe, in colour and in short lines on a terminal."""

from __future__ import annotations

from frostline.pipeline.report.blocks import Block, Terminal, rendered
from frostline.pipeline.report.messages import noted, notes_of, warnings_of
from frostline.pipeline.report.table import Table, aligned

LONG = "the chosen C lies at the edge of its grid; see --grid, which takes other values to choose from"
BLOCKS = (
    Block("text", ["a  b"]),
    Block("advice", ["Take a."]),
    Block("warnings", [LONG]),
    Block("how", []),
    Block("where", ["x"]),
)


def test_in_a_pipe_lines_are_whole_and_empty_parts_are_left_out() -> None:
    assert rendered(BLOCKS) == f"a  b\n\nTake a.\n\nwarnings\n- {LONG}\n\nwhere\nx"


def test_on_a_terminal_sentences_are_broken_between_words_and_tables_and_paths_are_not() -> None:
    lines = rendered(BLOCKS, Terminal(44)).split("\n")
    assert max(map(len, lines)) <= 44 and lines[5].startswith("- the chosen") and lines[6].startswith("  ")
    assert " ".join(line.strip() for line in lines[5:8]) == f"- {LONG}"
    path = "features  " + "x" * 200
    assert rendered([Block("where", [path])], Terminal(44)) == f"where\n{path}"


def test_colour_adds_nothing_but_codes() -> None:
    painted = rendered(BLOCKS, Terminal(None, colour=True))
    assert "\x1b[1mTake a.\x1b[0m" in painted and f"\x1b[33m- {LONG}\x1b[0m" in painted
    for code in ("\x1b[1m", "\x1b[33m", "\x1b[2m", "\x1b[0m"):
        painted = painted.replace(code, "")
    assert painted == rendered(BLOCKS)


def test_a_long_name_gives_way_to_a_short_line_and_numbers_never_do() -> None:
    rows = (
        ("timm:vit_small_patch14_dinov2.lvd142m", "sklearn.linear_model:RidgeClassifier", "96.1 % [93.6, 97.7]"),
        ("pixels", "knn", "95.0 % [92.2, 96.8]"),
    )
    table = Table("", ("backbone", "head", "accuracy"), "<<>", rows)
    assert max(map(len, aligned(table))) > 80 and aligned(table, 200) == aligned(table)
    heading, first, second = aligned(table, 60)
    assert max(map(len, (heading, first, second))) == 60
    assert first.endswith("96.1 % [93.6, 97.7]") and first.startswith("timm:vi") and ".lvd142m" in first
    assert first.count("…") == 2 and second.startswith("pixels ")
    assert all("95.0 % [92.2, 96.8]" in line for line in aligned(table, 5)[2:])


def test_recorded_notes_that_should_worry_are_warnings() -> None:
    said = noted(["WARNING odd features", "near duplicates: 3 of 9", "2 files passed over"])
    assert warnings_of(said) == ["odd features", "near duplicates: 3 of 9"] and notes_of(said) == [
        "2 files passed over"
    ]
