"""Names as people mean them: which spellings of a class, a split or a column are one.

=====================================  ==========================================================
two names differ in                    they are
=====================================  ==========================================================
Unicode form (NFC, NFD), spaces,       one name; a note says both
``1`` and ``1.0``
case, between training and test        one name, where training has one such; a note says both
case, within training                  an error that says both: one class or two? Single letters
                                       (``A`` and ``a``) are two
=====================================  ==========================================================
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

_INVISIBLE = dict.fromkeys(map(ord, "\u200b\ufeff\u2060\u00ad"))
_WHOLE = re.compile(r"([+-]?\d+)\.0*")
_SIDE_BY_SIDE = 3


@lru_cache(4096)
def meant(name: str) -> str:
    """Return a name without what nobody sees or means: one Unicode form, single spaces, ``1`` for ``1.0``.

    >>> meant(" cafe\u0301  noir "), meant("3.00"), meant("3.5")
    ('café noir', '3', '3.5')
    """
    plain = " ".join(unicodedata.normalize("NFC", name).translate(_INVISIBLE).split())
    whole = _WHOLE.fullmatch(plain)
    return whole[1] if whole else plain


@lru_cache(4096)
def folded(name: str) -> str:
    """Return the same in lower case.

    >>> folded("Validation ") == folded("validation")
    True
    """
    return unicodedata.normalize("NFC", meant(name).casefold())


@dataclass(frozen=True)
class Spellings:
    """``classes``: sorted. ``of``: each spelling's class. ``notes`` and ``faults``: what differs, one phrase each."""

    classes: tuple[str, ...]
    of: Mapping[str, str]
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def spellings(train: Mapping[str, int], test: Iterable[str] = ()) -> Spellings:
    """Return which class each name means. ``train``: the names in training and how often each; ``test``: in test.

    A class is called as training most often spells it. Names that are in test alone are classes of their own.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(train):
        groups[meant(name)].append(name)
    called = {key: max(names, key=lambda name: train[name]) for key, names in groups.items()}
    of = {name: called[key] for key, names in groups.items() for name in names}
    faults = tuple(_case_faults(called))
    by_case = {folded(key): key for key in called}
    for name in sorted(set(test) - set(of)):
        key = meant(name)
        of[name] = called.get(key) or called.get(by_case.get(folded(name), ""), name)
    notes = [_note(of[name], name) for name in sorted(of) if of[name] != name]
    return Spellings(tuple(sorted(set(of.values()))), of, tuple(notes), faults)


def _case_faults(called: Mapping[str, str]) -> Iterable[str]:
    alike: dict[str, list[str]] = defaultdict(list)
    for key, name in called.items():
        alike[folded(key)].append(name)
    for names in alike.values():
        if len(names) > 1 and len(meant(names[0])) > 1:
            said = " and ".join(map(repr, names))
            yield f"{said} differ only in case: are they one class or two? Spell them the same, or rename one"


def _note(name: str, other: str) -> str:
    return (
        f"{shown(other, name)} and {shown(name, other)} are treated as one class: they differ only in "
        f"{difference(name, other)}"
    )


def difference(one: str, other: str) -> str:
    """Return what two names that mean one thing differ in."""
    if meant(one) != meant(other):
        return "case"
    if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
        return "Unicode form"
    return "spaces" if "".join(one.split()) == "".join(other.split()) else "how they are written"


def shown(name: str, beside: str = "") -> str:
    """Return a name in quotes; letters beyond ASCII written out where it looks like the one next to it."""
    same = unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", beside) and name != beside
    return ascii(name) if same else repr(name)


def nearest(name: str, known: Sequence[str], count: int = _SIDE_BY_SIDE) -> list[str]:
    """Return the known names that are most like a name, the likeliest first; maybe none."""
    by_fold = {_compatible(one): one for one in known}
    return [by_fold[one] for one in get_close_matches(_compatible(name), by_fold, count, 0.6)]


def _compatible(name: str) -> str:
    """Return a name with letters of another width or style as plain ones."""
    return folded(unicodedata.normalize("NFKC", name))


def missing_note(names: Iterable[str]) -> list[str]:
    """Return a note for names that look like a label that is missing, as pandas writes it; none if there are none."""
    return [f"class {name!r}: is it a missing label, as written by pandas?" for name in names if is_missing(name)]


def is_missing(name: str) -> bool:
    """Return whether a name is how pandas writes a value that is missing."""
    return folded(name) in ("nan", "<na>", "nat")
