"""Samples of several members each, by the names that the WebDataset format gives them.

``cats/001.jpg`` and ``cats/001.cls`` are two components, ``jpg`` and ``cls``, of the sample ``cats/001``: a name up to
the first dot of its last part. One component is what a network is given, the others say something of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial

from frostline.stages.datasets.clutter import is_clutter
from frostline.stages.datasets.containers.members import Member, Part, PartBuilder
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
    """

    def __init__(self, read: Read, asked: str | None = None) -> None:
        if asked and asked.rpartition(".")[2] not in _MODALITY_OF:
            raise DataError(f"--input {asked}: expected a component that ends as images or recordings do, or {TEXT}")
        self._read = read
        self._asked = asked
        self._groups: dict[str, int] = {}
        self._samples: dict[str, _OfModality] = {}
        self._cells: dict[str, dict[int, str]] = {}
        self._told: set[tuple[int, str]] = set()
        self._dotted: dict[int, str] = {}
        self._passed: Counter[str] = Counter()
        self._wrong: list[str] = []

    def add(self, member: Member) -> None:
        """Take in a member."""
        parts = split_name(member.name)
        if parts is None or is_clutter(member.name.rpartition("/")[2]):
            self._passed["without a key and an ending"] += 1
            return
        key, component = parts
        group = self._groups.setdefault(key, len(self._groups))
        if modality := self._modality_of(component):
            self._add_sample(modality, group, member)
        if component in (LABEL, FIELDS, TEXT):
            self._add_text(group, component, member)
        elif not modality and not self._asked and component.rpartition(".")[2] in _MODALITY_OF:
            self._dotted[group] = member.name
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
            same = f"{before} and {member.name} have one name: which is the sample? Choose by --input jpg, or the like"
            self._wrong.append(f"{before} is there twice" if before == member.name else same)
            return
        samples.groups.append(group)
        read = partial(_sample_bytes, self._read, member, MODALITIES.load(modality).max_bytes)
        samples.builder.add(member.name, (member.offset, member.size), read)

    def _add_text(self, group: int, component: str, member: Member) -> None:
        """Take in what a member says of its sample; a text may be the sample itself, and then need not be sound."""
        try:
            if (group, component) in self._told:
                raise ValueError("there twice")
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
        self._wrong += [
            f"{name}: a name of several dots; a sample's name ends at the first one. Rename it, or choose what ends so "
            f"by --input {name.rpartition('/')[2].partition('.')[2].lower()}"
            for group, name in self._dotted.items()
            if group not in samples.names
        ]
        if self._wrong:
            raise DataError(f"{name} can't be used:\n{listing(self._wrong)}")
        if samples.modality == _TEXT_MODALITY:
            self._cells.pop(TEXT, None)
        columns = {
            name: PackedNames.of(cells.get(group, "") for group in samples.groups)
            for name, cells in self._cells.items()
        }
        return samples.builder.part(columns, self._notes(samples))

    def _chosen(self) -> _OfModality:
        """Return the samples: images or recordings, not both, else texts."""
        found = [one for name, one in self._samples.items() if name != _TEXT_MODALITY]
        if len(found) > 1:
            said = " and ".join(f"{MODALITIES.load(one.modality).noun}s" for one in found)
            self._wrong.append(f"{said}: which are the samples? Choose one by --input, such as --input jpg")
        return found[0] if found else self._samples.get(_TEXT_MODALITY, _OfModality(_TEXT_MODALITY))

    def _notes(self, samples: _OfModality) -> list[str]:
        said = ", ".join(f"{what} ({n:,})" for what, n in sorted(self._passed.items()))
        notes = [f"members passed over: {said}"] if said else []
        lonely = [key for key, group in self._groups.items() if group not in samples.names]
        if lonely and len(samples.names):
            notes.append(f"{counted(len(lonely), 'name')} without a sample passed over, such as {lonely[0]}")
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
