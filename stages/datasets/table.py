"""A table of texts: a header, and rows that know their lines. Which character separates its cells is found out."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from frostline.stages.datasets.encodings import text_of
from frostline.stages.datasets.json_lines import ENDINGS, parsed_lines
from frostline.stages.datasets.names import folded, nearest
from frostline.stages.datasets.parquet_table import ENDING, Parsed, parsed_parquet
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
    """``rows``: cells without the spaces around them, as many as the header has. ``lines``: on which each row ends.

    ``called``: what columns are called, by what they are taken for. ``notes``: what was found out.
    """

    file: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]
    called: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def find(self, name: str) -> int | None:
        """Return where a column is, by its own name or by what it is taken for; None if there is none.

        A name that differs in case or spaces will do, if there is but one. Raises DataError if there are two.
        """
        wanted = self.called.get(name, name)
        exact = [i for i, found in enumerate(self.header) if found == wanted]
        found = exact or [i for i, one in enumerate(self.header) if folded(one) == folded(wanted)]
        if len(found) > 1:
            raise DataError(f"{self.file} has two columns {wanted}; found {self._found()}; rename one of them")
        return found[0] if found else None

    def column(self, name: str, option: str = "--target") -> list[str]:
        """Return a column's cells. Raises DataError, with the nearest names for the option, if there is none."""
        at = self.find(name)
        if at is None:
            raise self.without([name], option=option)
        return [row[at] for row in self.rows]

    def without(self, names: Sequence[str], wanted: str = "", option: str = "--target") -> DataError:
        """Return the error for columns that are not there, with what there is and what to do.

        ``option``: what named those that Frostline has no name for.
        """
        missing = [self.called.get(name, name) for name in names]
        hint = self._spaced(missing) or self._meant(names, option) or self._headless()
        wanted = f"; wanted {wanted}" if wanted else ""
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
        return "; cells seem to be separated by spaces: expected commas, semicolons, tabs or bars" if apart else ""

    def likely(self, name: str) -> list[str]:
        """Return the columns whose names people often give to what is taken for a name; maybe none."""
        by_word = {_BETWEEN.sub("", folded(one)): one for one in self.header if one and self.header.count(one) == 1}
        words = _LIKELY.get(name, "").replace("_", "").split()
        return [by_word[word] for word in dict.fromkeys(words) if word in by_word]

    def _like(self, name: str) -> list[str]:
        return self.likely(name) or nearest(self.called.get(name, name), [one for one in self.header if one], 1)

    def _headless(self) -> str:
        endings = MODALITIES.load("image").extensions
        is_row = any(Path(cell).suffix.lower() in endings for cell in self.header)
        return "; the first line names a file: is the header missing?" if is_row else ""

    def _found(self) -> str:
        return ", ".join(self.header)


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
    parsed = _parsed_by_ending(file)
    if parsed:
        table = Table(file, *parsed, called)
        _check(table, needed, wanted, instead)
        return table
    text = text_of(file)
    first = _EXCEL.match(text)
    known = {folded(called.get(name, name)) for name in (*needed, *called, *instead)}
    separator = first[1] if first else _separator(text, known)
    header, rows, lines = _parsed(file, text, separator, 1 if first else 0)
    notes = () if separator == "," else (f"{file.name}: cells are separated by {_SEPARATORS[separator]}",)
    table = Table(file, header, rows, lines, called, notes)
    _check(table, needed, wanted, instead)
    return table


def _parsed_by_ending(file: Path) -> Parsed | None:
    """Return the header, rows and lines of a file of JSON Lines or Parquet, None if it has neither's ending."""
    if file.suffix.lower() in ENDINGS:
        return parsed_lines(file, text_of(file))
    return parsed_parquet(file) if file.suffix.lower() == ENDING else None


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
            f"can't read the table {file}, line {reader.line_num}: {error}; wanted a table in UTF-8 with a header"
        ) from error
    found = [(line, row) for line, row in found if any(row)]
    return header, tuple(row for _, row in found), tuple(line for line, _ in found)


def _check(table: Table, needed: Iterable[str], wanted: str, instead: Sequence[str]) -> None:
    others = any(table.find(name) is not None for name in instead)
    missing = [name for name in list(needed)[1 if others else 0 :] if table.find(name) is None]
    named = [name for name in table.called if name not in missing and table.find(name) is None]
    if missing or named:
        raise table.without([*missing, *named], wanted)
    if not table.rows:
        raise DataError(f"{table.file} has a header and no rows; wanted one row per sample")
    width = len(table.header)
    both = zip(table.lines, table.rows, strict=True)
    wrong = [f"line {line}: {len(row)} cells, {width} columns" for line, row in both if len(row) != width]
    if wrong:
        quote = "quote a cell that holds a comma" if table.notes == () else "quote a cell that holds the separator"
        raise DataError(f"{table.file} can't be used; {quote}:\n{listing(wrong)}")
