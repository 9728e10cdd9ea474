"""Addresses of objects: ``s3://bucket/key``, ``gs://…``, ``az://…``, ``https://host/path``."""

from __future__ import annotations

import re
from pathlib import Path, PosixPath, PurePath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from frostline.stages.errors import ConfigError, DataError

BUCKETS = ("s3", "gs", "az")
_OTHER = re.compile(r"[A-Za-z][\w+.-]*:(/|$)")
_ADDRESS = re.compile(r"(s3|gs|az|https?):/{1,2}(?=[^/])", re.IGNORECASE)


class Address(NamedTuple):
    """Where an object lies.

    Attributes:
        scheme: in lower case.
        host: the bucket; for ``https``, the host with its port.
        key: below that, without a slash at its start.
        query: what follows ``?`` of ``https``: a signature, which is shown and kept nowhere.
    """

    scheme: str
    host: str
    key: str
    query: str = ""

    @property
    def top(self) -> str:
        """The bucket or host as an address."""
        return f"{self.scheme}://{self.host}"

    @property
    def shown(self) -> str:
        """The address as messages and ids have it."""
        return f"{self.top}/{self.key}"

    @property
    def lists(self) -> bool:
        """Whether what lies there can be listed."""
        return self.scheme in BUCKETS


class AddressPath(PosixPath):
    """An address where a path is expected, for its name, ending and folder. There is no file there."""

    def __str__(self) -> str:
        said = super().__str__()
        start = _ADDRESS.match(said)
        return f"{start[1]}://{said[start.end() :]}" if start else said


def is_address(place: object) -> bool:
    """Return whether a place is an address rather than a path.

    >>> is_address("s3://bucket/a.tar"), is_address("data/a.tar"), is_address("file:///data/a.tar")
    (True, False, False)
    """
    return bool(_ADDRESS.match(str(place)))


def path_of(place: str) -> Path:
    """Return a place as a path, a home folder put in; one of an address keeps its two slashes."""
    return AddressPath(place) if is_address(place) else Path(place).expanduser()


def address_of(place: str | PurePath) -> Address:
    """Return a place's address. Raises DataError: none that is understood; it holds a password."""
    said = str(place)
    start = _ADDRESS.match(said)
    if not start:
        raise DataError(f"{said} is no address; expected s3://bucket/key, gs://, az:// or https://")
    scheme, rest = start[1].lower(), said[start.end() :]
    if scheme in BUCKETS:
        host, _, key = rest.partition("/")
        return Address(scheme, host, key)
    parts = urlsplit(f"{scheme}://{rest}")
    if "@" in parts.netloc:
        raise DataError(f"an address at {parts.hostname} holds a user or password; give a signed address instead")
    return Address(scheme, parts.netloc, unquote(parts.path).removeprefix("/"), parts.query)


def place_address(place: str) -> Address:
    """Return the address of a dataset. Raises DataError, as for one with a signature: records hold datasets' names."""
    found = address_of(place)
    if found.query:
        raise DataError(
            f"{found.shown} is followed by a query, and what a dataset is called is written down in its records; name "
            "signed addresses in the column path of a table, or give credentials by the environment"
        )
    return found


def check_place(place: object) -> None:
    """Raise ConfigError for what is no folder of a workspace and looks like an address: no folder is made of it.

    >>> check_place("s3://bucket/frostline"), check_place("data"), check_place("./odd:/name")
    (None, None, None)
    """
    said = str(place)
    wrong = "?" in said or "#" in said if is_address(said) else bool(_OTHER.match(said))
    if wrong:
        shown = said.partition("?")[0]  # what follows may be a signature
        after = " and nothing after it, such as ?…" if is_address(said) else f"; a folder of that name is ./{shown}"
        raise ConfigError(
            f"{shown} is no place of a workspace; expected s3://bucket/prefix, gs://, az:// or a folder{after}"
        )


def check_local(file: object) -> None:
    """Raise ConfigError for an address where a file is to be written."""
    if is_address(file) or _OTHER.match(str(file)):
        raise ConfigError(
            f"can't write {path_of(str(file))}: expected a file on this machine; copy it there afterwards"
        )
