"""Which names are those of splits: by what people call them, alone or with something that several share."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from frostline.stages.datasets.names import folded

Roles = dict[str, list[str]]

_ROLES = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "eval", "evaluation"), "val"),
}
_SUFFIX = re.compile(r"[\s_.-]*(set|split|data|images|folder)$")
_PARTS = re.compile(r"[\s_.-]+")
_ENDING = re.compile(rf"({'|'.join(_ROLES)})(\d{{1,4}}|[a-z])")


def role(name: str) -> str | None:
    """Return ``train``, ``test`` or ``val`` for a folder that is called like one.

    >>> role("Training"), role("valid"), role("test_set"), role("cat")
    ('train', 'val', 'test', None)
    """
    return _ROLES.get(_SUFFIX.sub("", folded(name)))


def by_role(names: Sequence[str]) -> Roles:
    """Return the names of each role; where none trains, by what they share.

    That is a word, ``seg_train`` beside ``seg_test``, or a year, a number or a letter at the end, ``train2017`` beside
    ``val2017``. Names that share several such are all given.

    >>> by_role(["trainA", "testA", "trainB", "testB"])
    {'train': ['trainA', 'trainB'], 'test': ['testA', 'testB'], 'val': []}
    """
    found: Roles = defaultdict(list)
    for name in names:
        found[role(name) or ""].append(name)
    return found if found["train"] else _by_what_is_shared(names) or found


def held_out_like(name: str) -> tuple[str, bool] | None:
    """Return which split a name such as ``test1`` or ``test_stg1`` has the word of, and whether the rest is a number.

    >>> held_out_like("test1"), held_out_like("test_masks"), held_out_like("contest")
    (('test', True), ('test', False), None)
    """
    found = [(_ROLES[own], all(map(str.isdecimal, rest))) for own, rest in _taken_apart(folded(name))]
    return next((one for one in found if one[0] != "train"), None)


def classes_apart(roles: Roles) -> dict[str, Roles]:
    """Return the folders by what else they are called, where each such name trains and may be a class.

    >>> classes_apart({"train": ["trainA", "trainB"], "test": ["testA"]})
    {'A': {'train': ['trainA'], 'test': ['testA']}, 'B': {'train': ['trainB']}}
    """
    found: dict[str, Roles] = defaultdict(lambda: defaultdict(list))
    for split, names in roles.items():
        for name in names:
            for own, rest in _taken_apart(folded(name)):
                if _ROLES[own] == split and len(rest) == 1:
                    n = len(rest[0])
                    found[name[:n] if folded(name).startswith(rest[0]) else name[-n:]][split].append(name)
    return {own: dict(of) for own, of in found.items() if of["train"]}


def _by_what_is_shared(names: Sequence[str]) -> Roles | None:
    groups: dict[tuple[str, ...], Roles] = defaultdict(lambda: defaultdict(list))
    for name in names:
        for own, rest in _taken_apart(folded(name)):
            groups[rest][_ROLES[own]].append(name)
    whole = [found for found in groups.values() if found["train"] and (found["test"] or found["val"])]
    held = ("train", "test", "val")
    return {one: [name for found in whole for name in found[one]] for one in held} if whole else None


def _taken_apart(name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the word for a split in a name, and what is left."""
    parts = _PARTS.split(name)
    for own, rest in ((parts[-1], parts[:-1]), (parts[0], parts[1:])):
        if own in _ROLES and rest:
            yield own, tuple(rest)
    ending = _ENDING.fullmatch(name)
    if ending:
        yield ending[1], (ending[2],)
