"""Datasets that are objects of Python's memory: arrays, frames, lists, datasets of torch and of Hugging Face.

They are given to ``frostline.run(dataset=…)`` and ``frostline.load_dataset``. In records they are called
``memory:NAME``, which no command line can open again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from frostline.stages.datasets.located import absolute
from frostline.stages.datasets.objects.columns import is_frame
from frostline.stages.datasets.objects.kinds import is_labelled, records_of
from frostline.stages.datasets.objects.media import media_samples
from frostline.stages.datasets.objects.records import LABEL, Records, joined
from frostline.stages.datasets.objects.torch_data import is_torch_dataset
from frostline.stages.datasets.samples import Dataset, Samples
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.csv_file import CSV, open_cells
from frostline.stages.datasets.sources.file_splits import file_splits
from frostline.stages.datasets.sources.labelled import Rows, open_labelled
from frostline.stages.datasets.sources.object_labels import check_target, labels_read
from frostline.stages.datasets.table import Table, check_columns, check_rows
from frostline.stages.datasets.texts import COLUMNS as TEXTS
from frostline.stages.datasets.texts import named_rows
from frostline.stages.errors import ConfigError, DataError
from frostline.stages.modalities.given import array_of, described

_WANTED = "a column of images, recordings, vectors, texts or paths, and a label"


def open_given(given: object, request: Request, name: str = "") -> Dataset:
    """Return the dataset that an object is; ``name``: what it is called, else by its kind.

    Its targets and splits are those of a table: see ``Request``. Paths are relative to ``root``, else to the current
    folder. Raises DataError that lists all that is wrong, ConfigError for settings that are of other datasets.
    """
    return _open(_rows(given, name, request), request)


def _rows(given: Any, name: str, request: Request) -> Records:
    """Return the rows of all splits of an object."""
    splits = _splits(given)
    if splits is None:
        return records_of(given, name, request.progress)
    used = file_splits(list(splits))
    if not any(used.splits):
        raise DataError(f"splits {', '.join(splits)}; expected train and test, or train and validation")
    names = list(splits)
    parts = {
        split: records_of(splits[names[at]], name, request.progress)
        for at, split in zip(used.files, used.splits, strict=True)
    }
    found = joined(parts)
    unused = [name for at, name in enumerate(names) if at not in used.files]
    held = ", ".join(names[at] for at, split in zip(used.files, used.splits, strict=True) if split != "train")
    notes = (f"splits that are not used, because there is {held}: {', '.join(unused)}",) if unused else ()
    return replace(found, notes=(*found.notes, *notes))


def _splits(given: Any) -> dict[str, Any] | None:
    """Return the splits that an object names, or the two of a pair; None for an object of one split."""
    if isinstance(given, Mapping) and not is_labelled(given) and all(map(_is_data, given.values())):
        return {str(name): split for name, split in given.items()}
    if isinstance(given, tuple) and len(given) == 2 and not is_labelled(given) and not is_torch_dataset(given):
        _check_pair(*given)
        return {"train": given[0], "test": given[1]}
    if isinstance(given, list) and len(given) == 2 and not any(isinstance(one, tuple | Mapping) for one in given):
        _check_list(given)
        return {"train": given[0], "test": given[1]} if all(map(_is_data, given)) else None
    return None


def _check_pair(first: object, second: object) -> None:
    """Raise DataError for a pair of samples and what can't be labels."""
    array = array_of(first)
    if array is not None or (isinstance(first, list) and first and not isinstance(first[0], tuple | list | Mapping)):
        raise DataError(
            f"the labels, the second of the pair, are {described(second)}; expected a list, an array or a series with "
            "a class name or a number for each sample"
        )


def _check_list(given: list[Any]) -> None:
    """Raise DataError for a list ``[X, y]``, whose two rows would be treated as samples."""
    first, second = map(array_of, given)
    if first is not None and second is not None and len(first) == len(second) and first.ndim > 1:
        raise DataError("a list of two arrays of one length; expected a pair, (X, y)")


def _is_data(value: object) -> bool:
    """Return whether a value of a dict is a dataset of its own, and no column of one."""
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], tuple | Mapping)
    return is_frame(value) or is_labelled(value) or is_torch_dataset(value) or hasattr(value, "features")


def _open(given: Records, request: Request) -> Dataset:
    records, request = labels_read(given, request)
    table = Table(
        Path(records.name),
        tuple(records.cells),
        tuple(records.cells.values()),
        range(len(records)),
        request.columns,
        records.notes,
        unit="row",
        names=records.ids or None,
    )
    check_rows(table)
    if request.test is not None:
        raise ConfigError(f"test {request.test} with an object; expected (train, test), the two objects")
    check_target(records, table, request.target or (LABEL,), _WANTED)
    column = _sample_column(records, request, table)
    if column is not None:
        return open_labelled(request, table, partial(_media, records, column, request))
    check_columns(table, ("path",), _WANTED, (request.input or "text", *TEXTS))
    return open_cells(*_rooted(request, table))


def _sample_column(records: Records, request: Request, table: Table) -> str | None:
    """Return the column of samples; None where cells are texts or paths. Raises DataError for several."""
    if request.input is not None:
        if request.input not in records.media and table.find(request.input) is None:
            raise replace(table, header=(*table.header, *records.media)).without([request.input], option="input")
        return request.input if request.input in records.media else None
    if len(records.media) > 1:
        raise DataError(
            f"several columns could hold the samples: {', '.join(records.media)}; choose one with input=NAME"
        )
    return next(iter(records.media), None)


def _media(records: Records, column: str, request: Request, rows: Rows) -> tuple[Samples, tuple[str, ...]]:
    if request.root is not None:
        raise ConfigError(f"root {request.root} with samples that are no paths; leave it out")
    rows.check()
    table = rows.table
    ids = named_rows(table) or [table.where(row) for row in range(len(table))]
    samples = media_samples(
        records.name, records.media[column], rows.targets, ids, request.decode_options, request.progress
    )
    return samples, ()


def _rooted(request: Request, table: Table) -> tuple[Request, Table]:
    """Return the table with its paths below one folder, which is the root, unless the request names one."""
    at = table.find("path")
    if at is None or request.input is not None or request.root is not None:
        return request, table
    paths = table.columns[at]
    if any("://" in one for one in paths):
        return request, table
    full = [absolute(Path(one)) if one else None for one in paths]
    root = Path(os.path.commonpath([one.parent for one in full if one] or [Path.cwd()]))
    cells: Sequence[str] = [one.relative_to(root).as_posix() if one else "" for one in full]
    columns = tuple(cells if i == at else old for i, old in enumerate(table.columns))
    return replace(request, root=root), replace(table, columns=columns)


def _no_object(request: Request) -> NoReturn:
    raise ConfigError(
        f"memory:{request.place} was an object of Python's memory, and can't be opened by its name; give the object to "
        "frostline.run(dataset=…)"
    )


MEMORY = replace(CSV, form="", summary="", open=_no_object, samples=_no_object, at_hand=True)
