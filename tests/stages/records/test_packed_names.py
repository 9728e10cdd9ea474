"""Names in two arrays are the sequence of texts that they were packed from."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frostline.stages.records.packed_names import PackedNames, encoded_names, taken

NAMES = ["train/cat/1.jpg", "", "ä/猫.png", "bytes\udcff.jpg", "train/cat/2.jpg", ""]
texts = st.lists(st.text(alphabet="ab/ä\udc80", max_size=4), max_size=30)


def test_they_are_read_as_they_were() -> None:
    names = PackedNames.of(NAMES)
    assert list(names) == NAMES and len(names) == 6 and names == NAMES and names == tuple(NAMES)
    assert [names[row] for row in range(-6, 6)] == NAMES + NAMES
    assert names[1:5:2] == NAMES[1:5:2] and "ä/猫.png" in names and "b" not in names
    assert list(encoded_names(names)) == list(encoded_names(NAMES))
    assert names != NAMES[:-1] and names != [*NAMES[:-1], "x"] and names == pickle.loads(pickle.dumps(names))
    with pytest.raises(IndexError):
        names[6]


@given(texts, st.randoms())
def test_rows_are_taken_in_any_order(names: list[str], random) -> None:
    rows = np.array(random.choices(range(len(names)), k=2 * len(names)) if names else [], np.int64)
    packed = taken(PackedNames.of(names), rows)
    assert isinstance(packed, PackedNames) and packed == taken(names, rows) == [names[row] for row in rows]


@given(texts, texts)
def test_a_name_is_found_in_its_first_row(names: list[str], others: list[str]) -> None:
    wanted = [*names, *others]
    assert PackedNames.of(names).find(wanted).tolist() == [names.index(x) if x in names else -1 for x in wanted]


@given(texts)
def test_names_that_occur_again_are_found(names: list[str]) -> None:
    expected = [row for row, name in enumerate(names) if name in names[:row]]
    assert PackedNames.of(names).repeated().tolist() == expected


def test_names_of_one_hash_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PackedNames, "hashes", lambda names: np.zeros(len(names), np.uint64))
    names = PackedNames.of(["a", "b", "a", "c"])
    assert names.repeated().tolist() == [2] and names.find(["c", "b", "x", "a"]).tolist() == [3, 1, -1, 0]


def test_parts_are_joined() -> None:
    parts = [PackedNames.of(some) for some in ([], NAMES[:2], [], NAMES[2:])]
    assert PackedNames.joined(parts) == NAMES and PackedNames.joined([]) == []


def test_a_million_take_what_is_stated() -> None:
    """``docs/benchmarks.md``: the bytes of the names, and 8 for each."""
    names = PackedNames.of(f"{row:012d}" for row in range(100_000))
    assert names.nbytes == 100_000 * (12 + 8)
