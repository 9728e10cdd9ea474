"""From files of rows, Parquet's or Arrow's, to a dataset."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from frostline.stages.datasets.arrow.kind import modality_of
from frostline.stages.datasets.arrow.media import Media, is_text
from frostline.stages.datasets.arrow.rows import RowFiles
from frostline.stages.datasets.arrow.scan import MediaFiles, outside_rows
from frostline.stages.datasets.containers.index import index_containers
from frostline.stages.datasets.containers.members import Members, member_samples
from frostline.stages.datasets.files import file_bytes
from frostline.stages.datasets.index import examine
from frostline.stages.datasets.located import absolute, locate
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.csv_file import open_cells
from frostline.stages.datasets.sources.labelled import Rows, open_labelled
from frostline.stages.datasets.sources.row_table import file_columns, sample_column, table_of
from frostline.stages.datasets.sources.table_targets import LABEL
from frostline.stages.datasets.sources.unlabelled_files import cell_samples
from frostline.stages.datasets.table import Table, check_columns
from frostline.stages.datasets.texts import COLUMNS as TEXTS
from frostline.stages.datasets.texts import TEXT, check_no_files, named_rows, row_names
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.records.packed_names import PackedNames
from frostline.stages.targets.values import unlabelled

WANTED = "a column of images, recordings, texts or paths, label and maybe split"
_VERSION = "rows 1"


def open_rows(request: Request, rows: RowFiles, place: Path, root: Path) -> Dataset:
    """Return the dataset of files of rows.

    ``place``: what messages, and the dataset, are called by. ``root``: below which files lie that rows name, unless the
    request says so. Raises DataError that lists all that is wrong.
    """
    table, column = _table(request, rows, place)
    targets = request.target or (LABEL,)
    if column is None:
        check_columns(table, ("path", *targets), WANTED, (request.input,) if request.input else TEXTS)
        return open_cells(request if request.input else replace(request, root=request.root or root), table)
    check_columns(table, targets, WANTED)

    def make(labelled: Rows) -> tuple[Samples, tuple[str, ...]]:
        labelled.check()
        samples, notes = _samples(request, rows, table, column, root)
        return replace(samples, targets=labelled.targets), notes

    return open_labelled(request, table, make)


def all_rows(request: Request, rows: RowFiles, place: Path, root: Path) -> tuple[Samples, tuple[str, ...]]:
    """Return the samples of all rows without labels, and notes; arguments and errors as of ``open_rows``."""
    table, column = _table(request, rows, place)
    if column is None:
        texts = request.modality == TEXT
        return cell_samples(request if texts else replace(request, root=request.root or root), table)
    samples, notes = _samples(request, rows, table, column, root)
    return samples, (*table.notes, *notes)


def _table(request: Request, rows: RowFiles, place: Path) -> tuple[Table, str | None]:
    """Return the rows as a table, and the column of samples."""
    table = table_of(request, rows, place)
    column = sample_column(request, rows, table)
    if rows.is_table and (column is None or is_text(rows.stored.schema.field(column).type)):
        table = replace(table, names=None)
    if column is None and request.input is None and (unused := file_columns(rows)):
        note = (
            f"the samples are taken from column path; column {unused[0]} is not used (choose it with --input "
            f"{unused[0]})"
        )
        table = replace(table, notes=(*table.notes, note))
    return table, column


def _samples(
    request: Request, rows: RowFiles, table: Table, column: str, root: Path
) -> tuple[Samples, tuple[str, ...]]:
    """Return the samples of a column, and notes on them."""
    stored = rows.stored
    media = Media(stored, column, partial(_beside, absolute(request.root or root)))
    texts = is_text(stored.schema.field(column).type)
    if texts:
        check_no_files({"root": request.root, "bit_depth": request.bit_depth}, column)
    modality = TEXT if texts else modality_of(media, column, rows.features, stored.chunks.rows)
    files = MediaFiles(media, modality, stored, request.progress)
    version = f"{_VERSION} {column} {modality}"
    members = index_containers(stored.blobs, files.scan, version, request.memory)
    _look_outside(files, members)
    if rows.order is not None:
        members = members.take(rows.order)
    ids, notes = _ids(rows, table, members.joined.names, texts)
    nothing = unlabelled(len(rows))
    return member_samples(table.file.stem, nothing, members.named(ids), files.content, request.decode_options), notes


def _beside(root: Path, path: str) -> bytes:
    """Return what a file below the root holds. Raises UnreadableSample: why it can't be read."""
    found = locate(root, [path])
    if found.faults:
        raise UnreadableSample(f"its bytes are null, and {found.faults[0]}; searched in {root}, see --root")
    return file_bytes(root / found.files.paths[0])


def _look_outside(files: MediaFiles, members: Members) -> None:
    """Take the digests of files that rows name: what is remembered may be of what they were."""
    part = members.joined
    for row in outside_rows(part.places):
        seen = examine(partial(files.content, members.blob_of(row), part.places[row]), MODALITIES.load(part.modality))
        part.digests[row] = np.frombuffer(seen.digest, np.uint8)
        part.problems.pop(row, None)
        seen.tell(row, part.problems, part.codecs)


def _ids(rows: RowFiles, table: Table, paths: PackedNames, texts: bool) -> tuple[PackedNames, tuple[str, ...]]:
    """Return what samples are called, and a note where their paths can't be.

    A column ``id`` or the paths, where they tell all apart; else the file and the row's number in it, from 0, and of
    texts in one file the line.
    """
    named = named_rows(table)
    if named or texts:
        return PackedNames.of(named or row_names(table)), ()
    if not paths.lengths.all():
        return rows.names.packed(), ()
    again = paths.repeated()
    if not len(again):
        return paths, ()
    note = f"several rows have the same path, such as {paths[int(again[0])]}: rows are named by file and row number"
    return rows.names.packed(), (note,)
