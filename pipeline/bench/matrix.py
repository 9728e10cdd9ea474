"""The matrix: a TOML file that names datasets, backbones, layers and heads; every combination is a cell.

    [defaults]                    # settings of `frostline run`, for every cell
    precision = "fp32"

    [[dataset]]
    dataset = ["digits", "folder:images"]

    [[backbone]]
    backbone = "resnet8-cifar10"
    layer = ["default", "layer2"]

    [[head]]
    head = ["logreg", "ridge"]

    [[head]]                      # a learning curve
    head = "ridge"
    shots = [1, 5, 10]

``dataset``, ``backbone``, ``layer`` and ``head`` take one name or a list of them; the other settings of a table
hold for each. ``name``: what a table's dataset, backbone or head is called in the leaderboard. ``target``, ``task`` and
``group`` of a dataset say what is predicted of it; several such tables of one file share its features.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from frostline.pipeline.settings import (
    BackboneSettings,
    DatasetSettings,
    ExtractSettings,
    Settings,
    WorkspaceSettings,
)
from frostline.stages.errors import ConfigError, listing, printable, unknown_name
from frostline.stages.records.sealed import digest

DEFAULT_LAYER = "default"
_PACE = {"device", "batch_size", "workers", "optimize", "allow_unsteady", "engine"}
_OF_DATASET = {*DatasetSettings.model_fields, "max_bad"} - {*WorkspaceSettings.model_fields}
_OF_BACKBONE = ({*BackboneSettings.model_fields} - {*DatasetSettings.model_fields}) | _PACE
_OF_HEAD = {*Settings.model_fields} - {*ExtractSettings.model_fields} - {"baseline"}
_KNOWN = {"dataset": _OF_DATASET, "backbone": _OF_BACKBONE, "head": _OF_HEAD}
_DEFAULTS = (_OF_DATASET | _OF_BACKBONE | _OF_HEAD) - {*_KNOWN, "layer"}


@dataclass(frozen=True)
class Name:
    """A cell by what the leaderboard calls its parts."""

    dataset: str
    backbone: str
    layer: str
    head: str

    @property
    def within(self) -> tuple[str, str, str]:
        """The name among the cells of the same dataset."""
        return self.backbone, self.layer, self.head

    def __str__(self) -> str:
        layer = "" if self.layer == DEFAULT_LAYER else f" {self.layer}"
        return printable(f"{self.dataset} × {self.backbone}{layer} × {self.head}")


@dataclass(frozen=True)
class Cell:
    """One head on one layer of a backbone on a dataset."""

    name: Name
    settings: Settings

    @property
    def drawn(self) -> bool:
        """Whether it is a learning curve, over draws of the training rows."""
        return self.settings.draw(self.settings.head[0]) is not None

    @cached_property
    def identity(self) -> str:
        """The digest of every setting that changes a number."""
        pace = _PACE - {"optimize"} if self.settings.optimize == "openvino" else _PACE
        return digest(self.settings.model_dump(mode="json", exclude={"data_dir", *pace}))

    @cached_property
    def backbone_pass(self) -> str:
        """What cells have in common that need the same features."""
        return digest(self.settings.model_dump(mode="json", include=set(ExtractSettings.model_fields)))

    @cached_property
    def network(self) -> str:
        """What cells have in common whose features differ in layer and pooling alone: one pass may give them all."""
        own = set(ExtractSettings.model_fields)
        if (
            self.settings.optimize == "auto"
        ):  # layers are taken out of one graph, and as it is written a network is none
            own -= {"layer", "pool"}
        return digest(self.settings.model_dump(mode="json", include=own))


@dataclass(frozen=True)
class Matrix:
    """All cells, by dataset, backbone, layer and head, in the order of the file."""

    name: str
    cells: tuple[Cell, ...]

    @property
    def digest(self) -> str:
        """What tells this matrix from another: the names and the settings of its cells."""
        return digest([[str(cell.name), cell.identity] for cell in self.cells])[:12]


def read_matrix(file: Path, data_dir: Path, engine: str = "auto") -> Matrix:
    """Return the matrix of a TOML file; ``engine``: that of cells for which it names none.

    Raises ConfigError: names that aren't known (tables, settings, heads), with a hint; values that can't be; cells
    that occur twice, or that the leaderboard could not tell apart.
    """
    tables = _read(file)
    try:
        defaults = _checked("defaults", tables.pop("defaults", {}), _DEFAULTS, named=False)
        entries = {kind: [one for t in _tables(tables, kind) for one in _entries(kind, t)] for kind in _KNOWN}
        cells = tuple(_cells({"engine": engine, **defaults}, entries, data_dir))
        _check_duplicates(cells)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    return Matrix(file.stem, cells)


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            tables = tomllib.load(stream)
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"can't read the matrix {file}: {error}") from error
    for name in tables:
        if name not in ("defaults", *_KNOWN):
            raise unknown_name(f"table in {file}", name, ("defaults", *_KNOWN))
    return tables


def _tables(tables: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    found = tables.get(kind, [])
    if not isinstance(found, list) or not found:
        raise ConfigError(f"no [[{kind}]]; expected at least one such table, in double brackets")
    return [_checked(f"[[{kind}]]", table, _KNOWN[kind]) for table in found]


def _checked(where: str, table: Any, known: set[str], *, named: bool = True) -> dict[str, Any]:
    """Return a table. Raises ConfigError if it holds what doesn't belong there."""
    if not isinstance(table, dict):
        raise ConfigError(f"{where} is {table!r}; expected a table of settings")
    for name in table:
        if name not in known | ({"name"} if named else set()):
            raise unknown_name(f"setting in {where}", name, known)
    return table


def _entries(kind: str, table: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a table once for each thing that it lists, called by its name."""
    things = _listed(kind, table)
    if "name" in table and len(things) > 1:
        raise ConfigError(
            f"name {table['name']!r} for {len(things)} in [[{kind}]]; expected one table for each of them, or no name"
        )
    for thing in things:
        name = str(table.get("name") or _usual_name(kind, thing, table))
        for layer in _listed("layer", table, DEFAULT_LAYER) if kind == "backbone" else [None]:
            cut = {"layer": None if layer == DEFAULT_LAYER else layer} if layer else {}
            yield {**table, **cut, kind: thing, "name": name}


def _listed(name: str, table: Mapping[str, Any], default: str | None = None) -> list[str]:
    value = table.get(name, default)
    things = value if isinstance(value, list) else [value]
    if not things or not all(isinstance(thing, str) and thing for thing in things):
        raise ConfigError(f"{name} = {value!r} in [[{name}]]; expected a name, or a list of names")
    return things


def _usual_name(kind: str, thing: str, table: Mapping[str, Any]) -> str:
    """Return what a thing is called: a factory without the folders of its file, a dataset with its target."""
    if kind == "backbone":
        return thing.rpartition("/")[2]
    target = table.get("target") if kind == "dataset" else None
    return f"{thing} {','.join(target) if isinstance(target, list) else target}" if target else thing


def _cells(defaults: dict[str, Any], entries: dict[str, list[dict[str, Any]]], data_dir: Path) -> Iterator[Cell]:
    for parts in product(*entries.values()):
        names = [str(part["name"]) for part in parts]
        merged = {n: v for part in (defaults, *parts) for n, v in part.items() if n != "name"}
        layer = merged.get("layer") or DEFAULT_LAYER
        try:
            settings = Settings.of_flags(**merged, data_dir=data_dir, baseline="none")
            settings.spec(settings.head[0])
        except ConfigError as error:
            raise ConfigError(f"{' × '.join(names)}: {error}") from error
        yield Cell(Name(names[0], names[1], layer, names[2]), settings)


def _check_duplicates(cells: Sequence[Cell]) -> None:
    twice = _repeated(cells, lambda cell: cell.identity)
    if twice:
        raise ConfigError(f"some cells appear more than once; expected each cell once:\n{listing(twice)}")
    alike = _repeated(cells, lambda cell: (cell.name, cell.drawn))
    if alike:
        raise ConfigError(f"different cells have the same name; give one of the tables another name:\n{listing(alike)}")


def _repeated(cells: Sequence[Cell], what: Callable[[Cell], Hashable]) -> list[str]:
    times = Counter(map(what, cells))
    return list(dict.fromkeys(str(cell.name) for cell in cells if times[what(cell)] > 1))
