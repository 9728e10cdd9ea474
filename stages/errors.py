"""Every error that Frostline raises on purpose.

    FrostlineError
    ├── ConfigError      a name, value or file of settings that can't be used      exit 2
    │   └── MissingResult     a score or a head that an object doesn't have
    ├── DataError        the samples, or what is computed from them, can't be used exit 3
    │   └── UnreadableSample  one sample's reason; quarantined by the stages
    └── StoreError       the cache is damaged, mismatched or can't be written      exit 4
        └── DamagedShard      one shard; extracting makes it again

A message says what was found, what was wanted and what to do next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class FrostlineError(Exception):
    """The root; ``exit_code`` is the command's exit status."""

    exit_code = 1


class ConfigError(FrostlineError):
    """A setting, name or weights file can't be used as asked."""

    exit_code = 2


class MissingResult(ConfigError, AttributeError):
    """A result that an object of this kind doesn't have; ``hasattr`` says so, too."""


class DataError(FrostlineError):
    """The input data can't be used as they are."""

    exit_code = 3


class UnreadableSample(DataError):
    """One sample can't be decoded; the message is the reason alone."""


class StoreError(FrostlineError):
    """A file of the cache is damaged, belongs to something else or can't be written."""

    exit_code = 4


class DamagedShard(StoreError):
    """A committed shard is not what its record says; ``shard`` is its number, ``found`` what was found alone.

    ``mends``: the command that computes it again.
    """

    def __init__(self, shard: int, path: object, what: str, mends: str = "`frostline extract`") -> None:
        self.found = f"{path} is damaged: {what}"
        super().__init__(f"{self.found}; {mends} computes that shard again")
        self.shard = shard
        self.path = str(path)


_NAMED = 40


def unknown_name(kind: str, name: str, known: Iterable[str], wanted: str = "") -> ConfigError:
    """Return the error for a name that isn't known: with the nearest known ones, else ``wanted``, else all known."""
    names = {n.lower(): n for n in sorted(known)}
    near = [names[n] for n in get_close_matches(name.lower(), names, 3, 0.6)]
    every = list(names.values())
    more = f" and {len(every) - _NAMED:,} more" if len(every) > _NAMED else ""
    known_ones = wanted or f"known: {', '.join(every[:_NAMED])}{more}"
    hint = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else known_ones
    return ConfigError(f"unknown {kind} {name!r}; {hint}")


def listing(items: Sequence[str], limit: int = 20) -> str:
    """Return one indented line per item, fit for a terminal, and the number of those past ``limit``."""
    lines = [f"  {printable(shortened(item))}" for item in items[:limit]]
    if len(items) > limit:
        lines.append(f"  … and {len(items) - limit:,} more")
    return "\n".join(lines)


def shortened(text: str, limit: int = 500) -> str:
    """Return a text without its middle if it is longer than ``limit``: a stranger's name may be megabytes."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]}…{text[-half:]}"


def printable(text: str) -> str:
    """Return a name with what would steer a terminal, or break its line, written out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def one(noun: str) -> str:
    """Return ``an image``, ``a text``."""
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"


def counted(n: int, noun: str) -> str:
    """Return ``1 image``, ``2 images``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}{'es' if noun.endswith(('s', 'x')) else 's'}"
