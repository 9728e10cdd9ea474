"""Rows that lie in other feature sets already: copied, never computed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets import Samples
from frostline.stages.store import OK, FeatureSet, Place, Shard, encode_ids, id_width

Known = Mapping[bytes, Place]


def copy_rows(samples: Samples, known: Known, span: range, result: NDArray[np.floating]) -> set[int]:
    """Fill in the rows of a span that are known, by sample digest; return which they were. ``result``: (span, d)."""
    wanted: dict[tuple[str, int], list[tuple[int, Place]]] = {}
    for row in span:
        place = known.get(samples.digests[row].tobytes())
        if place:
            wanted.setdefault((place.features.layout.digest, place.shard), []).append((row, place))
    for places in wanted.values():
        source = places[0][1].features.read(places[0][1].shard)
        rows = [row - span.start for row, _ in places]
        result[rows] = source.features[[place.position for _, place in places]]
    return {row for places in wanted.values() for row, _ in places}


def copy_set(samples: Samples, known: Known, features: FeatureSet, width: int) -> None:
    """Fill and publish a set of which every missing row is known, features of this width; no backbone is needed.

    Raises DamagedShard if one of the sets that the rows lie in is damaged.
    """
    longest = id_width(samples.ids)
    for shard in features.missing():
        with features.claim(shard, wait=True) as ours:
            if ours:
                span = features.span(shard)
                result = np.full((len(span), width), np.nan, features.layout.key["dtype"])
                copy_rows(samples, known, span, result)
                here = slice(span.start, span.stop)
                status = np.full(len(span), OK, np.uint8)
                ids = encode_ids(samples.ids[here], longest)
                features.commit(shard, Shard(result, ids, samples.digests[here], status))
    features.publish()
