"""A bucket each of whose requests can go wrong, and machines that use it: what it ever held as committed is remembered.

All runs in one thread, so that the requests of a run are the same each time.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from frostline.stages.buckets import mirror
from frostline.stages.buckets.cache import CACHE_VARIABLE
from frostline.stages.extract import order
from frostline.stages.records.sealed import unsealed
from frostline.stages.store.places import claims, probe
from support.memory_bucket import Ask, LostReply, MemoryBucket, memory_bucket

T = TypeVar("T")
_RECORD = re.compile(r".*/shards/\d{5}\.json")
_count = itertools.count()


class Killed(BaseException):
    """The process is gone: whatever it asks for from now on does not reach the bucket."""


@dataclass(frozen=True)
class Request:
    """A request that is about to be made; ``ask`` makes it."""

    n: int
    kind: str
    key: str
    ask: Ask
    bucket: Requests


Act = Callable[[Request], Any]
Fault = Callable[[Request], Any]


def no_fault(request: Request) -> Any:
    return request.ask()


class Requests:
    """An empty bucket, ``address``, whose requests are counted and can be disturbed by ``fault``.

    Attributes:
        asked: kind and key of each request, done or not.
        committed: of each record that was ever sound its bytes, and its object's key and bytes.
        wrong: what was ever wrong with the bucket: a committed shard lost, a record that names no object.
        redone: the records of committed shards that were removed, or had named no object before and were replaced.
        useless: of each record that named no object its bytes.
        born: since which request an object is there.
    """

    def __init__(self, fault: Fault = no_fault) -> None:
        name = f"faults-{next(_count)}"
        self.address = f"s3://{name}/ws"
        self.memory: MemoryBucket = memory_bucket(name)
        self.memory.around = self._around
        self.fault = fault
        self.asked: list[tuple[str, str]] = []
        self.committed: dict[str, tuple[bytes, str, bytes]] = {}
        self.wrong: list[str] = []
        self.redone: list[str] = []
        self.useless: dict[str, bytes] = {}
        self.born: dict[str, int] = {}
        self.delayed: list[Ask] = []

    def arrive(self) -> None:
        """Have what was delayed arrive; nobody waits for an answer."""
        for ask in self.delayed:
            with suppress(Exception):
                ask()

    def state(self) -> dict[str, bytes]:
        """Return all objects by their keys in the workspace, but for probes; what claims contain is by chance."""
        names = [key for key in self.memory.names() if "/probe-" not in key]
        return {key: b"" if "/claims/" in key else self.memory.read(key) for key in names}

    def look(self, *, removed: str = "") -> None:
        """Note what is committed now, and what is lost of what was. ``removed``: what was just removed."""
        there = {key: self.memory.read(key) for key in self.memory.names() if "/shards/" in key}
        for key, (record, name, data) in [*self.committed.items()]:
            if (there.get(key), there.get(name)) != (record, data):
                excused = key == removed or self.useless.get(key) == record
                (self.redone if excused else self.wrong).append(f"lost: {key}")
                del self.committed[key]
        for key, data in there.items():
            if _RECORD.fullmatch(key):
                self._note(key, data, there)

    def _note(self, key: str, record: bytes, there: dict[str, bytes]) -> None:
        try:
            fields = unsealed(record)
            if fields["start"] % 3 or key[-10:-5] != f"{fields['start'] // 3:05d}":
                return
        except ValueError:
            return
        name = f"{key.removesuffix('.json')}-{fields['sha256'][:12]}.h5"
        data = there.get(name, b"")
        if hashlib.sha256(data).hexdigest() == fields["sha256"]:
            self.committed.setdefault(key, (record, name, data))
        elif self.useless.get(key) != record:
            self.useless[key] = record
            self.wrong.append(f"names no object: {key}")

    def _around(self, kind: str, key: str, ask: Ask) -> Any:
        n = len(self.asked)
        self.asked.append((kind, key))

        def do() -> Any:
            answer = ask()
            if kind in ("put", "create"):
                self.born.setdefault(key, n)
            if kind in ("put", "create", "delete") and "/shards/" in key:
                self.look(removed=key if kind == "delete" else "")
            return answer

        return self.fault(Request(n, kind, key, do, self))


@contextmanager
def machine(cache: Path) -> Iterator[None]:
    """Be a process of its own on a machine with these local copies."""
    before = dict(vars(mirror._OPENED))
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, {CACHE_VARIABLE: str(cache)}))
        for where, name, value in (
            (os, "fsync", lambda _handle: None),  # a power loss is no part of this
            (mirror, "POOL", _AtOnce()),
            (probe, "_TRIED", set[str]()),
            (probe, "_LOCK", threading.Lock()),
            (order, "_SHARE", 0),  # listed again after each shard, however long that takes
            (claims, "DEAD_SECONDS", 0.0),
            (claims, "_POLL_SECONDS", 0.0),
        ):
            stack.enter_context(patch.object(where, name, value))
        mirror._OPENED._forget()
        try:
            yield
        finally:
            vars(mirror._OPENED).update(before)


class _AtOnce:
    """In place of threads."""

    def submit(self, work: Callable[[], T]) -> Future[T]:
        future = Future[T]()
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)
        return future

    def result(self, future: Future[T]) -> T:
        return future.result()


def at(k: int, act: Act) -> Fault:
    """Disturb request k alone."""
    return lambda request: act(request) if request.n == k else request.ask()


def no_answer(request: Request) -> Any:
    """The request does not arrive."""
    raise LostReply("error sending request")


def lost_reply(request: Request) -> Any:
    """What is asked happens, and fails all the same."""
    request.ask()
    raise LostReply("error sending request")


def twice(request: Request) -> Any:
    """The transport repeats the request; the second answer comes."""
    request.ask()
    return request.ask()


def late(request: Request) -> Any:
    """The request arrives once more, after everything else: see ``Requests.arrive``."""
    request.bucket.delayed.append(request.ask)
    return request.ask()


def killed(k: int, *, after: bool) -> Fault:
    """The process is killed before request k arrives, or after it is done."""

    def fault(request: Request) -> Any:
        if request.n < k:
            return request.ask()
        if after and request.n == k:
            request.ask()
        raise Killed

    return fault


def cut_off(request: Request) -> Any:
    """Half the bytes come."""
    return _Half(request.ask())


class _Half:
    def __init__(self, answer: Any) -> None:
        self.meta, self._data = answer.meta, bytes(answer.bytes())

    def bytes(self) -> bytes:
        return self._data[: len(self._data) // 2]


def stale(since: int) -> Act:
    """A listing that does not show what is there only since a request."""

    def act(request: Request) -> Any:
        answer = request.ask()
        new = {key for key, n in request.bucket.born.items() if n >= since}
        if not isinstance(answer, dict):
            return [[one for one in page if one["path"] not in new] for page in answer]
        old = set(request.bucket.memory.names()) - new
        folders = [one for one in answer["common_prefixes"] if any(key.startswith(f"{one}/") for key in old)]
        return {"common_prefixes": folders, "objects": [one for one in answer["objects"] if one["path"] not in new]}

    return act


def stale_from(k: int) -> Fault:
    """From request k on no listing shows anything new."""
    hide = stale(k)
    return lambda request: hide(request) if request.kind == "list" and request.n >= k else request.ask()
