"""How far long work is: stages tell whoever watches, and print nothing themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Watcher = Callable[[str, str, int, int], None]
"""Told what is done, the unit of what is counted (in the plural), how many are done, and of how many."""

_WATCHER: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


def tell(what: str, unit: str, done: int, total: int) -> None:
    """Tell whoever watches how far something is; nobody does in another thread or process."""
    watcher = _WATCHER.get()
    if watcher:
        watcher(what, unit, done, total)


@contextmanager
def watched(by: Watcher) -> Iterator[None]:
    """Have a watcher told of the work that is done meanwhile."""
    token = _WATCHER.set(by)
    try:
        yield
    finally:
        _WATCHER.reset(token)
