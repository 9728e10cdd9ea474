"""Samples of a table whose column ``path`` names objects: by addresses, or from the table's own folder on."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from frostline.stages.datasets.buckets.address import Address, AddressPath, address_of, is_address
from frostline.stages.datasets.buckets.client import Facts, NoObject
from frostline.stages.datasets.buckets.objects import Objects, known_objects
from frostline.stages.datasets.files import Called, indexed_samples
from frostline.stages.datasets.index import check_size, index_contents
from frostline.stages.datasets.samples import Samples
from frostline.stages.datasets.sources.base import Request
from frostline.stages.datasets.sources.file_modality import modality_of_paths
from frostline.stages.datasets.sources.labelled import Rows
from frostline.stages.datasets.table import Table
from frostline.stages.datasets.walk import Files
from frostline.stages.errors import DataError
from frostline.stages.modalities.registry import MODALITIES

_NEVER = 1 << 62  # a time that has not come: what is known of an object without a stamp is not remembered


@dataclass
class _Found:
    """``names``: what each object is called, its id. ``faults``: what is wrong with a row's path."""

    names: list[str] = field(default_factory=list)
    addresses: list[Address] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)


def names_objects(request: Request, table: Table) -> bool:
    """Return whether a table's column ``path`` names objects rather than files."""
    top = _top(request, table)
    return top is not None or any(map(is_address, table.column("path")))


def object_samples(request: Request, rows: Rows) -> tuple[Samples, tuple[str, ...]]:
    """Return the objects that the column ``path`` names. Raises DataError with all that is wrong."""
    table, top = rows.table, _top(request, rows.table)
    found = _found(table, top)
    where = f"objects are looked for below {top.shown}" if top else ""
    rows.check(found.faults, where)
    facts = known_objects(found.addresses)
    rows.check({row: str(one) for row, one in enumerate(facts) if isinstance(one, NoObject)}, where)
    known = [one for one in facts if isinstance(one, Facts)]
    modality = modality_of_paths(table.file, found.names)
    return indexed_objects(request, rows, modality, found.names, found.addresses, known), ()


def indexed_objects(
    request: Request,
    rows: Rows,
    modality: str,
    names: Sequence[str],
    addresses: Sequence[Address],
    known: Sequence[Facts],
) -> Samples:
    """Return objects as samples, each read once for its digest unless that is remembered."""
    objects, most = Objects(addresses, known), MODALITIES.load(modality).max_bytes

    def content(row: int) -> bytes:
        check_size(known[row].size, most)
        return objects.read(row)

    index = index_contents(_files(names, known), content, request.memory, request.progress, modality, objects.announce)
    called = Called(objects.read, lambda row: addresses[row].shown)
    name, options = rows.table.file.stem, request.decode_options
    samples = indexed_samples(name, "all", rows.targets, index, called, modality, options)
    return replace(samples, announce=objects.announce)


def _top(request: Request, table: Table) -> Address | None:
    """Return from where on relative paths are meant, if that is an address."""
    folder = request.root or table.file.parent
    return address_of(folder) if isinstance(folder, AddressPath) or is_address(folder) else None


def _found(table: Table, top: Address | None) -> _Found:
    found, seen = _Found(), dict[str, int]()
    for row, path in enumerate(table.column("path")):
        try:
            address = _address(path, top)
            name = _name(address, top)
            if seen.setdefault(name, row) != row:
                raise DataError(f"{name} again, as on {table.where(seen[name])}")
            found.names.append(name)
            found.addresses.append(address)
        except DataError as error:
            found.faults[row] = str(error)
    return found


def _address(path: str, top: Address | None) -> Address:
    """Return a row's address. Raises DataError: why it has none."""
    if is_address(path):
        return address_of(path)
    if not path:
        raise DataError("no path")
    if top is None:
        raise DataError(f"{path}: a file among addresses; expected addresses alone, or --root ADDRESS for the others")
    key = posixpath.normpath(posixpath.join(top.key, path.replace("\\", "/").removeprefix("/")))
    if (top.key and not key.startswith(f"{top.key}/")) or key.startswith(".."):
        raise DataError(f"{path} leads out of {top.shown}")
    return top._replace(key=key)


def _name(address: Address, top: Address | None) -> str:
    """Return an object's id: its place below the table's folder, or its address. It holds no signature."""
    below = f"{top.key}/" if top and top.key else ""
    if top and address.top == top.top and address.key.startswith(below):
        return address.key[len(below) :]
    return address.shown


def _files(names: Sequence[str], known: Sequence[Facts]) -> Files:
    """Return objects as files: with two halves of a digest of their stamps in place of times."""
    files = Files()
    for name, (size, stamp) in zip(names, known, strict=True):
        digest = hashlib.sha256(stamp.encode()).digest()
        halves = [int.from_bytes(digest[at : at + 7], "big") for at in (0, 7)] if stamp else [_NEVER, _NEVER]
        files.add_facts(name, (size, *halves))
    return files
