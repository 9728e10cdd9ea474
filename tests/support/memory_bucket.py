"""A bucket in this process, in memory, whose answers can be lost and whose requests can fail or be slowed down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from frostline.stages.buckets.address import Address
from frostline.stages.buckets.stores import STORES

Hook = Callable[[str, str], None]
Ask = Callable[[], Any]


class LostReply(ConnectionError):
    """A reply that did not come, as obstore would tell it: not one of our own errors."""


LostReply.__module__ = "obstore.exceptions"


class MemoryBucket:
    """What ``frostline.stages.buckets.client`` asks of a store of obstore, passed on to one in memory.

    Attributes:
        requests: of each request its name (``put``, ``create``, ``get``, ``head``, ``list``, ``delete``) and its key.
        before: called with these before the store is asked; what it raises, the request raises: nothing has happened.
        after: called after it was asked; what it raises, the request raises: it has happened all the same.
        around: asks the store; may ask again, or not at all, or give another answer.
        repeats: what is to be created was created before, by the same request, whose reply was lost.
        lies: an object that is to be created is stored where there is one, too.
    """

    def __init__(self) -> None:
        from obstore.store import MemoryStore

        self.store = MemoryStore()
        self.requests: list[tuple[str, str]] = []
        self.before: Hook = _nothing
        self.after: Hook = _nothing
        self.around: Callable[[str, str, Ask], Any] = _asked
        self.repeats = False
        self.lies = False

    def put(self, key: str, data: bytes, *, mode: str = "overwrite") -> Any:
        kind = "create" if mode == "create" else "put"
        if kind == "create" and self.repeats:
            self.store.put(key, data, mode="create")
        return self._do(kind, key, lambda: self.store.put(key, data, mode="overwrite" if self.lies else mode))

    def get(self, key: str, **how: Any) -> Any:
        return self._do("get", key, lambda: self.store.get(key, **how))

    def head(self, key: str) -> Any:
        return self._do("head", key, lambda: self.store.head(key))

    def delete(self, key: str) -> Any:
        return self._do("delete", key, lambda: self.store.delete(key))

    def list(self, prefix: str | None = None, **how: Any) -> Any:
        return self._do("list", prefix or "", lambda: self.store.list(prefix, **how))

    def list_with_delimiter(self, prefix: str | None = None) -> Any:
        return self._do("list", prefix or "", lambda: self.store.list_with_delimiter(prefix))

    def names(self) -> list[str]:
        """Return the keys of all objects, sorted."""
        return sorted(one["path"] for page in self.store.list() for one in page)

    def read(self, key: str) -> bytes:
        return bytes(self.store.get(key).bytes())

    def said(self, kind: str) -> list[str]:
        """Return the keys of the requests of a kind."""
        return [key for name, key in self.requests if name == kind]

    def _do(self, kind: str, key: str, ask: Ask) -> Any:
        self.requests.append((kind, key))
        self.before(kind, key)
        answer = self.around(kind, key, ask)
        self.after(kind, key)
        return answer


def _nothing(_kind: str, _key: str) -> None:
    """Let the request be."""


def _asked(_kind: str, _key: str, ask: Ask) -> Any:
    return ask()


def memory_bucket(name: str) -> MemoryBucket:
    """Return an empty bucket, which ``s3://name`` leads to in this process."""
    made = MemoryBucket()
    STORES.use(Address("s3", name, ""), made)
    return made
