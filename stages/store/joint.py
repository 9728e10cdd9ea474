"""Several feature sets of the same rows, filled as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import numpy as np

from frostline.stages.store.featureset import Bad, FeatureSet
from frostline.stages.store.layout import Layout
from frostline.stages.store.shard import Shard


class JointSets:
    """Feature sets of the same samples, for whoever computes the features of all of them side by side.

    A shard with a quarantined row is left to each set alone: what one network layer gave may be unfit
    where another's is not.
    """

    def __init__(self, sets: Sequence[FeatureSet]) -> None:
        self._sets = sets
        self._ours: dict[int, list[FeatureSet]] = {}
        self._left: set[int] = set()

    @property
    def layout(self) -> Layout:
        """That of the first; they differ in width, and in the key's layer."""
        return self._sets[0].layout

    def span(self, shard: int) -> range:
        """Return the rows of a shard."""
        return self._sets[0].span(shard)

    def missing(self) -> list[int]:
        """Return the shards that any of the sets lacks, but for those that are left to each alone."""
        return sorted({shard for one in self._sets for shard in one.missing()} - self._left)

    @contextmanager
    def claim(self, shard: int, *, wait: bool) -> Iterator[bool]:
        """Hold a shard of every set that lacks it; yield whether there is any."""
        with ExitStack() as held:
            # In one order everywhere, so that two processes never wait for each other.
            order = sorted(self._sets, key=lambda one: one.layout.digest)
            self._ours[shard] = [one for one in order if held.enter_context(one.claim(shard, wait=wait))]
            yield bool(self._ours[shard])

    def commit(self, shard: int, content: Shard, quarantined: tuple[Bad, ...]) -> None:
        """Commit each held set's columns, which lie side by side in the order of the sets."""
        if quarantined:
            self._left.add(shard)
            return
        last = np.cumsum([one.layout.width for one in self._sets])
        for one, columns in zip(self._sets, np.split(content.features, last[:-1], axis=1), strict=True):
            if one in self._ours[shard]:
                one.commit(shard, replace(content, features=np.ascontiguousarray(columns)))

    def publish(self) -> None:
        """Publish the sets that are complete."""
        for one in self._sets:
            if one.complete:
                one.publish()
