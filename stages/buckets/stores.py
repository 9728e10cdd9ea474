"""The clients of buckets and hosts: each request is tried again with growing pauses, for a bounded time.

Endpoints and credentials are what obstore reads in the environment.
"""

from __future__ import annotations

import os
import re
import threading
from collections import OrderedDict
from datetime import timedelta
from importlib.util import find_spec
from typing import Any

from frostline.stages.buckets.address import Address
from frostline.stages.errors import ConfigError, DataError

REQUEST_SECONDS = 60.0
PATIENCE_SECONDS = 90.0
"""For how long a request is tried again; the last try may take ``REQUEST_SECONDS`` more."""
_PAUSE, _LONGEST_PAUSE = timedelta(seconds=0.1), timedelta(seconds=10)
_MOST_STORES = 256
_LOOPBACK = re.compile(r"(localhost|127\.[\d.]+|\[::1\])(:\d+)?", re.IGNORECASE)


def _check_obstore() -> None:
    if find_spec("obstore") is None:
        raise ConfigError("addresses need obstore; `pip install 'frostline[buckets]'`")


class _Stores:
    """The clients of this process, one for each bucket or host, those used last: stores of obstore.

    A client is asked by its methods alone, so that anything with these can stand in for it, see ``use``.
    """

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, str], Any] = OrderedDict()

    def use(self, address: Address, store: Any) -> None:
        """Ask this store for the objects of an address's bucket."""
        with self._lock:
            self._open[address.top, address.query] = store

    def of(self, address: Address) -> Any:
        """Return the client of an address. Raises ConfigError if obstore is not installed."""
        key = address.top, address.query
        with self._lock:
            self._open[key] = self._open.get(key) or _connected(address)
            self._open.move_to_end(key)
            if len(self._open) > _MOST_STORES:
                self._open.popitem(last=False)
            return self._open[key]


def _connected(address: Address) -> Any:
    _check_obstore()
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


STORES = _Stores()
