"""A text to the tokens that a network is given: as many as it has, up to 32; above, rounded up to a bucket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import Item, Length

Windows = Literal["first", "mean"]
_EXACT = 32  # tokens: below, no two lengths share a bucket
_LEAST_STEP = 8
_NOISE = 35  # tokens: more than are exact, so that they are padded
_TRIALS = ((8, 5), (8, _NOISE))  # texts, tokens
_LONGEST = 1 << 20


class Encoding(Protocol):
    """One window of tokens, and the windows that follow it."""

    @property
    def ids(self) -> list[int]: ...

    @property
    def special_tokens_mask(self) -> list[int]: ...

    @property
    def overflowing(self) -> Sequence[Encoding]: ...


class Tokenizer(Protocol):
    """What cuts a text into windows of tokens, each with its special tokens and of at most ``max_length``."""

    pad: int
    vocabulary: int
    special: frozenset[int]  # tokens that say nothing of a text: that of unknown words, of padding, of its ends

    def encode(self, text: str, /) -> Encoding: ...


@dataclass(frozen=True)
class Tokens:
    """How a text becomes tokens; the names of its arrays are those of transformers.

    ``input_ids``, int64 (t,); ``attention_mask``, int64 (t,), only where t is more than the text's own tokens: so of
    the items of one shape all are padded or none is, and a network's shortcut for batches without padding is treated as
    all or none. With ``windows`` ``mean`` a text of more than ``max_length`` tokens has its full windows, but one, as
    ``full_windows``, int64 (n, max_length); else it is cut.

    ``tokenizer``: the SHA-256 of its files. ``max_length``: tokens of one window, special ones included. ``prompt``:
    stands before each text. ``table``: the tokenizer itself.
    """

    modality: ClassVar[str] = "text"
    unit: ClassVar[str] = "tokens"
    tokenizer: str
    max_length: int
    prompt: str = ""
    windows: Windows = "first"
    table: Tokenizer | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError for fields that can't be: a record's may be a stranger's."""
        if type(self.max_length) is not int or not 0 < self.max_length <= _LONGEST:
            raise ValueError(f"max_length {self.max_length!r}; expected a number of tokens from 1 to {_LONGEST:,}")
        if self.windows not in get_args(Windows) or type(self.prompt) is not str or type(self.tokenizer) is not str:
            raise ValueError(f"windows {self.windows!r}; expected one of {', '.join(get_args(Windows))}")

    def item(self, sample: str, _view: Any = "plain") -> Item:
        first = self._encode(sample)
        several = self.windows == "mean" and len(first.overflowing) > 0
        windows = [first.ids, *(one.ids for one in first.overflowing)] if several else [first.ids]
        if not all(windows):
            raise UnreadableSample("no token of the text is left")
        windows.sort(key=len)  # one at most is not full
        last, *full = (np.array(ids, np.int64) for ids in windows)
        item = padded(last, self._table.pad, self.max_length)
        return {**item, "full_windows": np.stack(full)} if full else item

    @property
    def has_room(self) -> bool:
        """Whether a text's own tokens fit behind the prompt."""
        return not self.prompt or len(self._encode("").ids) < self.max_length

    def measure(self, sample: str) -> Length:
        """Return how many tokens of its own a text has, without its prompt's, how many are cut off, if any is known."""
        first, prompt = self._encode(sample), _own(self._encode("")) if self.prompt else 0
        kept, rest = max(0, _own(first) - prompt), sum(map(_own, first.overflowing))
        unknown = not self._has_known(self._table.encode(sample) if self.prompt else first)
        return Length(kept + rest, 0 if self.windows == "mean" else rest, unknown)

    def _has_known(self, first: Encoding) -> bool:
        read = [first, *first.overflowing] if self.windows == "mean" else [first]
        return any(not self._table.special.issuperset(one.ids) for one in read)

    def noise(self, n: int) -> list[Item]:
        return self._noise(n, _NOISE)

    def trials(self) -> Iterator[list[Item]]:
        """Yield noise of two lengths: a row of the second is as many tokens as eight of the first."""
        return (self._noise(n, length) for n, length in _TRIALS)

    def _noise(self, n: int, tokens: int) -> list[Item]:
        table, length = self._table, min(tokens, self.max_length)
        ids = np.random.default_rng(0).integers(0, table.vocabulary, (n, length), np.int64)
        ids[ids == table.pad] = (table.pad + 1) % table.vocabulary
        return [padded(row, table.pad, self.max_length) for row in ids]

    def _encode(self, sample: str) -> Encoding:
        return self._table.encode(self.prompt + sample)

    @property
    def _table(self) -> Tokenizer:
        if self.table is None:
            raise TypeError("this transform was read from a record, and has no tokenizer")
        return self.table


def bucket(length: int) -> int:
    """Return a length itself up to 32, else rounded up to a step of an eighth to a quarter of it.

    >>> [bucket(n) for n in (7, 33, 65, 130, 257, 512)]
    [7, 40, 80, 160, 320, 512]
    """
    if length <= _EXACT:
        return length
    step = max(_LEAST_STEP, 1 << ((length - 1).bit_length() - 3))
    return -(-length // step) * step


def padded(ids: NDArray[np.int64], pad: int, most: int) -> dict[str, NDArray[np.int64]]:
    """Return the arrays of one window, padded to its bucket, or to ``most`` tokens where that is less."""
    length = min(bucket(len(ids)), most)
    if length == len(ids):
        return {"input_ids": ids}
    found = np.full(length, pad, np.int64)
    found[: len(ids)] = ids
    return {"input_ids": found, "attention_mask": (np.arange(length) < len(ids)).astype(np.int64)}


def _own(encoding: Encoding) -> int:
    return len(encoding.ids) - sum(encoding.special_tokens_mask)
