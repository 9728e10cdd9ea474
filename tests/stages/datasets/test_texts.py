"""Tables whose cells are the samples: which column, what rows are called, and what is wrong with a text."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frostline.stages.datasets import Dataset, open_dataset, texts_of
from frostline.stages.errors import ConfigError, DataError, FrostlineError

ROWS = [(f"text number {i}, é", "ab"[i % 2], "test" if i > 7 else "train") for i in range(12)]


def lines(rows: list[tuple[str, ...]] = ROWS, header: str = "text,label,split") -> str:
    return "\n".join([header, *(",".join(f'"{cell}"' for cell in row) for row in rows)])


def opened(folder: Path, text: str, name: str = "t.csv", **asked: Any) -> Dataset:
    (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    return open_dataset(f"csv:{folder / name}", **asked)


def test_the_cells_are_the_samples(tmp_path: Path) -> None:
    found = opened(tmp_path, lines())
    assert found.train.modality == "text" and (len(found.train), len(found.test)) == (8, 4)
    assert [found.train.read(row) for row in range(8)] == [text for text, _, _ in ROWS[:8]]
    assert list(found.train.ids) == [f"line {n}" for n in range(2, 10)]
    assert found.test.digests[0].tobytes() == hashlib.sha256(ROWS[8][0].encode()).digest()
    assert found.notes == ()


def test_each_kind_of_table_gives_the_same_samples(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    import pyarrow

    columns = {name: [row[at] for row in ROWS] for at, name in enumerate(("text", "label", "split"))}
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    (tmp_path / "t.jsonl").write_text("\n".join(json.dumps(dict(zip(columns, row, strict=True))) for row in ROWS))
    of_csv = opened(tmp_path, lines())
    for name in ("jsonl:t.jsonl", "parquet:t.parquet"):
        kind, file = name.split(":")
        found = open_dataset(f"{kind}:{tmp_path / file}")
        np.testing.assert_array_equal(found.train.digests, of_csv.train.digests)
        assert found.train.modality == "text"


@pytest.mark.parametrize("name", ["Sentence", "question", "review"])
def test_a_column_that_is_called_as_texts_are_is_taken(tmp_path: Path, name: str) -> None:
    assert opened(tmp_path, lines(header=f"{name},label,split")).train.read(0) == ROWS[0][0]


def test_any_column_is_taken_that_is_asked_for(tmp_path: Path) -> None:
    text = lines([(*row, f"other {i}") for i, row in enumerate(ROWS)], "path,label,split,said")
    assert opened(tmp_path, text, input="said").train.read(1) == "other 1"
    with pytest.raises(DataError, match="has no column nope"):
        opened(tmp_path, text, input="nope")


def test_a_column_of_paths_means_files(tmp_path: Path) -> None:
    text = lines([("gone.png", *row) for row in ROWS], "path,text,label,split")
    with pytest.raises(DataError, match=r"gone\.png: no such file"):
        opened(tmp_path, text)


def test_rows_are_called_by_their_ids_if_these_tell_them_apart(tmp_path: Path) -> None:
    apart = opened(tmp_path, lines([(f"q{i}", *row) for i, row in enumerate(ROWS)], "id,text,label,split"))
    alike = opened(tmp_path, lines([("q", *row) for row in ROWS], "id,text,label,split"))
    assert (apart.train.ids[0], alike.train.ids[0]) == ("q0", "line 2")


def test_bad_texts_are_quarantined_with_a_reason(tmp_path: Path) -> None:
    bad = ['""', '"a\\u0000b"', '"\\ud800"', "null"]
    rows = [f'{{"text": {text}, "label": "a", "split": "train"}}' for text in bad]
    rows += [json.dumps(dict(zip(("text", "label", "split"), row, strict=True))) for row in ROWS]
    (tmp_path / "t.jsonl").write_text("\n".join(rows))
    found = open_dataset(f"jsonl:{tmp_path / 't.jsonl'}").train
    assert [reason.split(" (")[0] for reason in found.problems.values()] == [
        "an empty text",
        "it contains NUL bytes: not a text, or not in UTF-8",
        "not UTF-8",
        "an empty text",
    ]


def test_a_long_document_is_a_cell_as_any_other(tmp_path: Path) -> None:
    found = opened(tmp_path, lines([("word " * 40_000, "a", "train"), *ROWS]))
    assert len(found.train.read(0)) == 199_999


@pytest.mark.parametrize("asked", [{"root": Path()}, {"bit_depth": 12}])
def test_settings_of_files_are_refused(tmp_path: Path, asked: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="with the texts of column text, which are not files"):
        opened(tmp_path, lines(), **asked)


def test_what_is_wrong_with_rows_is_listed(tmp_path: Path) -> None:
    with pytest.raises(FrostlineError, match="line 14: no label"):
        opened(tmp_path, lines([*ROWS, ("text", "", "train")]))
    with pytest.raises(DataError, match="expected path or text, label"):
        opened(tmp_path, lines(header="x,label,split"))


def test_texts_to_predict_need_no_label(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,text\nq7,What ?\nq8,Who ?\n")
    assert texts_of(tmp_path / "t.csv", None) == ([("q7", b"What ?"), ("q8", b"Who ?")], ())
