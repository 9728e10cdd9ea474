"""Samples whose content is files below one root."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from frostline.stages.datasets.clutter import clutter_note
from frostline.stages.datasets.index import Indexed, check_size
from frostline.stages.datasets.samples import Samples
from frostline.stages.datasets.walk import walk
from frostline.stages.errors import DataError, UnreadableSample, counted, listing, one
from frostline.stages.modalities.base import IMAGE, Sample
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.targets.values import Targets

_SOME = 8


def decode_file(path: Path, min_side: int | None = None, modality: str = IMAGE, **options: int) -> Sample:
    """Return the sample in a file; ``min_side`` and ``options``: see ``Samples``. Raises UnreadableSample: why not."""
    kind: Any = MODALITIES.load(modality)
    return kind.decode(file_bytes(path, kind.max_bytes), min_side, **options)


def file_bytes(path: Path, most: int | None = None) -> bytes:
    """Return what a file holds, at most so many bytes. Raises UnreadableSample: why it can't be read."""
    try:
        if not path.is_file():
            raise UnreadableSample("not a regular file")
        check_size(path.stat().st_size, most)
        return path.read_bytes()
    except OSError as error:
        raise UnreadableSample(f"can't be read ({error.strerror})") from error


def files_in(folder: Path, modality: str) -> tuple[list[Path], tuple[str, ...]]:
    """Return the files of a modality below a folder, sorted, and notes on what was skipped.

    Raises DataError for folders that can't be read.
    """
    tree = walk(folder, ".", modality)
    if tree.unreadable:
        raise DataError(f"{folder} can't be used:\n{listing(tree.unreadable)}")
    notes = clutter_note(tree.clutter) + others_note([path.removeprefix("./") for path in tree.others], modality)
    return [folder / path for path in tree.files.paths], tuple(notes)


def others_note(others: Sequence[str], modality: str = IMAGE) -> list[str]:
    """Return one note on the files at these paths that are skipped; none if there are none."""
    if not others:
        return []
    noun = MODALITIES.load(modality).noun
    return [f"{counted(len(others), 'file')} skipped, without {one(noun)} extension: {', '.join(sorted(others)[:3])}"]


def file_samples(
    dataset: str,
    split: str,
    targets: Targets,
    root: Path,
    files: Indexed,
    modality: str = IMAGE,
    options: Mapping[str, int] | None = None,
) -> Samples:
    """Return samples that read ``root / path``; the path is the sample's id.

    Reading a file that is no longer what was indexed raises DataError: what is stored under
    its digest must have come from it.
    """

    kind = MODALITIES.load(modality)

    def content(row: int) -> bytes:
        path = root / files.paths[row]
        try:
            return kind.trimmed(path.read_bytes())
        except OSError as error:
            raise DataError(f"{path} can no longer be read ({error.strerror}); restore it and run again") from error

    called = Called(content, lambda row: str(root / files.paths[row]))
    return replace(indexed_samples(dataset, split, targets, files, called, modality, options), root=root)


@dataclass(frozen=True)
class Called:
    """How indexed samples are read again. ``content``: row to bytes, or DataError; ``name``: row to what it is in."""

    content: Callable[[int], bytes]
    name: Callable[[int], str]


def indexed_samples(
    dataset: str,
    split: str,
    targets: Targets,
    index: Indexed,
    called: Called,
    modality: str = IMAGE,
    options: Mapping[str, int] | None = None,
) -> Samples:
    """Return samples whose bytes are read by row, and must still be what was indexed: DataError where they are not."""

    def encoded(row: int) -> bytes:
        if row in index.problems:
            raise UnreadableSample(index.problems[row])
        data = called.content(row)
        if hashlib.sha256(data).digest() != index.digests[row].tobytes():
            raise DataError(
                f"{called.name(row)} changed while it was being read; run again when the data no longer changes"
            )
        return data

    def read(row: int) -> Sample:
        return decode(encoded(row), **(options or {}))

    decode: Any = MODALITIES.load(modality).decode
    how: Any = {"problems": index.problems, "encoded": encoded, "modality": modality}
    how |= {"codecs": index.codecs, "options": options or {}}
    return Samples(dataset, split, targets, index.paths, index.digests, read, **how)


def remarks(splits: Sequence[Samples]) -> list[str]:
    """Return what the modality has to say of files of some kinds, by a few of each that are decoded for it."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for samples in splits:
        for row, codec in samples.codecs.items():
            if samples.encoded and not samples.options and len(found[codec]) < _SOME:
                found[codec].append(samples.encoded(row))
    kind = MODALITIES.load(splits[0].modality)
    return [remark for codec, some in found.items() for remark in kind.remarks(codec, some)]
