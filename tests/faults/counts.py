"""How many points each campaign tried, printed at the end of the tests."""

from __future__ import annotations

from collections import Counter


class Points:
    """Counts by name."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def add(self, name: str, n: int = 1) -> None:
        self.counts[name] += n
