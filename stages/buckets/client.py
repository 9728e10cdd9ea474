"""Requests to buckets and hosts: retried with growing pauses for a bounded time, their failures told as DataError.

Endpoints and credentials are what obstore reads in the environment. Nothing of these, nor of a query, is in an error.
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from typing import Any, NamedTuple

from frostline.stages.buckets.address import Address
from frostline.stages.buckets.pool import Unanswered
from frostline.stages.errors import ConfigError, DataError, printable, shortened

REQUEST_SECONDS = 60.0
PATIENCE_SECONDS = 90.0
"""For how long a request is tried again; the last try may take ``REQUEST_SECONDS`` more."""
_PAUSE, _LONGEST_PAUSE = timedelta(seconds=0.1), timedelta(seconds=10)
_MOST_STORES = 256
_QUOTE = '"'
_LOOPBACK = re.compile(r"(localhost|127\.[\d.]+|\[::1\])(:\d+)?", re.IGNORECASE)
_STATUS = re.compile(r"non-2xx status code: (\d{3})")
_CODES = {
    "PreconditionError": "412",
    "FileNotFoundError": "404",
    "NotFoundError": "404",
    "PermissionDeniedError": "403",
    "UnauthenticatedError": "401",
}
_METADATA = ("169.254.169.254", "169.254.170.2", "metadata.google.internal")
_CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SKIP_SIGNATURE=true for a public bucket",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS, or GOOGLE_SKIP_SIGNATURE=true for a public bucket",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_SKIP_SIGNATURE=true",
}


class NoObject(DataError):
    """There is no such object."""


class NoAccess(DataError):
    """An object may not be seen; of some buckets, one that is not there."""


class Facts(NamedTuple):
    """What is known of an object. ``stamp``: its ETag, or when it was changed; empty where a server tells neither."""

    size: int
    stamp: str


def head(address: Address) -> Facts:
    """Return what is known of an object. Raises DataError: it is not there, access is refused, no answer."""
    with _told(address):
        return _facts(_obstore().head(_STORES.of(address), address.key))


def read_range(address: Address, facts: Facts, start: int, length: int) -> bytes:
    """Return bytes of an object that must still be what it was. Raises DataError."""
    if not length:
        return b""
    options: dict[str, Any] = {} if length == facts.size else {"range": (start, start + length)}
    if facts.stamp.startswith('"'):
        options["if_match"] = facts.stamp
    with _told(address):
        answer = _obstore().get(_STORES.of(address), address.key, options=options)
        found = _facts(answer.meta)
        data = bytes(answer.bytes()) if found == facts else b""
    if found != facts:
        raise _changed(address)
    if len(data) != length:
        raise DataError(f"{address.shown}: {len(data):,} bytes came of {length:,}; run again")
    return data


def listed(address: Address, deep: bool = True) -> Iterator[tuple[str, Facts]]:
    """Yield the keys of the objects below a folder, with what is known of each; only those right in it unless ``deep``.

    They are asked for a thousand at a time. Raises DataError.
    """
    obstore, folder = _obstore(), address.key.rstrip("/")
    with _told(address):
        store = _STORES.of(address)
        if not deep:
            found = obstore.list_with_delimiter(store, folder)["objects"]
            yield from ((one["path"], _facts(one)) for one in found)
            return
        for page in obstore.list(store, folder, chunk_size=1000):
            yield from ((one["path"], _facts(one)) for one in page)


def _facts(meta: Any) -> Facts:
    etag, changed = meta["e_tag"] or "", meta["last_modified"]
    if etag and not etag.startswith("W/"):
        return Facts(int(meta["size"]), f'"{etag.strip(_QUOTE)}"')  # listings may leave the quotes out
    return Facts(int(meta["size"]), etag or (changed.isoformat() if changed.timestamp() > 0 else ""))


def _obstore() -> Any:
    if find_spec("obstore") is None:
        raise ConfigError("samples behind an address need obstore; `pip install 'frostline[buckets]'`")
    import obstore

    return obstore


class _Stores:
    """The clients of this process, one for each bucket or host, those used last."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, str], Any] = OrderedDict()

    def of(self, address: Address) -> Any:
        key = address.top, address.query
        with self._lock:
            self._open[key] = self._open.get(key) or _connected(address)
            self._open.move_to_end(key)
            if len(self._open) > _MOST_STORES:
                self._open.popitem(last=False)
            return self._open[key]


def _connected(address: Address) -> Any:
    from obstore import store

    how: dict[str, Any] = {"client_options": _client(address), "retry_config": _retries()}
    if address.scheme == "s3":
        return store.S3Store(address.host, **how)
    if address.scheme == "gs":
        return store.GCSStore(address.host, **how)
    if address.scheme == "az":
        return store.AzureStore(address.host, **how)
    if address.scheme == "http" and not how["client_options"]["allow_http"]:
        raise DataError(f"{address.shown} is not encrypted; expected https://, or http:// on this machine alone")
    return store.HTTPStore.from_url(f"{address.top}/{address.query and '?' + address.query}", **how)


def _client(address: Address) -> dict[str, Any]:
    plain = os.environ.get({"az": "AZURE_ALLOW_HTTP", "gs": "GOOGLE_ALLOW_HTTP"}.get(address.scheme, "AWS_ALLOW_HTTP"))
    here = address.scheme == "http" and _LOOPBACK.fullmatch(address.host)
    allowed = bool(here) if address.scheme in ("http", "https") else (plain or "").lower() in ("1", "true", "yes")
    return {"timeout": timedelta(seconds=REQUEST_SECONDS), "connect_timeout": "5s", "allow_http": allowed}


def _retries() -> dict[str, Any]:
    backoff = {"init_backoff": _PAUSE, "max_backoff": _LONGEST_PAUSE, "base": 2}
    return {"max_retries": 100, "retry_timeout": timedelta(seconds=PATIENCE_SECONDS), "backoff": backoff}


@contextmanager
def _told(address: Address) -> Iterator[None]:
    """Raise what obstore raises as DataError, in our words."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        if not type(error).__module__.startswith(("obstore", "builtins")) or isinstance(error, TypeError):
            raise
        raise _said(address, error) from None


def _said(address: Address, error: Exception) -> DataError:
    """Return what went wrong with a request, and what to do."""
    whole, kind = str(error), type(error).__name__
    status = _STATUS.search(whole)
    code = status[1] if status else _CODES.get(kind, "")
    if "NoSuchBucket" in whole or "ContainerNotFound" in whole:
        return DataError(f"no bucket {address.top}; check its name, and the endpoint in the environment")
    if code == "412":
        return _changed(address)
    if code == "404":
        return NoObject(f"no object {address.shown}; check the bucket and the key")
    if code in ("401", "403"):
        return _refused(address, whole)
    return _impossible(address, whole, kind) or _unanswered(address, whole, code)


def _impossible(address: Address, whole: str, kind: str) -> DataError | None:
    """Return the error for what no second try helps, None for anything else."""
    if "builder error" in whole:
        return DataError(f"{address.top}: its endpoint in the environment is http://; AWS_ALLOW_HTTP=true allows that")
    if kind == "NotSupportedError":
        return DataError(f"{address.shown}: the server gives no parts of files (206); download the file first")
    return None


def _refused(address: Address, whole: str) -> DataError:
    wanted = _CREDENTIALS.get(address.scheme, "a signed address that is still valid")
    if any(host in whole for host in _METADATA):
        return NoAccess(f"no credentials for {address.top}; expected in the environment: {wanted}")
    return NoAccess(f"{address.shown}: access is refused; expected {wanted}")


def _unanswered(address: Address, whole: str, code: str) -> DataError:
    if any(host in whole for host in _METADATA):
        return _refused(address, whole)
    cause = f"the server answers {code}" if code else _first_line(whole)
    return Unanswered(f"{address.shown} can't be read: {cause}; run again when it answers, what is done is kept")


def _first_line(whole: str) -> str:
    """Return why a request failed, by obstore, without addresses: they may hold a signature."""
    line = whole.partition("\n")[0]
    if "error sending request" in line or "operation timed out" in line:
        return "no answer, tried again and again"
    return shortened(printable(re.sub(r"\w+://\S+", "…", line)), 200)


def _changed(address: Address) -> DataError:
    return DataError(f"{address.shown} changed while it was being used; leave it alone and run again")


_STORES = _Stores()
