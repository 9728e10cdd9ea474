"""TF-IDF: what a text is without any network; learned of the words of training texts alone, never of their labels."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from frostline.stages.errors import ConfigError
from frostline.stages.modalities.base import Item
from frostline.stages.records.sealed import digest

MOST_TERMS = 2048
_WORD = re.compile(r"\b\w\w+\b")
_MOST_BYTES = 1 << 24


@dataclass(frozen=True)
class Vocabulary:
    """Terms, words and pairs of neighbours in lower case, each with its inverse document frequency.

    ``idf``: ln((1 + n) / (1 + df)) + 1, of n texts and df with the term, as scikit-learn's ``TfidfVectorizer``.
    """

    terms: tuple[str, ...]
    idf: tuple[float, ...]

    @cached_property
    def place(self) -> dict[str, int]:
        return {term: at for at, term in enumerate(self.terms)}

    @property
    def digest(self) -> str:
        return digest([list(self.terms), [float.hex(one) for one in self.idf]])

    def to_json(self) -> bytes:
        """Return it as a file's bytes; ``read_vocabulary`` reads them."""
        return json.dumps({"terms": self.terms, "idf": self.idf}, ensure_ascii=False).encode()


def learn_vocabulary(texts: Iterable[str]) -> Vocabulary:
    """Return the commonest 2,048 terms of texts; of equally common ones the first by name."""
    total, holding, count = Counter[str](), Counter[str](), 0
    for text in texts:
        found = Counter(terms_of(text))
        total.update(found)
        holding.update(found.keys())
        count += 1
    terms = sorted(sorted(total, key=lambda term: (-total[term], term))[:MOST_TERMS])
    return Vocabulary(tuple(terms), tuple(math.log((1 + count) / (1 + holding[term])) + 1 for term in terms))


def read_vocabulary(path: Path) -> Vocabulary:
    """Return the vocabulary in a file. Raises ConfigError if it holds none."""
    try:
        said = json.loads(path.read_bytes()) if path.stat().st_size <= _MOST_BYTES else {}
        terms, idf = tuple(map(str, said["terms"])), tuple(map(float, said["idf"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError(
            f"no vocabulary in {path} ({type(error).__name__}); expected a vocabulary written by `frostline run`"
        ) from error
    if not 0 < len(terms) == len(set(terms)) == len(idf) <= MOST_TERMS or not all(map(math.isfinite, idf)):
        raise ConfigError(f"no vocabulary in {path}; expected up to {MOST_TERMS:,} terms, each with a weight")
    return Vocabulary(terms, idf)


def terms_of(text: str) -> Iterator[str]:
    """Yield a text's words of two letters or more, in lower case, and pairs of neighbours."""
    words = _WORD.findall(text.lower())
    yield from words
    yield from (f"{first} {second}" for first, second in pairwise(words))


@dataclass(frozen=True)
class TermWeights:
    """A text as the weights of its terms, ``weights``, float32 (terms,): (1 + ln count) idf, of length 1.

    ``vocabulary``: its digest; ``table``: itself. A text without a known term is zeros.
    """

    modality: ClassVar[str] = "text"
    vocabulary: str
    table: Vocabulary | None = field(default=None, compare=False, repr=False)

    def item(self, sample: str, _view: Any = "plain") -> Item:
        table = self._table
        weights = np.zeros(len(table.terms))
        for term, count in Counter(terms_of(sample)).items():
            if (at := table.place.get(term)) is not None:
                weights[at] = (1 + math.log(count)) * table.idf[at]
        length = float(np.linalg.norm(weights))
        return {"weights": (weights / (length or 1.0)).astype(np.float32)}

    def noise(self, n: int) -> list[Item]:
        rows = np.random.default_rng(0).random((n, len(self._table.terms)), np.float32)
        return [{"weights": row} for row in rows]

    @property
    def _table(self) -> Vocabulary:
        if self.table is None:
            raise TypeError("this transform was read from a record, and has no vocabulary")
        return self.table
