"""Requests to buckets and hosts, tried again for a bounded time; their failures are DataError, see ``failures``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, TypeVar

from frostline.stages.buckets.address import Address
from frostline.stages.buckets.failures import changed, told
from frostline.stages.buckets.stores import STORES
from frostline.stages.errors import DataError

_QUOTE = '"'
_EXISTS = ("AlreadyExistsError", "PreconditionError")
_BROKEN_OFF, _TRIES = "body error", 3
T = TypeVar("T")
_UNKNOWN = ("NotSupportedError", "NotImplementedError")


class Facts(NamedTuple):
    """What is known of an object. ``stamp``: its ETag, or when it was changed; empty where a server tells neither."""

    size: int
    stamp: str


def head(address: Address) -> Facts:
    """Return what is known of an object. Raises DataError: it is not there, access is refused, no answer."""
    with told(address):
        return _facts(STORES.of(address).head(address.key))


def read_range(address: Address, facts: Facts, start: int, length: int) -> bytes:
    """Return bytes of an object that must still be what it was. Raises DataError."""
    if not length:
        return b""
    options: dict[str, Any] = {} if length == facts.size else {"range": (start, start + length)}
    if facts.stamp.startswith('"'):
        options["if_match"] = facts.stamp
    with told(address):
        answer = STORES.of(address).get(address.key, options=options)
        found = _facts(answer.meta)
        data = bytes(answer.bytes()) if found == facts else b""
    if found != facts:
        raise changed(address)
    if len(data) != length:
        raise DataError(f"{address.shown}: {len(data):,} bytes came of {length:,}; run again")
    return data


def put(address: Address, data: bytes) -> str:
    """Store an object, in place of one that is there; return its stamp, see ``Facts``. Raises DataError."""
    with told(address, "written"):
        return _stamp(STORES.of(address).put(address.key, data))


def create(address: Address, data: bytes) -> str | None:
    """Store an object where there is none, and return its stamp; None where there is one. Raises DataError.

    There may be one because an answer was lost, and this very call has stored it.
    """
    with told(address, "written"):
        try:
            return _stamp(STORES.of(address).put(address.key, data, mode="create"))
        except Exception as error:
            if type(error).__name__ in _EXISTS:
                return None
            raise


def replace(address: Address, seen: bytes, data: bytes) -> bool:
    """Store an object in place of one that holds ``seen``; return whether it still did. Raises DataError.

    Where a server gives no ETags, or does not compare them, another's change in the last moment goes unseen.
    """
    with told(address, "written"), suppress(FileNotFoundError):
        store = STORES.of(address)
        answer = store.get(address.key)
        marks = {name: answer.meta[name] for name in ("e_tag", "version") if answer.meta[name]}
        if bytes(answer.bytes()) == seen:
            return _replaced(store, address.key, data, marks)
    return False


def _replaced(store: Any, key: str, data: bytes, marks: dict[str, str]) -> bool:
    try:
        store.put(key, data, mode=marks or "overwrite")
    except Exception as error:
        if type(error).__name__ in _EXISTS:
            return False
        if type(error).__name__ not in _UNKNOWN:
            raise
        store.put(key, data)
    return True


def get(address: Address, max_bytes: int | None = None) -> tuple[bytes, Facts]:
    """Return a whole object and what is known of it. Raises DataError, ValueError for one of more bytes."""
    with told(address):
        data, facts = _whole(partial(_got, address, max_bytes))
    if max_bytes is not None and facts.size > max_bytes:
        raise ValueError(f"{address.shown} holds {facts.size:,} bytes; expected {max_bytes:,} at most")
    if len(data) != facts.size:
        raise DataError(f"{address.shown}: {len(data):,} bytes came of {facts.size:,}; run again")
    return data, facts


def _got(address: Address, max_bytes: int | None) -> tuple[bytes, Facts]:
    answer = STORES.of(address).get(address.key)
    facts = _facts(answer.meta)
    fits = max_bytes is None or facts.size <= max_bytes
    return bytes(answer.bytes()) if fits else b"", facts


def delete(address: Address) -> None:
    """Remove an object, if it is there. Raises DataError."""
    with told(address, "removed"), suppress(FileNotFoundError):
        STORES.of(address).delete(address.key)


def inside(address: Address) -> tuple[list[str], dict[str, Facts]]:
    """Return what lies right in a folder: the keys of folders, and objects by key. Raises DataError."""
    with told(address):
        store = STORES.of(address)
        found = _whole(partial(store.list_with_delimiter, address.key.rstrip("/") or None))
        return list(found["common_prefixes"]), {one["path"]: _facts(one) for one in found["objects"]}


def listed(address: Address, deep: bool = True) -> Iterator[tuple[str, Facts]]:
    """Yield the keys of the objects below a folder, with what is known of each; only those right in it unless ``deep``.

    They are asked for a thousand at a time. Raises DataError.
    """
    if not deep:
        yield from inside(address)[1].items()
        return
    with told(address):
        for one in _listed(STORES.of(address), address.key.rstrip("/") or None):
            yield one["path"], _facts(one)


def _listed(store: Any, prefix: str | None) -> Iterator[Any]:
    """Yield what a store tells of its objects; where an answer breaks off, on from the last page."""
    after: dict[str, str] = {}
    for left in reversed(range(_TRIES)):
        try:
            for page in store.list(prefix, chunk_size=1000, **after):
                yield from page
                after = {"offset": page[-1]["path"]} if page else after
            return
        except Exception as error:
            if not left or _BROKEN_OFF not in str(error):
                raise


def _whole(ask: Callable[[], T]) -> T:
    """Return an answer; where one breaks off, it is asked for again: obstore does so only before it begins."""
    for _ in range(_TRIES - 1):
        try:
            return ask()
        except Exception as error:
            if _BROKEN_OFF not in str(error):
                raise
    return ask()


def _facts(meta: Any) -> Facts:
    etag, changed = meta["e_tag"] or "", meta["last_modified"]
    if etag and not etag.startswith("W/"):
        return Facts(int(meta["size"]), f'"{etag.strip(_QUOTE)}"')  # listings may leave the quotes out
    return Facts(int(meta["size"]), etag or (changed.isoformat() if changed.timestamp() > 0 else ""))


def _stamp(answer: Any) -> str:
    """Return the stamp of what was just stored, as ``_facts`` tells it; empty where the server says nothing."""
    etag = answer["e_tag"] or ""
    return etag if etag.startswith("W/") or not etag else f'"{etag.strip(_QUOTE)}"'
