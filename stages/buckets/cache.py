"""The local copies of objects: where each lies, and what the object was when it was copied.

A file below ``buckets/`` of the cache folder stands for the object of the same address. It can be removed at any time,
and is fetched again.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path, PurePath

from frostline.stages.buckets.address import Address, AddressPath, address_of, is_address
from frostline.stages.buckets.client import Facts
from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.replaced import replace_file

CACHE_VARIABLE = "FROSTLINE_CACHE_DIR"
_COPIES, _STAMPS = "buckets", "stamps"


def cache_folder() -> Path:
    """Return the folder of all local copies: FROSTLINE_CACHE_DIR, or ``frostline`` in the user's folder of caches."""
    given = os.environ.get(CACHE_VARIABLE)
    usual = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "frostline"
    return Path(given or usual).expanduser().absolute()


def copy_of(address: Address) -> Path:
    """Return where the copy of an object or folder lies. Raises ConfigError for a key that is no path."""
    return _below(_COPIES, address)


def address_at(path: PurePath) -> Address | None:
    """Return the address of what a local copy is of; None for any other path."""
    try:
        scheme, host, *key = path.relative_to(cache_folder() / _COPIES).parts
    except ValueError:
        return None
    return Address(scheme, host, "/".join(key))


def named(path: Path) -> Path:
    """Return a path as a user names it: an address for what is a copy, else the same path."""
    address = address_at(path)
    return path if address is None else AddressPath(address.shown.rstrip("/"))


def local(place: str | PurePath) -> Path:
    """Return the path of a place on this machine: that of the copy for an address. Nothing is fetched."""
    return copy_of(address_of(str(place).rstrip("/"))) if is_address(place) else Path(place)


def is_fresh(address: Address, facts: Facts) -> bool:
    """Return whether the local copy is of the object that a server tells these facts of."""
    try:
        return bool(facts.stamp) and _stamp_file(address).read_text() == _mark(facts) and copy_of(address).is_file()
    except (OSError, ValueError):
        return False


def keep(address: Address, data: bytes, facts: Facts) -> None:
    """Write the copy of an object, and then what the object was. Raises StoreError."""
    write_copy(copy_of(address), data)
    stamp(address, facts)


def stamp(address: Address, facts: Facts) -> None:
    """Note what the object was that a copy was just made of."""
    write_copy(_stamp_file(address), _mark(facts).encode())


def drop_copy(address: Address) -> None:
    """Remove the copy of an object."""
    for path in (_stamp_file(address), copy_of(address)):
        with suppress(OSError):
            path.unlink()


def stamped(address: Address) -> set[Address]:
    """Return the addresses of the copies below a folder."""
    top = _below(_STAMPS, address)
    found = (Path(folder, name) for folder, _, names in os.walk(top) for name in names)
    base = address.key.rstrip("/")
    keys = (path.relative_to(top).as_posix() for path in found if path.suffix != ".tmp")
    return {address._replace(key=f"{base}/{key}" if base else key) for key in keys}


def write_copy(path: Path, data: bytes) -> None:
    """Write a file of the cache, there whole or not at all. Raises StoreError."""
    try:
        replace_file(path, data)
    except OSError as error:
        raise StoreError(
            f"can't write {path}: {error.strerror}; expected a folder of local copies that can be written, with free "
            f"space: name one by the variable {CACHE_VARIABLE}, and run again"
        ) from error


def is_plain(key: str) -> bool:
    """Return whether a key is that of a file below its folders: a stranger's may lead anywhere."""
    return all(part not in ("", ".", "..") and "\0" not in part for part in key.split("/"))


def _stamp_file(address: Address) -> Path:
    return _below(_STAMPS, address)


def _below(kind: str, address: Address) -> Path:
    key = address.key.rstrip("/")
    if not address.lists or not address.host or (key and not is_plain(key)):
        raise ConfigError(f"{address.shown} is no place of a workspace; expected s3://bucket/prefix, gs:// or az://")
    return cache_folder() / kind / address.scheme / address.host / key


def _mark(facts: Facts) -> str:
    return f"{facts.size} {facts.stamp}"
