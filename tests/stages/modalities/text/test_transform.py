"""Tokens of a text: their number decides their shape, and items that are padded have a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import Length, described
from frostline.stages.modalities.items import shape_of
from frostline.stages.modalities.text.transform import Tokens, bucket


@dataclass
class Window:
    ids: list[int]
    special_tokens_mask: list[int]
    overflowing: Sequence[Window] = field(default_factory=list)


class Words:
    """One token a word, none special, in windows of ten."""

    pad, vocabulary, most = 0, 50, 100
    special = frozenset({0, 14})  # of 13 letters: unknown

    def encode(self, text: str) -> Window:
        ids = [1 + len(word) for word in text.split()]
        parts = [ids[i : i + self.most] for i in range(0, len(ids), self.most)] or [[]]
        first, *others = [Window(part, [0] * len(part)) for part in parts]
        return Window(first.ids, first.special_tokens_mask, others)


def tokens(**how: Any) -> Tokens:
    return Tokens("digest", **{"max_length": 100, "table": Words(), **how})


def test_buckets_grow_by_at_most_a_quarter() -> None:
    lengths = range(1, 5000)
    assert all(n <= bucket(n) <= max(n, 1.25 * n, n + 7) for n in lengths)
    assert all(bucket(n) == n for n in range(1, 33)) and len({bucket(n) for n in lengths}) < 70
    assert [bucket(bucket(n)) for n in lengths] == [bucket(n) for n in lengths]


@pytest.mark.parametrize("n", [1, 7, 32, 33, 40, 41, 97, 99, 100])
def test_an_item_has_a_mask_exactly_if_it_is_padded(n: int) -> None:
    item = tokens().item("w " * n)
    length = len(item["input_ids"])
    assert length == min(bucket(n), 100) and ("attention_mask" in item) == (length > n)
    if "attention_mask" in item:
        assert item["attention_mask"].tolist() == [1] * n + [0] * (length - n)


def test_windows_are_all_full_but_one(n: int = 230) -> None:
    item = tokens(windows="mean").item("w " * n)
    assert item["full_windows"].shape == (2, 100) and item["input_ids"][:30].all()
    assert shape_of(tokens(windows="mean").item("w " * 100)) == shape_of(tokens().item("w " * 100))
    assert tokens(windows="mean").item("w " * 200)["full_windows"].shape == (1, 100)


def test_what_is_cut_is_counted() -> None:
    assert tokens().measure("w " * 230) == Length(230, 130)
    assert tokens(windows="mean").measure("w " * 230) == Length(230, 0)
    assert tokens(prompt="a b ").measure("w " * 99) == Length(99, 1)


def test_noise_is_padded_and_the_same_each_time() -> None:
    one, again = tokens().noise(3), tokens().noise(3)
    assert all("attention_mask" in item for item in one)
    np.testing.assert_array_equal([item["input_ids"] for item in one], [item["input_ids"] for item in again])


def test_a_text_without_tokens_is_unreadable() -> None:
    with pytest.raises(UnreadableSample, match="no token"):
        tokens().item(" ")


def test_the_tokenizer_itself_is_in_no_key() -> None:
    assert described(tokens()) == {"tokenizer": "digest", "max_length": 100, "prompt": "", "windows": "first"}
    assert tokens() == tokens(table=None)


@pytest.mark.parametrize(
    "wrong", [{"max_length": 0}, {"max_length": True}, {"max_length": 1 << 40}, {"windows": "all"}, {"prompt": 3}]
)
def test_fields_of_a_record_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        tokens(**wrong)


def test_a_text_without_a_token_that_is_known_is_told_apart() -> None:
    strange = "abcdefghijklm"
    assert tokens().measure(f"{strange} {strange}") == Length(2, 0, unknown=True)
    assert not tokens().measure(f"{strange} b").unknown
    assert tokens(prompt="a b ").measure(strange).unknown
    late = f"{strange} " * 100 + "b"  # in the second window
    assert tokens().measure(late).unknown and not tokens(windows="mean").measure(late).unknown
