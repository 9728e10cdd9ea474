"""Tables that the reader can sort without a script: each row knows its place in every order, and CSS does the rest.

The page's policy allows no script. A radio button for each order, ``:has(:checked)`` and the property ``order`` put the
rows in place; without support for these they stay as they are written, and so do they for screen readers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
Orders = Mapping[str, tuple[str, Callable[[T], Any]]]
"""By a short name, for which ``style.css`` has a rule: a title, and the key by which rows are sorted."""


def titles(orders: Orders[T]) -> tuple[tuple[str, str], ...]:
    """Return the short name and the title of each order."""
    return tuple((name, title) for name, (title, _) in orders.items())


def places(rows: Sequence[T], orders: Orders[T]) -> list[str]:
    """Return for each row its place in every order, from 0, as a style."""
    found: list[list[str]] = [[] for _ in rows]
    for name, (_, key) in orders.items():
        for place, row in enumerate(sorted(range(len(rows)), key=lambda i: key(rows[i]))):
            found[row].append(f"--{name}:{place}")
    return [";".join(own) for own in found]
