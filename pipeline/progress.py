"""How far long work is: on a terminal a bar with rate and time left, in a pipe nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from frostline.stages.progress import watched

_AFTER = 1.0  # seconds: what is done sooner needs no bar


class Bar:
    """A bar on stderr that appears after a second, if stderr is a terminal."""

    def __init__(self, what: str, unit: str, total: int | None = None, *, stays: bool = False) -> None:
        from tqdm import tqdm

        how: dict[str, Any] = {"delay": 0, "smoothing": 0.05} if stays else {"leave": False, "delay": _AFTER}
        self.what = what
        self._bar = tqdm(total=total, desc=what, unit=f" {unit}", disable=None, **how)

    def add(self, count: int) -> None:
        """Show that more are done."""
        self._bar.update(count)

    def at(self, done: int, total: int) -> None:
        """Show how many are done, and of how many, 0 where nobody knows."""
        self._bar.total = total or None
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()


@contextmanager
def bar(what: str, unit: str, total: int | None = None, *, stays: bool = False) -> Iterator[Bar]:
    """Show a bar; ``what`` is done, as ``reading``, to what is counted in a ``unit``, in the plural.

    ``total``: None where nobody knows. ``stays``: it is there from the beginning, and left when all is done.
    """
    shown = Bar(what, unit, total, stays=stays)
    try:
        yield shown
    finally:
        shown.close()


@contextmanager
def showing() -> Iterator[None]:
    """Show what stages tell of their work, one bar at a time: what is told within other work is part of that."""
    bars: list[Bar] = []

    def watcher(what: str, unit: str, done: int, total: int) -> None:
        if bars[0].what != what if bars else done >= total:
            return
        if not bars:
            bars.append(Bar(what, unit, total))
        bars[0].at(done, total)
        if done >= total:
            bars.pop().close()

    try:
        with watched(watcher):
            yield
    finally:
        for one in bars:
            one.close()
