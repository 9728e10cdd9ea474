"""Doors: named objects of one kind, built in or from an installed distribution, loaded on first use.

A distribution adds to a door by an entry point, in its ``pyproject.toml``::

    [project.entry-points."frostline.heads"]
    mine = "my_package.head:KIND"
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from frostline.stages.errors import ConfigError, FrostlineError, unknown_name

T = TypeVar("T")


class Door(Generic[T]):
    """A registry: named objects of one kind.

    Args:
        kind: the noun for one of them in messages, such as ``head``.
        group: the group of entry points of distributions, such as ``frostline.heads``.
        built_in: the objects of Frostline itself, or their places as ``module:attribute``.
        is_one: checks an object that a distribution provides.

    A built-in name always means the built-in object, whatever else is installed.

    >>> door = Door("shape", "example.shapes", {"square": 4, "pi": "math:pi"})
    >>> door.names()
    ('square', 'pi')
    >>> door.load("pi")
    3.141592653589793
    """

    def __init__(
        self, kind: str, group: str, built_in: Mapping[str, T | str], is_one: Callable[[object], bool] = bool
    ) -> None:
        self.kind = kind
        self.group = group
        self.is_one = is_one
        self._built_in = built_in
        self._loaded: dict[str, T] = {}

    def names(self) -> tuple[str, ...]:
        """Return all names: the built-in ones in their order, then those of distributions in alphabetical order."""
        return (*self._built_in, *sorted(set(self._added) - set(self._built_in)))

    def __contains__(self, name: object) -> bool:
        return name in self._built_in or name in self._added

    def load(self, name: str) -> T:
        """Return the object of a name.

        Raises ConfigError if the name is unknown, if two distributions provide it, if its code can't be loaded, or if
        the object is of another kind.
        """
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def _load(self, name: str) -> T:
        if name in self._built_in:
            found = self._built_in[name]
            there: T = _attribute(found) if isinstance(found, str) else found
            return there
        added = self._added.get(name, [])
        if not added:
            raise unknown_name(self.kind, name, self.names())
        if len(added) > 1:
            by = " and ".join(sorted(_distribution(one) for one in added))
            raise ConfigError(f"{self.kind} {name!r} comes from {by}; uninstall all but one of them")
        try:
            loaded: T = added[0].load()
        except Exception as error:  # a distribution's code may raise anything
            what = f"{self.kind} {name!r} of {_distribution(added[0])} can't be loaded"
            raise ConfigError(f"{what} ({type(error).__name__}: {error}); repair or uninstall it") from error
        if not self.is_one(loaded):
            found = f"{self.kind} {name!r} of {_distribution(added[0])} is {loaded!r:.200}"
            raise ConfigError(f"{found}; expected what docs/extend.md specifies for it")
        return loaded

    def distribution(self, name: str) -> dict[str, str]:
        """Return the distribution of a name, with its version; an empty dict for a built-in name."""
        added = [] if name in self._built_in else self._added.get(name, [])
        return {one.dist.name: one.dist.version for one in added if one.dist}

    @contextmanager
    def blamed(self, name: str) -> Iterator[None]:
        """Turn errors of a distribution's code into a ConfigError that names it; other errors stay as they are."""
        try:
            yield
        except FrostlineError:
            raise
        except Exception as error:
            if name in self._built_in or name not in self._added:
                raise
            by = _distribution(self._added[name][0])
            raise ConfigError(f"{self.kind} {name!r} of {by} failed ({type(error).__name__}: {error})") from error

    @cached_property
    def _added(self) -> dict[str, list[EntryPoint]]:
        return installed(self.group)


def installed(group: str) -> dict[str, list[EntryPoint]]:
    """Return the entry points of a group by name; none is loaded."""
    found: dict[str, list[EntryPoint]] = {}
    for one in entry_points(group=group):
        found.setdefault(one.name, []).append(one)
    return found


def _attribute(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def _distribution(one: EntryPoint) -> str:
    return one.dist.name if one.dist else one.value
