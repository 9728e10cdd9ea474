"""A head's predictions for all samples of a split, shard by shard, each shard there whole or not at all.

They are filled as a feature set is, by the same extraction: what is committed are the decision values in place of the
features. Their key is the features' key and the digest of the head, so that those of another head, or of other data,
never mix with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from frostline.stages.datasets import Samples
from frostline.stages.errors import StoreError
from frostline.stages.heads import Head
from frostline.stages.records.sealed import digest
from frostline.stages.store import OK, QUARANTINED, Bad, FeatureSet, Layout, Shard, make_folder, open_set, write_atomic
from frostline.stages.store.key import FeatureKey


class PredictionSet(FeatureSet):
    """Decision values, float64 (rows, names of the head), NaN for a quarantined row; see ``FeatureSet``.

    A value may be infinite: of a class never trained on, of a label that all training samples have.
    """

    def __init__(self, folder: Path, layout: Layout, head: Head) -> None:
        super().__init__(folder, layout)
        self._head = head

    @property
    def mends(self) -> str:
        """The command that computes a damaged shard again."""
        return "the same `frostline predict`"

    def commit(self, shard: int, content: Shard, quarantined: tuple[Bad, ...] = ()) -> None:
        """Make durable what the head says of a shard of features, float (n, width of the head)."""
        good = content.status == OK
        values = np.full((len(good), self.layout.width), np.nan)
        if good.any():
            values[good] = self._head.decision_values(content.features[good].astype(np.float32))
        failed = good & np.isnan(values).any(axis=1)
        values[failed] = np.nan
        start, ids = self.span(shard).start, content.ids.tolist()
        more = [Bad(start + at, _text(ids[at]), "the head gave NaN") for at in np.flatnonzero(failed).tolist()]
        bad = tuple(sorted((*quarantined, *more), key=lambda one: one.row))
        status = np.where(failed, QUARANTINED, content.status).astype(np.uint8)
        super().commit(shard, replace(content, features=values, status=status), bad)

    def take_over(self, features: FeatureSet) -> None:
        """Fill the set from what is committed of a feature set of the same samples, quarantined ones among them.

        Raises DamagedShard if a shard of that is damaged.
        """
        lacking = {*features.missing()}
        for shard in sorted({*self.missing()} - lacking):
            with self.claim(shard, wait=True) as ours:
                if ours:
                    self.commit(shard, features.read(shard), features.record(shard).quarantined)

    def publish(self) -> None:
        """Raise StoreError if not every shard is committed; nothing is published next to the shards."""
        if self.missing():
            raise StoreError(
                f"files of {self.folder} were removed while it was being written; run the same command again"
            )


def _text(name: bytes) -> str:
    return name.decode(errors="surrogateescape")


def prediction_layout(key: FeatureKey, samples: Samples, head: Head, record: Mapping[str, Any]) -> Layout:
    """Return the description of a head's predictions on samples; ``record``: what lies next to the head."""
    fields = {**key.fields(), "head": digest(dict(record)), "dtype": "float64"}
    return Layout(fields, samples.dataset, samples.split, len(samples), len(head.classes))


def begin_predictions(folder: Path, layout: Layout, head: Head) -> PredictionSet:
    """Return the set of a layout below a folder, made if it is not there."""
    place = folder / f"{layout.key['view']}-{layout.digest[:12]}"
    try:
        found = open_set(place).layout
    except StoreError:
        make_folder(place)
        write_atomic(place / "key.json", layout.to_json())
        found = layout
    if found.digest != layout.digest:
        raise StoreError(f"{place} holds other predictions; remove {folder} and run again")
    return PredictionSet(place, layout, head)
