"""Samples of a table whose column ``path`` names objects: by addresses, or from the table's own folder on."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from frostline.stages.buckets.address import Address, AddressPath, address_of, is_address
from frostline.stages.buckets.client import Facts
from frostline.stages.buckets.failures import NoObject
from frostline.stages.datasets.buckets.objects import Objects, known_objects
from frostline.stages.datasets.files import Called, indexed_samples
from frostline.stages.datasets.index import check_size, index_contents
from frostline.stages.datasets.samples import Samples
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.file_modality import modality_of_paths
from frostline.stages.datasets.sources.labelled import Rows
from frostline.stages.datasets.table import Table
from frostline.stages.datasets.walk import Files
from frostline.stages.errors import DataError, listing
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.targets.values import Targets, unlabelled

_NEVER = 1 << 62  # a time that has not come: what is known of an object without a stamp is not remembered


@dataclass(frozen=True)
class FoundObjects:
    """Objects with what is known of each. ``names``: what each is called, its id."""

    names: Sequence[str]
    addresses: Sequence[Address]
    facts: Sequence[Facts]


def names_objects(request: Request, table: Table) -> bool:
    """Return whether a table's column ``path`` names objects rather than files."""
    top = _top(request, table)
    return top is not None or any(map(is_address, table.column("path")))


def object_samples(request: Request, rows: Rows) -> tuple[Samples, tuple[str, ...]]:
    """Return the objects that the column ``path`` names. Raises DataError with all that is wrong."""
    found = _located(request, rows.table, rows.check)
    return indexed_objects(request, rows.targets, found, modality_of_paths(rows.table.file, found.names)), ()


def unlabelled_objects(request: Request, table: Table) -> Samples:
    """Return the objects that the column ``path`` names, whatever else is there. Raises DataError as above."""

    def check(faults: Mapping[int, str], where: str) -> None:
        if faults:
            wrong = [f"{table.where(row)}: {fault}" for row, fault in faults.items()]
            raise DataError(f"{table.file} can't be used{where and f' ({where})'}:\n{listing(wrong)}")

    found = _located(request, table, check)
    return indexed_objects(request, unlabelled(len(table)), found, request.modality or IMAGE)


def _located(request: Request, table: Table, check: Callable[[Mapping[int, str], str], None]) -> FoundObjects:
    """Return the objects of all rows. ``check`` raises DataError if it is given faults."""
    top = _top(request, table)
    where = f"objects are searched in {top.shown}" if top else ""
    names, addresses, faults = _addresses(table, top)
    check(faults, where)
    facts = known_objects(addresses)
    check({row: str(one) for row, one in enumerate(facts) if isinstance(one, NoObject)}, where)
    return FoundObjects(names, addresses, [one for one in facts if isinstance(one, Facts)])


def indexed_objects(request: Request, targets: Targets, found: FoundObjects, modality: str) -> Samples:
    """Return objects as samples, each read once for its digest unless that is remembered."""
    objects, most = Objects(found.addresses, found.facts), MODALITIES.load(modality).max_bytes

    def content(row: int) -> bytes:
        check_size(found.facts[row].size, most)
        return objects.read(row)

    memory, progress = request.memory, request.progress
    index = index_contents(_files(found), content, memory, progress, modality, objects.announce)
    called = Called(objects.read, lambda row: found.addresses[row].shown)
    name, options = request.path.stem, request.decode_options
    samples = indexed_samples(name, "all", targets, index, called, modality, options)
    return replace(samples, announce=objects.announce)


def _top(request: Request, table: Table) -> Address | None:
    """Return from where on relative paths are meant, if that is an address."""
    folder = request.root or table.file.parent
    return address_of(folder) if isinstance(folder, AddressPath) or is_address(folder) else None


def _addresses(table: Table, top: Address | None) -> tuple[list[str], list[Address], dict[int, str]]:
    """Return the names and addresses of rows, and what is wrong with those that have none."""
    names, addresses, faults, seen = list[str](), list[Address](), dict[int, str](), dict[str, int]()
    for row, path in enumerate(table.column("path")):
        try:
            address = _address(path, top)
            name = _name(address, top)
            if seen.setdefault(name, row) != row:
                raise DataError(f"{name} appears twice, first on {table.where(seen[name])}")
            names.append(name)
            addresses.append(address)
        except DataError as error:
            faults[row] = str(error)
    return names, addresses, faults


def _address(path: str, top: Address | None) -> Address:
    """Return a row's address. Raises DataError: why it has none."""
    if is_address(path):
        return address_of(path)
    if not path:
        raise DataError("no path")
    if top is None:
        raise DataError(
            f"{path}: a local file among addresses; expected only addresses, or --root ADDRESS for the other paths"
        )
    key = posixpath.normpath(posixpath.join(top.key, path.replace("\\", "/").removeprefix("/")))
    if (top.key and not key.startswith(f"{top.key}/")) or key.startswith(".."):
        raise DataError(f"{path} leads outside {top.shown}")
    return top._replace(key=key)


def _name(address: Address, top: Address | None) -> str:
    """Return an object's id: its place below the table's folder, or its address. It holds no signature."""
    below = f"{top.key}/" if top and top.key else ""
    if top and address.top == top.top and address.key.startswith(below):
        return address.key[len(below) :]
    return address.shown


def _files(found: FoundObjects) -> Files:
    """Return objects as files: with two halves of a digest of their stamps in place of times."""
    files = Files()
    for name, (size, stamp) in zip(found.names, found.facts, strict=True):
        digest = hashlib.sha256(stamp.encode()).digest()
        halves = [int.from_bytes(digest[at : at + 7], "big") for at in (0, 7)] if stamp else [_NEVER, _NEVER]
        files.add_facts(name, (size, *halves))
    return files
