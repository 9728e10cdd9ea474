"""In which order a process takes the missing shards of a set that others may be filling too."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator

from frostline.stages.store import FeatureSet, JointSets

_SHARE = 30  # the folder is listed again once that many times what a listing takes have passed


def in_turn(features: FeatureSet | JointSets, start_at: float = 0.0) -> Iterator[int]:
    """Yield each missing shard once, from a place among them on, and around.

    ``start_at``: that place, 0 to 1, so that processes that start together do not all try the same shard first.
    What others commit meanwhile is left out: the folder is listed again, as far as that takes a thirtieth of the time.
    """
    tried, first = set[int](), None
    while True:
        began = time.perf_counter()
        left = [shard for shard in features.missing() if shard not in tried]
        if not left:
            return
        listed = time.perf_counter()
        at = int(start_at * len(left)) if first is None else bisect_left(left, first)
        for shard in left[at:] + left[:at]:
            tried.add(shard)
            first = shard + 1
            yield shard
            if time.perf_counter() - listed > _SHARE * (listed - began):
                break
