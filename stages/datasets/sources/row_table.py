"""Files of rows as a table, and which of their columns holds the samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from frostline.stages.datasets.arrow.cells import table_columns
from frostline.stages.datasets.arrow.features import Feature
from frostline.stages.datasets.arrow.media import is_file, is_text, media_columns
from frostline.stages.datasets.arrow.rows import RowFiles
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.table_targets import LABEL
from frostline.stages.datasets.table import Table, check_rows
from frostline.stages.datasets.texts import COLUMNS as TEXTS
from frostline.stages.datasets.texts import TEXT
from frostline.stages.errors import DataError

_SPLIT = "split"


def table_of(request: Request, rows: RowFiles, place: Path) -> Table:
    """Return the columns of texts and numbers as a table; its cells are read when they are asked for.

    The files' splits are its column ``split``, unless ``--columns`` names one. Without a column ``label``, the only one
    that ``datasets`` knows as classes is it.
    """
    columns = {**table_columns(rows)}
    called, notes = dict(request.columns), list(rows.notes)
    cells: tuple[Sequence[str], ...] = tuple(columns.values())
    table = Table(place, tuple(columns), cells, range(1, len(rows) + 1), called, names=rows.names)
    if rows.splits and _SPLIT not in request.columns:
        table = table.with_column(_SPLIT, rows.splits, "--test" if request.test else "the names of the files")
    classes = [name for name in columns if rows.features.get(name) and rows.features[name].names is not None]
    if request.modality is None and not request.target and table.find(LABEL) is None and len(classes) == 1:
        table = replace(table, called={**table.called, LABEL: classes[0]})
        notes.append(f"the label is column {classes[0]}, the only one that holds class names")
    nested = [one.name for one in rows.stored.schema if one.name not in columns and not _holds_samples(rows, one.name)]
    if nested:
        notes.append(f"not used, neither texts nor numbers: column {', '.join(nested)}")
    check_rows(table)
    return replace(table, notes=(*table.notes, *notes))


def _holds_samples(rows: RowFiles, name: str) -> bool:
    return name in media_columns(rows.stored.schema)


def sample_column(request: Request, rows: RowFiles, table: Table) -> str | None:
    """Return the column whose bytes or texts are the samples; None where the table's cells say what they are.

    That is the one asked for; else the one of files, in a table with paths if ``datasets`` knows it as such; else, in
    a table without paths, the one of bytes, or what is called as texts are. Raises DataError: none of that name, or
    several that may be meant.
    """
    schema = rows.stored.schema
    of_bytes = [] if request.modality == TEXT else media_columns(schema)
    if request.input is not None:
        return _asked(request.input, rows, table)
    has_paths = table.find("path") is not None
    files = [name for name in file_columns(rows) if name in of_bytes and (not has_paths or name in rows.features)]
    if not files and has_paths:
        return None
    any_texts = request.modality in (None, TEXT)
    texts = [own for name in TEXTS if any_texts and (own := _own(table, name))][:1]
    found = [*(files or of_bytes), *texts] or (_only_text(request, rows, table) if any_texts else [])
    if len(found) > 1:
        raise DataError(
            f"{table.file} has several columns that could hold the samples: {', '.join(found)}; choose one with "
            "--input NAME"
        )
    return next((name for name in found if name in of_bytes or is_text(schema.field(name).type)), None)


def file_columns(rows: RowFiles) -> list[str]:
    """Return the columns of files: structs of bytes and a path."""
    schema = rows.stored.schema
    return [name for name in media_columns(schema) if is_file(schema.field(name).type)]


def _only_text(request: Request, rows: RowFiles, table: Table) -> list[str]:
    """Return the one column that ``datasets`` knows as texts, and that is nothing else; none if there are several."""
    used = [*(request.target or (LABEL,)), request.group, *request.stratify, _SPLIT, "id", "path"]
    others = {own for name in used if name and (own := _own(table, name))}
    texts = [name for name in table.header if rows.features.get(name, Feature()).modality == TEXT]
    found = [name for name in texts if name not in others]
    return found if len(found) == 1 else []


def _asked(name: str, rows: RowFiles, table: Table) -> str | None:
    schema, of_bytes = rows.stored.schema, media_columns(rows.stored.schema)
    if name in of_bytes:
        return name
    own = _own(table, name)
    if own is None:
        raise replace(table, header=(*table.header, *of_bytes)).without([name], option="--input")
    return own if is_text(schema.field(own).type) else None


def _own(table: Table, name: str) -> str | None:
    """Return what a column is called in its files."""
    at = table.find(name)
    return None if at is None else table.header[at]
