"""Two tables as one: the first is the training split, the second the test split."""

from __future__ import annotations

from collections.abc import Sequence

from frostline.stages.datasets.located import absolute
from frostline.stages.datasets.names import folded
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.table import Table
from frostline.stages.errors import ConfigError, DataError

SPLIT = "split"


def train_and_test(request: Request, train: Table, test: Table) -> Table:
    """Return the rows of both tables, with a column that says of which split each is.

    Raises DataError where one lacks a column of the other, ConfigError where paths would start at two folders.
    """
    own, theirs = ({folded(name): name for name in table.header if name} for table in (train, test))
    lacking = [name for key, name in (own | theirs).items() if (key in own) != (key in theirs) and key != SPLIT]
    if lacking:
        raise DataError(
            f"{train.file} and {test.file} have different columns: {', '.join(lacking)} only in one of them; "
            "expected the same columns"
        )
    if train.find("path") is not None and request.root is None and _folder(train) != _folder(test):
        raise ConfigError(
            f"{train.file} and {test.file} are in two folders; give the folder that their paths start from with --root"
        )
    names = [train.where(row) for row in range(len(train))] + [
        f"{test.file.name}, {test.where(row)}" for row in range(len(test))
    ]
    kept = [name for name in train.header if name and folded(name) != SPLIT]
    columns = [(*_column(train, name), *_column(test, theirs[folded(name)])) for name in kept]
    splits: Sequence[str] = ["train"] * len(train) + ["test"] * len(test)
    unused = dict.fromkeys(one.header[at] for one in (train, test) if (at := one.find(SPLIT)) is not None)
    said = [f"column {name} is not used: the split is taken from --test" for name in unused]
    called = {key: name for key, name in train.called.items() if key != SPLIT}
    notes = (*train.notes, *test.notes, *said)
    return Table(train.file, (*kept, SPLIT), (*columns, splits), range(1, len(splits) + 1), called, notes, names=names)


def _column(table: Table, name: str) -> Sequence[str]:
    return table.columns[table.header.index(name)]


def _folder(table: Table) -> str:
    return str(absolute(table.file.parent))
