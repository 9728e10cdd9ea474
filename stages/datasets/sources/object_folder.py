"""``folder:s3://bucket/prefix``: class folders in a bucket, found by listing it once."""

from __future__ import annotations

from dataclasses import replace

from frostline.stages.datasets.buckets.address import place_address
from frostline.stages.datasets.buckets.client import Facts, listed
from frostline.stages.datasets.clutter import is_clutter
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.file_modality import modality_of_paths
from frostline.stages.datasets.sources.labelled import Rows, open_labelled
from frostline.stages.datasets.sources.member_folders import read_folders
from frostline.stages.datasets.sources.object_rows import indexed_objects
from frostline.stages.datasets.table import Table
from frostline.stages.datasets.walk import ending, endings_of
from frostline.stages.errors import DataError, counted

_WANTED = "expected train/<class>/ and test/<class>/ (or val/<class>/), or <class>/ folders of samples"


def open_object_folder(request: Request) -> Dataset:
    """Return the dataset of class folders in a bucket. Folders are read as those in a tar file are, see ``tar:``.

    Raises DataError: nothing there, no class folders, and all that is wrong with the classes.
    """
    address = place_address(request.place)
    if not address.lists:
        raise DataError(f"{address.shown}: {address.scheme} lists no files; name them in a table, csv:, or use tar:")
    below, endings = address.key.rstrip("/") + "/" if address.key else "", endings_of()
    found = {key[len(below) :]: facts for key, facts in listed(address) if _is_seen(key[len(below) :])}
    facts = {name: found[name] for name in sorted(found) if ending(name) in endings}
    if not facts:
        raise DataError(f"no image or recording below {address.shown}; {_WANTED}")
    top = address._replace(key=below.rstrip("/"))
    modality = modality_of_paths(request.path, facts)

    def make(rows: Rows) -> tuple[Samples, tuple[str, ...]]:
        rows.check()
        addresses = [top._replace(key=below + name) for name in facts]
        return indexed_objects(request, rows, modality, list(facts), addresses, list(facts.values())), ()

    table = _table(request, facts)
    others = len(found) - len(facts)
    notes = (f"{counted(others, 'object')} passed over, no image or recording",) if others else ()
    return open_labelled(replace(request, task="single-label"), replace(table, notes=notes), make)


def _table(request: Request, facts: dict[str, Facts]) -> Table:
    """Return what folders say as a table. Raises DataError: they name no classes."""
    names = list(facts)
    folders = read_folders(names, request.class_level)
    if folders.classes is None:
        loose = min(names, key=lambda name: name.count("/"))
        raise DataError(f"{request.path} has samples in no class folder, such as {loose}; {_WANTED}")
    cells = {"label": folders.classes, **({"split": folders.splits} if folders.splits else {})}
    return Table(request.path, tuple(cells), tuple(cells.values()), range(1, len(names) + 1), names=names)


def _is_seen(name: str) -> bool:
    return not any(part.startswith(".") or is_clutter(part) for part in name.split("/"))
