"""How many threads decode: found by trying, since thumbnails are decoded faster by few and photographs by many."""

from __future__ import annotations

from collections import deque
from math import inf


class ThreadTrial:
    """Tries all threads, a quarter of them and one, as long as fewer are not slower.

    ``best``: the fastest number of those tried so far; before that, all.
    """

    def __init__(self, max_threads: int) -> None:
        numbers = dict.fromkeys((max_threads, max(1, max_threads // 4), 1))
        self._left = deque([max_threads, *numbers] if len(numbers) > 1 else [])  # the first one warms up
        self._warm, self._seconds = False, inf
        self.best = max_threads

    @property
    def candidate(self) -> int | None:
        """The number of threads to be tried next; None once the best is known."""
        return self._left[0] if self._left else None

    def tell(self, seconds: float) -> None:
        """Note how many seconds a row took with the candidate."""
        tried = self._left.popleft()
        if self._warm and seconds <= self._seconds:
            self.best, self._seconds = tried, seconds
        elif self._warm:
            self._left.clear()
        self._warm = True
