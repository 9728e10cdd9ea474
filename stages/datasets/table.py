"""A table of texts: a header, and rows that know their lines. Which character separates its cells is found out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from frostline.stages.datasets.encodings import text_of
from frostline.stages.datasets.json_lines import ENDINGS, parsed_lines
from frostline.stages.datasets.names import folded, nearest
from frostline.stages.datasets.parquet_table import ENDING, parquet_columns
from frostline.stages.errors import DataError, listing
from frostline.stages.modalities.registry import MODALITIES

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
_LONGEST_CELL = 32 << 20  # characters; csv's own limit, 131,072, is less than a long document
_EXCEL = re.compile("sep=([,;\t|])[\r\n]")  # what Excel writes, and asks for, as a line of its own
_QUOTED = re.compile('"[^"]*"')
_HEADER_ENDS = re.compile("[\r\n]")
_BETWEEN = re.compile(r"[\s_.-]+")
_LIKELY = {
    "path": "path file filename file_name filepath file_path image image_path img img_path image_id id image_name name",
    "label": "label class category target class_name labels label_name species breed diagnosis dx y",
    "split": "split set subset partition phase usage is_valid is_test is_train",
}


@dataclass(frozen=True)
class Table:
    """``columns``: of each name in the header, its cells without the spaces around them. ``lines``: on which each row
    ends, or what else rows are numbered by, as ``unit`` says; ``names``: of rows that are told by names instead.

    ``called``: what columns are called, by what they are treated as. ``notes``: what was found out.
    """

    file: Path
    header: tuple[str, ...]
    columns: tuple[Sequence[str], ...]
    lines: Sequence[int]
    called: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unit: str = "line"
    names: Sequence[str] | None = None

    def __len__(self) -> int:
        return len(self.lines)

    def where(self, row: int) -> str:
        """Return what a message calls a row: ``line 3``, or its name."""
        return f"{self.unit} {self.lines[row]}" if self.names is None else self.names[row]

    def where_all(self, rows: Sequence[int], limit: int = 20) -> str:
        """Return what a message calls several rows: ``line 3, 5``, or their names."""
        some = [str(self.lines[row] if self.names is None else self.names[row]) for row in rows[:limit]]
        unit = f"{self.unit} " if self.names is None else ""
        return f"{unit}{', '.join(some)}{' …' if len(rows) > limit else ''}"

    def find(self, name: str) -> int | None:
        """Return where a column is, by its own name or by what it is treated as; None if there is none.

        A name that differs in case or spaces will do, if there is but one. Raises DataError if there are two.
        """
        wanted = self.called.get(name, name)
        exact = [i for i, found in enumerate(self.header) if found == wanted]
        found = exact or [i for i, one in enumerate(self.header) if folded(one) == folded(wanted)]
        if len(found) > 1:
            raise DataError(f"{self.file} has two columns {wanted}; found {self._found()}; rename one of them")
        return found[0] if found else None

    def column(self, name: str, option: str = "--target") -> Sequence[str]:
        """Return a column's cells. Raises DataError, with the nearest names for the option, if there is none."""
        at = self.find(name)
        if at is None:
            raise self.without([name], option=option)
        return self.columns[at]

    def with_column(self, name: str, cells: Sequence[str], instead: str = "") -> Table:
        """Return the table with a column more, in place of one that there is; a note says what it is taken from."""
        at = self.find(name)
        if at is None:
            called = {key: column for key, column in self.called.items() if key != name}
            return replace(self, header=(*self.header, name), columns=(*self.columns, cells), called=called)
        columns = tuple(cells if i == at else old for i, old in enumerate(self.columns))
        note = f"column {self.header[at]} is not used: the split is taken from {instead}"
        return replace(self, columns=columns, notes=(*self.notes, note))

    def without(self, names: Sequence[str], wanted: str = "", option: str = "--target") -> DataError:
        """Return the error for columns that are not there, with what there is and what to do.

        ``option``: what named those that Frostline has no name for.
        """
        missing = [self.called.get(name, name) for name in names]
        hint = self._spaced(missing) or self._meant(names, option) or self._headless()
        wanted = f"; expected {wanted}" if wanted else ""
        return DataError(f"{self.file} has no column {' and '.join(missing)}; found {self._found()}{wanted}{hint}")

    def _meant(self, names: Sequence[str], option: str) -> str:
        """Return how to name the columns that are likest: by --columns what Frostline calls so, else by the option."""
        near = {name: found[0] for name in names if (found := self._like(name))}
        columns = [f"{name}={found}" for name, found in near.items() if name in _LIKELY]
        others = [found for name, found in near.items() if name not in _LIKELY]
        asked = (("--columns", columns), (option, others))
        return "".join(f"; {one} {','.join(found)}?" for one, found in asked if found)

    def _spaced(self, missing: Sequence[str]) -> str:
        """Return a hint where the header's one cell is several names between spaces."""
        words = {folded(word) for word in " ".join(self.header).split()}
        apart = len(self.header) == 1 and all(folded(name) in words for name in missing)
        return (
            "; cells seem to be separated by spaces; expected commas, semicolons, tabs or vertical bars"
            if apart
            else ""
        )

    def likely(self, name: str) -> list[str]:
        """Return the columns whose names people often give to what is treated as a name; maybe none."""
        by_word = {_BETWEEN.sub("", folded(one)): one for one in self.header if one and self.header.count(one) == 1}
        words = _LIKELY.get(name, "").replace("_", "").split()
        return [by_word[word] for word in dict.fromkeys(words) if word in by_word]

    def _like(self, name: str) -> list[str]:
        return self.likely(name) or nearest(self.called.get(name, name), [one for one in self.header if one], 1)

    def _headless(self) -> str:
        endings = MODALITIES.load("image").extensions
        is_row = any(Path(cell).suffix.lower() in endings for cell in self.header)
        return "; the first line contains a file name: is the header missing?" if is_row else ""

    def _found(self) -> str:
        return ", ".join(self.header) or "no columns"


def read_table(
    file: Path,
    needed: Iterable[str] = ("path",),
    called: Mapping[str, str] | None = None,
    wanted: str = "",
    instead: Sequence[str] = (),
) -> Table:
    """Return the table in a UTF-8 file: a header line, cells between commas, semicolons, tabs or bars.

    Files that end in .jsonl, .ndjson or .parquet are those.

    ``needed``: the columns it must have, in place of the first of which one of ``instead`` will do; ``called``: see
    ``Table``; ``wanted``: what an error calls for. Raises
    DataError: no such file, another kind of file or text, columns that are missing or there twice, no rows, rows of
    another length than the header.
    """
    called = dict(called or {})
    if file.suffix.lower() == ENDING:
        return _of_columns(Table(file, (), (), (), called), parquet_columns(file), needed, wanted, instead)
    return table_of_text(file, text_of(file), needed, called, wanted, instead)


def table_of_text(
    file: Path,
    text: str,
    needed: Iterable[str] = (),
    called: Mapping[str, str] | None = None,
    wanted: str = "",
    instead: Sequence[str] = (),
) -> Table:
    """Return the table that a file's text holds; see ``read_table``."""
    called = dict(called or {})
    if file.suffix.lower() in ENDINGS:
        header, rows, lines = parsed_lines(file, text)
        return _checked(Table(file, header, (), lines, called), rows, needed, wanted, instead)
    first = _EXCEL.match(text)
    known = {folded(called.get(name, name)) for name in (*needed, *called, *instead)}
    separator = first[1] if first else _separator(text, known)
    header, rows, lines = _parsed(file, text, separator, 1 if first else 0)
    notes = () if separator == "," else (f"{file.name}: cells are separated by {_SEPARATORS[separator]}",)
    return _checked(Table(file, header, (), lines, called, notes), rows, needed, wanted, instead)


def _of_columns(
    table: Table, columns: Mapping[str, Sequence[str]], needed: Iterable[str], wanted: str, instead: Sequence[str]
) -> Table:
    """Return the table with the cells of columns, by their names. Raises DataError for what is wrong with them."""
    count = len(next(iter(columns.values()), ()))
    table = replace(table, header=tuple(columns), columns=tuple(columns.values()), lines=range(1, count + 1))
    check_columns(table, needed, wanted, instead)
    check_rows(table)
    return table


def _separator(text: str, known: set[str]) -> str:
    """Return what separates the cells: of the header's cells, the most must be columns that are known."""
    line = _QUOTED.sub("q", _HEADER_ENDS.split(text[:100_000], maxsplit=1)[0])
    plain = _HEADER_ENDS.split(text[:100_000], maxsplit=1)[0].replace('"', "")

    def fitness(separator: str) -> tuple[int, int]:
        return sum(folded(cell) in known for cell in plain.split(separator)), line.count(separator)

    return max(_SEPARATORS, key=fitness)


def _parsed(
    file: Path, text: str, separator: str, passed: int
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[int, ...]]:
    """Return the header, the rows that are not blank, and their lines. ``passed``: lines before the header."""
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for _ in range(passed):
            next(reader)
        header = tuple(name.strip() for name in next(reader, []))
        found = [(reader.line_num, tuple(cell.strip() for cell in row)) for row in reader]
    except csv.Error as error:
        raise DataError(
            f"can't read the table {file}, line {reader.line_num}: {error}; expected a table in UTF-8 with a header"
        ) from error
    found = [(line, row) for line, row in found if any(row)]
    return header, tuple(row for _, row in found), tuple(line for line, _ in found)


def _checked(
    table: Table, rows: Sequence[tuple[str, ...]], needed: Iterable[str], wanted: str, instead: Sequence[str]
) -> Table:
    """Return the table with the cells of its rows. Raises DataError for what is wrong with them."""
    check_columns(table, needed, wanted, instead)
    check_rows(table)
    width = len(table.header)
    both = zip(table.lines, rows, strict=True)
    wrong = [f"line {line}: {len(row)} cells, expected {width}" for line, row in both if len(row) != width]
    if wrong:
        quote = "quote a cell that holds a comma" if table.notes == () else "quote a cell that holds the separator"
        raise DataError(f"{table.file} can't be used; {quote}:\n{listing(wrong)}")
    return replace(table, columns=tuple(zip(*rows, strict=True)))


def check_columns(table: Table, needed: Iterable[str] = (), wanted: str = "", instead: Sequence[str] = ()) -> None:
    """Raise DataError for columns that are needed, or that ``called`` names, and are not there.

    One of ``instead`` will do for the first that is needed; ``wanted``: what the error calls for.
    """
    others = any(table.find(name) is not None for name in instead)
    missing = [name for name in list(needed)[1 if others else 0 :] if table.find(name) is None]
    named = [name for name in table.called if name not in missing and table.find(name) is None]
    if missing or named:
        raise table.without([*missing, *named], wanted)


def check_rows(table: Table) -> None:
    """Raise DataError for a table without rows."""
    if not len(table):
        raise DataError(f"{table.file} has no rows; expected one row per sample")
