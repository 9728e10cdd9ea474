"""How far something is: on a terminal a bar with rate and time left, in a pipe nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_AFTER = 1.0  # seconds: what is done sooner needs no bar

Tick = Callable[[int, int], None]
"""Told how many are done, and of how many."""


@contextmanager
def counting(what: str, unit: str, total: int | None = None) -> Iterator[Tick]:
    """Show a bar on stderr, from a second on, and only on a terminal; it goes away at the end.

    ``what``: is done, as ``reading``; ``unit``: of what is counted, in the plural; ``total``: 0 where nobody knows.
    """
    from tqdm import tqdm

    with tqdm(total=total, desc=what, unit=f" {unit}", disable=None, leave=False, delay=_AFTER) as bar:

        def tick(done: int, total: int) -> None:
            bar.total = total or None
            bar.update(done - bar.n)

        yield tick
