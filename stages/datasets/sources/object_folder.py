"""``folder:s3://bucket/prefix``: class folders in a bucket, found by listing it once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from frostline.stages.buckets.address import place_address
from frostline.stages.buckets.client import listed
from frostline.stages.datasets.clutter import is_clutter
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.file_modality import modality_of_paths
from frostline.stages.datasets.sources.labelled import Rows, open_labelled
from frostline.stages.datasets.sources.member_folders import read_folders
from frostline.stages.datasets.sources.object_rows import FoundObjects, indexed_objects
from frostline.stages.datasets.table import Table
from frostline.stages.datasets.walk import ending, endings_of
from frostline.stages.errors import DataError, counted
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.registry import MODALITIES

_WANTED = "expected train/<class>/ and test/<class>/ (or val/<class>/), or <class>/ folders of samples"


def open_object_folder(request: Request) -> Dataset:
    """Return the dataset of class folders in a bucket. Folders are read as those in a tar file are, see ``tar:``.

    Raises DataError: nothing there, no class folders, and all that is wrong with the classes.
    """
    found, notes = folder_objects(request, None)
    modality = modality_of_paths(request.path, found.names)

    def make(rows: Rows) -> tuple[Samples, tuple[str, ...]]:
        rows.check()
        return indexed_objects(request, rows.targets, found, modality), ()

    table = replace(_table(request, found.names), notes=notes)
    return open_labelled(replace(request, task="single-label"), table, make)


def folder_objects(request: Request, modality: str | None) -> tuple[FoundObjects, tuple[str, ...]]:
    """Return the objects of a modality, or of any that has endings, below an address, sorted, and notes.

    Raises DataError: there is none, or the host lists no files.
    """
    address, endings = place_address(request.place), endings_of(modality)
    if not address.lists:
        raise DataError(f"{address.shown}: {address.scheme} can't list files; list them in a table (csv:), or use tar:")
    below = address.key.rstrip("/") + "/" if address.key else ""
    found = [(key[len(below) :], facts) for key, facts in listed(address) if _is_seen(key[len(below) :])]
    kept = sorted((name, facts) for name, facts in found if ending(name) in endings)
    if not kept:
        raise DataError(f"no {MODALITIES.load(modality or IMAGE).noun} below {address.shown}; {_WANTED}")
    others = len(found) - len(kept)
    notes = (f"{counted(others, 'object')} of other types skipped",) if others else ()
    names = [name for name, _ in kept]
    addresses = [address._replace(key=below + name) for name in names]
    return FoundObjects(names, addresses, [facts for _, facts in kept]), notes


def _table(request: Request, names: Sequence[str]) -> Table:
    """Return what folders say as a table. Raises DataError: they name no classes."""
    folders = read_folders(names, request.class_level)
    if folders.classes is None:
        loose = min(names, key=lambda name: name.count("/"))
        raise DataError(f"{request.path} has samples in no class folder, such as {loose}; {_WANTED}")
    cells = {"label": folders.classes, **({"split": folders.splits} if folders.splits else {})}
    return Table(request.path, tuple(cells), tuple(cells.values()), range(1, len(names) + 1), names=names)


def _is_seen(name: str) -> bool:
    return not any(part.startswith(".") or is_clutter(part) for part in name.split("/"))
