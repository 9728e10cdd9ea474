"""A file of vectors: which of its arrays they are, and what it says of each of them besides."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from frostline.stages.errors import DataError, listing
from frostline.stages.modalities.vector.cells import cells
from frostline.stages.modalities.vector.hdf5 import open_hdf5
from frostline.stages.modalities.vector.names import named, numbered
from frostline.stages.modalities.vector.numpy_files import open_npy, open_npz
from frostline.stages.modalities.vector.parquet import open_parquet
from frostline.stages.modalities.vector.rows import Rows
from frostline.stages.modalities.vector.stored import Stored, whole
from frostline.stages.modalities.vector.transform import MOST
from frostline.stages.records.packed_names import PackedNames

_OPENERS: dict[str, Callable[[Path], Mapping[str, Stored]]] = {
    ".npz": open_npz,
    ".npy": open_npy,
    ".parquet": open_parquet,
    ".h5": open_hdf5,
    ".hdf5": open_hdf5,
}
ENDINGS = tuple(_OPENERS)
FEATURES = ("features", "x", "embeddings", "embedding", "vectors", "vector", "feats", "emb")
IDS = ("ids", "id", "paths", "path", "names", "files")
LABELS = ("labels", "label", "y", "targets", "target", "label_values", "values")
_SPLITS = ("train", "test", "val")
_MANY = 10_000  # labels of a row


@dataclass(frozen=True, eq=False)
class VectorFile:
    """A file's vectors, and its other arrays.

    Attributes:
        file: where.
        arrays: all its arrays, by name.
        parts: the arrays of vectors, by their split; of one without splits by ````.
    """

    file: Path
    arrays: Mapping[str, Stored]
    parts: Mapping[str, str]

    @property
    def kept(self) -> list[Stored]:
        """The arrays of vectors."""
        return [self.arrays[name] for name in self.parts.values()]

    def rows(self) -> Rows:
        """Return the vectors, split after split."""
        return Rows(self.kept)

    def __len__(self) -> int:
        return sum(part.shape[0] for part in self.kept)

    def ids(self, name: str | None = None) -> PackedNames:
        """Return what each row is called: by the named array, else by that of ids, else by its number, from 1."""
        if name is not None and name not in self.names:
            raise DataError(
                f"{self.file} has no array {name} with a name for each vector; found\n{_there(self.arrays)}"
            )
        name = name or self.first_of(IDS)
        if name is not None and len(self._shape(name)) == 1:
            return named(self.file, [(own, self.arrays[own]) for own in self._parts_of(name)])
        return numbered(len(self))

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the arrays with a row for each vector, those of splits without the name of the split."""
        return tuple(dict.fromkeys(self._names()))

    def first_of(self, names: tuple[str, ...]) -> str | None:
        """Return the first of some names that is one of ``names``, in whatever case."""
        return next((own for name in names for own in self.names if own.lower() == name), None)

    def width_of(self, name: str) -> int | None:
        """Return how many columns an array has; None for one that is a column itself."""
        shape = self._shape(name)
        return None if len(shape) == 1 else shape[1]

    def column(self, name: str, at: int | None = None) -> list[str]:
        """Return what an array says of each row, as texts; ``at``: in which of its columns. Raises DataError."""
        found: list[str] = []
        for own in self._parts_of(name):
            array = whole(self.file, own, self.arrays[own])
            found += cells(f"{self.file}: {own}", array if at is None else array[:, at])
        return found

    def listed(self, names: tuple[str, ...], count: int) -> list[str] | None:
        """Return the texts of an array of names that has at least so many; None if there is none."""
        found = next((own for name in names for own in self.arrays if own.lower() == name), None)
        if found is None or len(self.arrays[found].shape) != 1 or self.arrays[found].shape[0] < count:
            return None
        return cells(f"{self.file}: {found}", whole(self.file, found, self.arrays[found]))

    def _shape(self, name: str) -> tuple[int, ...]:
        return self.arrays[self._parts_of(name)[0]].shape

    def _parts_of(self, name: str) -> list[str]:
        return [_of_split(self.arrays, name, split) or name for split in self.parts]

    def _names(self) -> Iterator[str]:
        for name, array in self.arrays.items():
            base = _without_split(name) if "" not in self.parts else name
            own = self._parts_of(base)
            if name in own and name not in self.parts.values() and self._fits(own) and len(array.shape) in (1, 2):
                yield base

    def _fits(self, names: list[str]) -> bool:
        found = [self.arrays[name].shape for name in names if name in self.arrays]
        rows = [part.shape[0] for part in self.kept]
        return [shape[0] if shape else -1 for shape in found] == rows and all(s[1:] < (_MANY,) for s in found)


def open_vectors(file: Path, named: str | None = None) -> VectorFile:
    """Return what a file of vectors holds; ``named``: the array that they are, for a file with several.

    Raises DataError that says what is there where that is no array of vectors; ConfigError where a package lacks.
    """
    kind = file.suffix.lower()
    if kind not in _OPENERS:
        raise DataError(f"{file} is not a file of vectors; expected the extension {', '.join(ENDINGS)}")
    if not file.is_file():
        found = "not a regular file" if file.exists() else "no such file"
        raise DataError(f"can't read {file} ({found}); expected vectors as {', '.join(ENDINGS)}")
    arrays = _OPENERS[kind](file)
    opened = VectorFile(file, arrays, _parts(file, arrays, named))
    for name in opened.parts.values():
        _check(file, name, arrays[name])
    if len({part.shape[1] for part in opened.kept}) > 1:
        raise DataError(f"{file}: vectors of several widths:\n{_there({n: arrays[n] for n in opened.parts.values()})}")
    if not len(opened):
        raise DataError(f"{file} holds no vector (0 rows)")
    return opened


def _parts(file: Path, arrays: Mapping[str, Stored], named: str | None) -> dict[str, str]:
    """Return the names of the arrays that are the vectors, by their split."""
    if named is not None:
        if named not in arrays:
            raise DataError(f"{file} has no array {named}; found\n{_there(arrays)}")
        return {"": named}
    for name in FEATURES:
        whole_one = next((own for own in arrays if own.lower() == name), None)
        splits = {split: own for split in _SPLITS if (own := _of_split(arrays, name, split))}
        if whole_one is not None:
            return {"": whole_one}
        if "train" in splits and len(splits) > 1:
            return splits
    likely = [name for name, array in arrays.items() if len(array.shape) == 2 and array.dtype.kind == "f"]
    if len(likely) == 1:
        return {"": likely[0]}
    raise DataError(
        f"{file} has no array of vectors (features, X or embeddings), or several of them; found\n{_there(arrays)}\n"
        "Choose it with --columns features=NAME."
    )


def _of_split(arrays: Mapping[str, Stored], name: str, split: str) -> str | None:
    both = (f"{name}_{split}".lower(), f"{split}_{name}".lower())
    return next((own for own in arrays if split and own.lower() in both), None)


def _without_split(name: str) -> str:
    for split in _SPLITS:
        name = name.removeprefix(f"{split}_").removesuffix(f"_{split}")
    return name


def _check(file: Path, name: str, array: Stored) -> None:
    """Raise DataError for an array that is none of vectors."""
    kinds = {"c": "complex numbers", "O": "texts", "U": "texts", "S": "texts", "V": "records"}
    if array.dtype.kind not in "biuf":
        what = kinds.get(array.dtype.kind, str(array.dtype))
        raise DataError(f"{file}: {name} holds {what}; expected real numbers, such as float32")
    if len(array.shape) != 2 or array.shape[1] == 0:
        raise DataError(f"{file}: {name} has the shape {array.shape}; expected (rows, numbers in each)")
    if array.shape[1] > MOST:
        raise DataError(f"{file}: {name} has {array.shape[1]:,} numbers in a row; expected at most {MOST:,}")


def _there(arrays: Mapping[str, Stored]) -> str:
    return listing([f"{name}: {array}" for name, array in arrays.items()]) if arrays else "  nothing"


def kind_note(array: Stored) -> str | None:
    """Return what is to be said of an array's type, where its numbers are not kept as they are."""
    if array.dtype.kind == "f" and array.dtype.itemsize <= np.dtype(np.float32).itemsize:
        return None
    return f"vectors of {array.dtype} are converted to float32"
