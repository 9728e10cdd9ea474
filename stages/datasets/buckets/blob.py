"""An object in a bucket as a blob, see ``frostline.stages.datasets.containers.blob``."""

from __future__ import annotations

from functools import partial

from frostline.stages.buckets.address import Address
from frostline.stages.buckets.client import Facts, head, read_range
from frostline.stages.datasets.buckets.blocks import BLOCKS, Fetch
from frostline.stages.errors import DataError


class ObjectBlob:
    """An object, read by ranges. Its stamp is its ETag, which every read asks for."""

    changed_ns = 0

    def __init__(self, address: Address, facts: Facts | None = None) -> None:
        """``facts``: what is known of it; else it is asked for. Raises DataError: there is no such object."""
        self.address = address
        self.facts = facts or head(address)
        self.name = address.shown
        self.size = self.facts.size

    @property
    def stamp(self) -> str:
        """The size and the ETag, or the time of the last change where there is none."""
        return f"{self.facts.size} {self.facts.stamp}"

    def read(self, offset: int, length: int, /) -> bytes:
        """Return so many bytes from a position on. Raises DataError, see ``Blob``."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise DataError(
                f"{self.name} ends after {self.size:,} bytes; expected {length:,} from {offset:,} on: it is cut off"
            )
        if not length:
            return b""
        return BLOCKS.read((self.name, self.stamp), self.size, offset, length, self._fetch)

    def expect(self, offset: int, /) -> None:
        """Fetch the block at a position: it will be read from there on, soon."""
        BLOCKS.expect((self.name, self.stamp), self.size, offset, self._fetch)

    @property
    def _fetch(self) -> Fetch:
        return partial(read_range, self.address, self.facts)
