"""Many small objects, a sample each: what is known of them, and their bytes, several fetched ahead at once."""

from __future__ import annotations

import threading
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial

from frostline.stages.buckets.address import Address
from frostline.stages.buckets.client import Facts, listed, read_range
from frostline.stages.buckets.failures import NoObject
from frostline.stages.buckets.pool import AT_ONCE, POOL
from frostline.stages.datasets.buckets.places import heads
from frostline.stages.errors import DataError

_AHEAD_BYTES = 64 << 20
_AHEAD = 4 * AT_ONCE
_HEADS = 4096
_LISTED = 16  # wanted of one folder: more are found by listing it
_PER_WANTED = 50  # objects that are listed for each that is wanted, at most


def known_objects(addresses: Sequence[Address]) -> list[Facts | NoObject]:
    """Return what is known of each object, or that there is none: by listing folders, else one by one.

    Raises DataError for what else goes wrong.
    """
    found: dict[Address, Facts | NoObject] = {}
    for folder, wanted in _by_folder(addresses).items():
        if len(wanted) >= _LISTED and folder.lists:
            found |= _listed(folder, wanted)
    others = [address for address in dict.fromkeys(addresses) if address not in found]
    for first in range(0, len(others), _HEADS):
        some = others[first : first + _HEADS]
        found |= zip(some, heads(some), strict=True)
    return [found[address] for address in addresses]


def _by_folder(addresses: Iterable[Address]) -> dict[Address, set[str]]:
    found: defaultdict[Address, set[str]] = defaultdict(set)
    for address in addresses:
        found[address._replace(key=address.key.rpartition("/")[0])].add(address.key)
    return found


def _listed(folder: Address, wanted: set[str]) -> Iterator[tuple[Address, Facts]]:
    """Yield the wanted objects of a folder, as far as listing it costs less than asking for each."""
    left = len(wanted)
    for number, (key, facts) in enumerate(listed(folder), 1):
        if key in wanted:
            yield folder._replace(key=key), facts
            left -= 1
        if not left or number > _PER_WANTED * len(wanted):
            return


class Objects:
    """Objects by row. Those that are announced are fetched ahead, so many at once that latency is not waited for."""

    def __init__(self, addresses: Sequence[Address], facts: Sequence[Facts]) -> None:
        self._addresses, self._facts = addresses, facts
        self._lock = threading.Lock()
        self._planned: OrderedDict[int, None] = OrderedDict()
        self._coming: dict[int, Future[bytes]] = {}
        self._bytes = 0

    def announce(self, rows: Iterable[int]) -> None:
        """Say which rows will be read soon, each once, about in this order."""
        with self._lock:
            self._planned |= dict.fromkeys(rows)
            self._fetch_ahead()

    def read(self, row: int) -> bytes:
        """Return an object's bytes. Raises DataError."""
        with self._lock:
            self._planned.pop(row, None)
            coming = self._coming.pop(row, None)
            self._bytes -= self._facts[row].size if coming else 0
            self._fetch_ahead()
        try:
            return POOL.result(coming) if coming else self._fetch(row)
        except DataError:
            self._forget()
            raise

    def _forget(self) -> None:
        """Let go of all that was announced: whoever begins again announces them again."""
        with self._lock:
            self._planned.clear()
            self._coming.clear()
            self._bytes = 0

    def _fetch_ahead(self) -> None:
        while self._planned and len(self._coming) < _AHEAD and self._bytes < _AHEAD_BYTES:
            row, _ = self._planned.popitem(last=False)
            if row not in self._coming:
                self._coming[row] = POOL.submit(partial(self._fetch, row))
                self._bytes += self._facts[row].size

    def _fetch(self, row: int) -> bytes:
        return read_range(self._addresses[row], self._facts[row], 0, self._facts[row].size)
