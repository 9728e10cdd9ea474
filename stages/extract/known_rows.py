"""Rows that lie in other feature sets already: copied, never computed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from frostline.stages.datasets import Samples
from frostline.stages.store import OK, FeatureSet, KnownRows, Shard, encode_ids, id_width


def copy_rows(samples: Samples, known: KnownRows, span: range, result: NDArray[np.floating]) -> set[int]:
    """Fill in the rows of a span that are known, by sample digest; return which they were. ``result``: (span, d)."""
    found = known.find(samples.digests[span.start : span.stop])
    rows = np.flatnonzero(found >= 0)
    places = known.places[found[rows]]
    shards, of_row = np.unique(places[:, :2], axis=0, return_inverse=True)
    for number, (place, shard) in enumerate(shards.tolist()):
        here = of_row.ravel() == number
        source = known.sets[place].read(shard)
        result[rows[here]] = source.features[places[here, 2]]
    return set((rows + span.start).tolist())


def copy_set(samples: Samples, known: KnownRows, features: FeatureSet, width: int) -> None:
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
