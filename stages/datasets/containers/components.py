"""Samples of several members each, by the names that the WebDataset format gives them.

``cats/001.jpg`` and ``cats/001.cls`` are two components, ``jpg`` and ``cls``, of the sample ``cats/001``: a name up to
the first dot of its last part. One component is what a network is given, the others say something of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from frostline.stages.datasets.clutter import is_clutter
from frostline.stages.datasets.containers.members import Member, Part, PartBuilder
from frostline.stages.datasets.containers.second_names import Dotted, advice, questions
from frostline.stages.datasets.index import check_size
from frostline.stages.datasets.json_lines import plain_fields
from frostline.stages.datasets.walk import FILE_MODALITIES, endings_of
from frostline.stages.errors import DataError, UnreadableSample, counted, listing
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.records.packed_names import PackedNames

LABEL, FIELDS, TEXT = "cls", "json", "txt"
_TEXT_MODALITY = "text"
_LONGEST = 1 << 20  # bytes of a component that says something of a sample
_MODALITY_OF = {one[1:]: name for name in FILE_MODALITIES for one in endings_of(name)} | {TEXT: _TEXT_MODALITY}

Read = Callable[[int, int], bytes]
"""Returns the bytes at an offset, of a length."""


def split_name(name: str) -> tuple[str, str] | None:
    """Return (key, component) of a member, the component in lower case; None for a name that says neither.

    >>> split_name("cats/001.seg.PNG"), split_name("cats.v2/README"), split_name("cats/.hidden")
    (('cats/001', 'seg.png'), None, None)
    """
    folder, slash, last = name.rpartition("/")
    key, dot, component = last.partition(".")
    return (f"{folder}{slash}{key}", component.lower()) if key and dot and component else None


class Components:
    """Takes in the members of one container, in any order, and puts together those of one sample.

    Args:
        read: reads the container.
        asked: the component that is the sample; None: the image or the recording, and where there is none, the text.
        modality: which of images and recordings are the samples, where there are both; None: that is an error.
    """

    def __init__(self, read: Read, asked: str | None = None, modality: str | None = None) -> None:
        if asked and asked.rpartition(".")[2] not in _MODALITY_OF:
            raise DataError(f"--input {asked}: expected the ending of images or recordings, or {TEXT}")
        self._read = read
        self._asked, self._wanted = asked, modality
        self._groups: dict[str, int] = {}
        self._samples: dict[str, _OfModality] = {}
        self._cells: dict[str, dict[int, str]] = {}
        self._told: set[tuple[int, str]] = set()
        self._dotted: list[Dotted] = []
        self._passed: Counter[str] = Counter()
        self._wrong: list[str] = []

    def add(self, member: Member) -> None:
        """Take in a member."""
        parts = split_name(member.name)
        if parts is None or is_clutter(member.name.rpartition("/")[2]):
            self._passed["a name without a key and an ending"] += 1
            return
        key, component = parts
        group = self._groups.setdefault(key, len(self._groups))
        if modality := self._modality_of(component):
            self._add_sample(modality, group, member)
        if component in (LABEL, FIELDS, TEXT):
            self._add_text(group, component, member)
        elif not modality and not self._asked and (like := _MODALITY_OF.get(component.rpartition(".")[2])):
            self._dotted.append(Dotted(member.name, key, component, group, like))
        elif not modality:
            self._passed[f".{component}"] += 1

    def _modality_of(self, component: str) -> str | None:
        """Return what a component is if it may be the sample; None if it only says something."""
        if self._asked:
            return _MODALITY_OF[component.rpartition(".")[2]] if component == self._asked else None
        return _MODALITY_OF.get(component)

    def _add_sample(self, modality: str, group: int, member: Member) -> None:
        samples = self._samples.setdefault(modality, _OfModality(modality))
        before = samples.names.setdefault(group, member.name)
        if len(samples.names) == len(samples.groups):
            same = (
                f"{before} and {member.name} have the same name: which one is the sample? Choose with --input, such "
                "as --input jpg"
            )
            self._wrong.append(f"{before} appears twice" if before == member.name else same)
            return
        samples.groups.append(group)
        read = partial(_sample_bytes, self._read, member, MODALITIES.load(modality).max_bytes)
        samples.builder.add(member.name, (member.offset, member.size), read)

    def _add_text(self, group: int, component: str, member: Member) -> None:
        """Take in what a member says of its sample; a text may be the sample itself, and then need not be sound."""
        try:
            if (group, component) in self._told:
                raise ValueError("appears twice")
            self._told.add((group, component))
            text = _told_text(self._read, member)
            fields = plain_fields(text) if component == FIELDS else {component: text}
        except ValueError as error:
            if component != TEXT:
                self._wrong.append(f"{member.name}: {error}")
            return
        for name, cell in fields.items():
            if component != FIELDS or name not in (LABEL, TEXT):
                self._cells.setdefault(name, {})[group] = cell

    def part(self, name: str) -> Part:
        """Return the samples, in the order of what they are. Raises DataError with all that is wrong."""
        samples = self._chosen()
        doubted = self._doubted(samples)
        plain = samples.names if doubted and doubted[0].modality == samples.modality else {}
        self._wrong += questions(doubted, plain)
        if self._wrong:
            what_to_do = f"\n{advice(doubted, plain)}" if doubted else ""
            raise DataError(f"{name} can't be used:\n{listing(self._wrong)}{what_to_do}")
        if samples.modality == _TEXT_MODALITY:
            self._cells.pop(TEXT, None)
        columns = {
            name: PackedNames.of(cells.get(group, "") for group in samples.groups)
            for name, cells in self._cells.items()
        }
        part = samples.builder.part(columns, self._notes(samples))
        return replace(part, is_choice=len(self._files()) > 1)

    def _files(self) -> list[_OfModality]:
        """Return the images and the recordings, those that are expected first."""
        found = [one for name, one in self._samples.items() if name != _TEXT_MODALITY]
        return sorted(found, key=lambda one: one.modality != self._wanted)

    def _chosen(self) -> _OfModality:
        """Return the samples: images or recordings, not both, else texts."""
        found = self._files()
        if len(found) > 1 and found[0].modality != self._wanted:
            said = " and ".join(f"{MODALITIES.load(one.modality).noun}s" for one in found)
            self._wrong.append(f"{said}: which are the samples? Choose one kind with --input, such as --input jpg")
        return found[0] if found else self._samples.get(_TEXT_MODALITY, _OfModality(_TEXT_MODALITY))

    def _doubted(self, samples: _OfModality) -> list[Dotted]:
        """Return the members of several dots that may be the samples, or theirs instead; others are skipped."""
        files = {one.modality for one in self._dotted} - {_TEXT_MODALITY}
        likely = min(files) if files and samples.modality == _TEXT_MODALITY else samples.modality
        self._passed.update(f".{one.component}" for one in self._dotted if one.modality != likely)
        return [one for one in self._dotted if one.modality == likely]

    def _notes(self, samples: _OfModality) -> list[str]:
        said = ", ".join(f"{what} ({n:,})" for what, n in sorted(self._passed.items()))
        if self._asked and not samples.names:
            return [f"no member ends in .{self._asked}; found {said or 'nothing else'}"]
        notes = [f"members skipped: {said}"] if said else []
        notes += [
            f"{counted(len(one.names), MODALITIES.load(one.modality).noun)} not used" for one in self._files()[1:]
        ]
        lonely = [key for key, group in self._groups.items() if group not in samples.names]
        if lonely and len(samples.names):
            notes.append(f"{counted(len(lonely), 'name')} without a sample skipped, such as {lonely[0]}")
        return notes


class _OfModality:
    """The samples of one modality: of which groups, in their order, and what each group's is called."""

    def __init__(self, modality: str) -> None:
        self.modality = modality
        self.builder = PartBuilder(modality)
        self.groups: list[int] = []
        self.names: dict[int, str] = {}


def _sample_bytes(read: Read, member: Member, most: int | None) -> bytes:
    """Return a sample's bytes. Raises UnreadableSample: why it has none."""
    if member.fault:
        raise UnreadableSample(member.fault)
    check_size(member.size, most)
    return read(member.offset, member.size)


def _told_text(read: Read, member: Member) -> str:
    """Return a member's text. Raises ValueError: why it has none."""
    if member.fault or member.size > _LONGEST:
        raise ValueError(member.fault or f"{member.size:,} bytes; expected at most {_LONGEST:,}")
    try:
        return read(member.offset, member.size).decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start:,})") from error
