"""Images, recordings or texts of one sample's name: ``0.jpg`` beside ``0.1.jpg``. Which is the sample is a question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from frostline.stages.modalities.registry import MODALITIES

_MOST = 8  # components that are suggested


@dataclass(frozen=True)
class Dotted:
    """A member whose name has several dots, as ``cat/0.left.jpg``: of the sample ``cat/0`` the ``left.jpg``.

    ``group``: the number of that sample's name.
    """

    name: str
    key: str
    component: str
    group: int
    modality: str


def questions(dotted: Sequence[Dotted], plain: Mapping[int, str]) -> list[str]:
    """Return what each such member is beside others of its name. ``plain``: names of members with one dot, by group."""
    first, found = dict(plain), []
    for one in dotted:
        before = first.setdefault(one.group, one.name)
        second = f"a second {MODALITIES.load(one.modality).noun} of the name {one.key}, in addition to {before}"
        found.append(f"{one.name}: {'a name with several dots' if before == one.name else second}")
    return found


def advice(dotted: Sequence[Dotted], plain: Mapping[int, str]) -> str:
    """Return what to do: choose a component that every sample has, no mere number, or rename."""
    of: dict[str, set[int]] = {}
    for one in dotted:
        of.setdefault(one.component, set()).add(one.group)
    for group, name in plain.items():
        of.setdefault(name.rpartition(".")[2].lower(), set()).add(group)
    all_groups = set().union(*of.values())
    whole = [component for component, groups in of.items() if groups == all_groups and not _counts(component)]
    said = " or ".join(f"--input {component}" for component in sorted(whole)[:_MOST])
    choose = f"Choose the sample's component by {said}, which ignores the others; or rename" if said else "Rename"
    return f"A sample's name ends at its first dot. {choose} them: no dot except the one before the ending"


def _counts(component: str) -> bool:
    return any(part.isdecimal() for part in component.split("."))
