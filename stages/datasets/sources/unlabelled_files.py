"""The samples of a folder or a table without their labels: files, or texts in a column."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path, PurePath

import numpy as np

from frostline.stages.buckets.address import is_address
from frostline.stages.datasets.clutter import clutter_note
from frostline.stages.datasets.files import file_samples, others_note
from frostline.stages.datasets.index import index_files
from frostline.stages.datasets.located import Located, absolute, locate
from frostline.stages.datasets.samples import Samples
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.object_folder import folder_objects
from frostline.stages.datasets.sources.object_rows import indexed_objects, names_objects, unlabelled_objects
from frostline.stages.datasets.table import Table, check_columns, read_table
from frostline.stages.datasets.texts import COLUMNS as TEXTS
from frostline.stages.datasets.texts import TEXT, check_no_files, text_samples
from frostline.stages.datasets.walk import Files, walk
from frostline.stages.errors import DataError, UnreadableSample, counted, listing, one
from frostline.stages.modalities.base import IMAGE, Sample
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.targets.values import unlabelled

Found = tuple[Samples, tuple[str, ...]]


def folder_samples(request: Request) -> Found:
    """Return the files of a modality below a folder, sorted by path, and notes.

    Raises DataError: no folder, none of that modality in it, folders that can't be read.
    """
    modality = request.modality or IMAGE
    noun = MODALITIES.load(modality).noun
    if is_address(request.place):
        found, passed = folder_objects(request, modality)
        return indexed_objects(request, unlabelled(len(found.names)), found, modality), passed
    if not request.path.is_dir():
        raise DataError(f"no folder {request.path}; expected a folder with {noun}s")
    tree = walk(request.path, ".", modality)
    if tree.unreadable:
        raise DataError(f"{request.path} can't be used:\n{listing(tree.unreadable)}")
    files = tree.files
    files.paths = [path.removeprefix("./") for path in files.paths]
    if not files.paths:
        raise DataError(f"{request.path} holds no {noun}; expected {one(noun)} or more")
    name = PurePath(os.path.normpath(request.path.absolute())).name or "folder"
    notes = clutter_note(tree.clutter) + others_note([path.removeprefix("./") for path in tree.others], modality)
    return _of_files(request, name, request.path, files), tuple(notes)


def table_samples(request: Request) -> Found:
    """Return what the rows of a table name or hold: the texts of a column for heads of texts, else files.

    Raises DataError that lists every row at fault.
    """
    first, instead = _needed(request)
    return cell_samples(request, read_table(request.path, (first,), request.columns, _wanted(request), instead))


def cell_samples(request: Request, table: Table) -> Found:
    """Return what the cells of a table name or hold, see ``table_samples``."""
    first, instead = _needed(request)
    check_columns(table, (first,), _wanted(request), instead)
    if request.modality == TEXT:
        column = request.input or next(name for name in TEXTS if table.find(name) is not None)
        check_no_files({"root": request.root, "bit_depth": request.bit_depth}, column)
        return text_samples(table.file.stem, unlabelled(len(table)), table, column), table.notes
    if names_objects(request, table):
        return unlabelled_objects(request, table), table.notes
    root = absolute(request.root or table.file.parent)
    located = locate(root, table.column("path"))
    if len(located.faults) == len(table):
        wrong = [f"{table.where(row)}: {fault}" for row, fault in located.faults.items()]
        where = f"files are searched in {root}; see --root"
        raise DataError(f"{table.file} can't be used ({where}):\n{listing(wrong)}")
    samples = _of_files(request, table.file.stem, root, located.files)
    return _with_faults(samples, table, located), (*table.notes, *located.notes, *_fault_notes(located, root))


def _fault_notes(located: Located, root: Path) -> list[str]:
    if not located.faults:
        return []
    rows = counted(len(located.faults), "row")
    return [f"{rows} with files that do not exist; files are searched in {root}, see --root"]


def _with_faults(found: Samples, table: Table, located: Located) -> Samples:
    """Return the samples of all rows: those that were found, and those without a file as problems, in order."""
    if not located.faults:
        return found
    there = np.array([row not in located.faults for row in range(len(table))])
    rows = np.flatnonzero(there)
    at = np.cumsum(there) - 1  # of each row, its number among those that were found
    digests, paths, ids = np.zeros((len(table), 32), np.uint8), table.column("path"), iter(found.ids)
    digests[rows] = found.digests
    said = {row: fault.removeprefix(f"{paths[row]}: ") for row, fault in located.faults.items()}
    faults = {row: f"{table.where(row)}: {fault}" for row, fault in said.items()}
    for row, fault in faults.items():
        digests[row] = np.frombuffer(hashlib.sha256(fault.encode(errors="surrogateescape")).digest(), np.uint8)

    def encoded(row: int) -> bytes:
        if row in faults:
            raise UnreadableSample(faults[row])
        assert found.encoded is not None
        return found.encoded(int(at[row]))

    def read(row: int) -> Sample:
        if row in faults:
            raise UnreadableSample(faults[row])
        return found.read(int(at[row]))

    return replace(
        found,
        targets=unlabelled(len(table)),
        ids=[next(ids) if here else paths[row] for row, here in enumerate(there.tolist())],
        digests=digests,
        read=read,
        problems={**faults, **{int(rows[row]): why for row, why in found.problems.items()}},
        encoded=encoded,
        codecs={int(rows[row]): codec for row, codec in found.codecs.items()},
    )


def _needed(request: Request) -> tuple[str, tuple[str, ...]]:
    """Return the column that a table must have, and what will do instead."""
    if request.modality != TEXT:
        return "path", ()
    return (request.input, ()) if request.input else (TEXT, TEXTS)


def _wanted(request: Request) -> str:
    return "a column of texts; see --input" if request.modality == TEXT else "path"


def _of_files(request: Request, name: str, root: Path, files: Files) -> Samples:
    modality = request.modality or IMAGE
    index = index_files(root, files, request.memory, request.progress, modality)
    return file_samples(name, "all", unlabelled(len(files)), root, index, modality, request.decode_options)
