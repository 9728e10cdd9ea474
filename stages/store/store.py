"""The feature store: a folder of feature sets, found by key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from frostline.stages.backbones.spec import short_name
from frostline.stages.buckets.mirror import opened
from frostline.stages.errors import StoreError
from frostline.stages.frames import data_frame
from frostline.stages.records.sealed import sealed
from frostline.stages.store.featureset import TARGETS, FeatureSet, open_set
from frostline.stages.store.files import TEMPORARY, make_folder, write_atomic
from frostline.stages.store.key import FeatureKey, computation, differences
from frostline.stages.store.known import KnownRows, joined
from frostline.stages.store.layout import Layout
from frostline.stages.store.places.opened import place_at
from frostline.stages.store.provenance import PROVENANCE, Provenance
from frostline.stages.store.rowfile import RowFile
from frostline.stages.store.shard import OK
from frostline.stages.targets.base import TargetValues
from frostline.stages.targets.values import Targets

if TYPE_CHECKING:
    import pandas as pd

_BLOCK = 8192


class FeatureStore:
    """All feature sets below one folder, ``<dataset>-<split>-<backbone>-<digest12>`` each.

    ``root``: as a local path, that of the copies of a store in a bucket.
    """

    def __init__(self, root: Path) -> None:
        self.root = opened(root)

    def find(self, digest: str) -> FeatureSet | None:
        """Return the set of a key, by the key's digest, complete or not, or None."""
        for folder in sorted(self.root.glob(f"*-{digest[:12]}")):
            try:
                found = open_set(folder)
            except StoreError:  # damaged, or just being made: ``begin`` writes its description
                continue
            if found.layout.digest == digest:
                return found
        return None

    def begin(self, layout: Layout, provenance: Provenance, targets: bytes | None = None) -> FeatureSet:
        """Return the set of a layout, made if it is not there. Several processes may do so at once.

        ``targets``: the file of those that it is made with, see ``targets.target_file``; other tools find them there.
        """
        found = self.find(layout.digest)
        if found:
            return found
        name = "-".join(
            map(plain, (layout.dataset, layout.split, short_name(layout.key["backbone"]), layout.digest[:12]))
        )
        folder = self.root / name
        place_at(folder).check()
        make_folder(folder)
        if targets is not None:
            write_atomic(folder / TARGETS, targets)
        write_atomic(folder / PROVENANCE, sealed(provenance.to_fields()))
        write_atomic(folder / "key.json", layout.to_json())
        return open_set(folder)

    def sets(self) -> Iterator[FeatureSet]:
        """Yield every set whose description can be read, by folder name."""
        for folder in self.folders():
            try:
                yield open_set(folder)
            except StoreError:
                continue

    def folders(self) -> list[Path]:
        """Return what lies below the root, but for what is being removed."""
        found = self.root.iterdir() if self.root.is_dir() else ()
        return sorted(p for p in found if p.is_dir() and p.suffix != TEMPORARY)

    def nearest(self, key: FeatureKey, dataset: str, split: str) -> list[str]:
        """Return how the key differs from the most similar set of the same split, field by field."""
        wanted = key.fields()
        near = [
            differences(found.layout.key, wanted)
            for found in self.sets()
            if (found.layout.dataset, found.layout.split) == (dataset, split)
            and found.layout.key["backbone"] == wanted["backbone"]
            and found.layout.key["view"] == wanted["view"]
        ]
        return min(near, key=len, default=[])

    def rows_like(self, key: FeatureKey) -> KnownRows:
        """Return where samples already lie that were computed just as ``key`` says.

        Other sets only; quarantined rows are left out, so that they are tried again.
        """
        sets, parts = self._sets_like(key), []
        for number, found in enumerate(sets):
            there = sorted(set(found.shards) - set(found.missing()))
            found.expect(there)
            for shard in there:
                try:
                    content = found.read(shard)
                except StoreError:
                    continue
                good = np.flatnonzero(content.status == OK)
                parts.append((number, shard, good, content.digests[good]))
        return joined(sets, parts)

    def has_rows_like(self, key: FeatureKey) -> bool:
        """Whether there are such rows; nothing but the record of a shard is read."""
        return any(self._good_rows(found) for found in self._sets_like(key))

    def _good_rows(self, found: FeatureSet) -> bool:
        records = (found.record(shard) for shard in sorted(set(found.shards) - set(found.missing())))
        with suppress(StoreError):
            return any(record.rows > len(record.quarantined) for record in records)
        return False

    def _sets_like(self, key: FeatureKey) -> list[FeatureSet]:
        same = computation(key.fields())
        others = (found for found in self.sets() if found.layout.digest != key.digest)
        return [found for found in others if computation(found.layout.key) == same]


@dataclass(frozen=True, eq=False)
class Features:
    """A feature set with its samples' targets, ready for use, quarantined rows left out.

    ``X``: float (n, d) as stored, or a RowFile, which is sliced and indexed alike; ``targets``: of the same rows;
    ``ids``: the samples' names; ``digests``: uint8 (n, 32); ``split``: "train" or "test".
    """

    X: NDArray[Any]
    targets: Targets
    ids: tuple[str, ...]
    digests: NDArray[np.uint8]
    split: str
    key: str

    def __len__(self) -> int:
        return len(self.targets)

    def __repr__(self) -> str:
        rows, width = self.X.shape
        what = f"{self.targets.kind} of {len(self.classes)}"
        return f"<Features of {self.split}: {rows:,} × {width:,} {self.X.dtype}, {what}>"

    def to_frame(self) -> pd.DataFrame:
        """Return a frame of pandas, indexed by id: what is predicted, then the features, ``0`` to ``d - 1``.

        A single label is one column, by its name, of the names of the classes; other targets are a column for each
        name, of their values. Raises ConfigError where pandas is not installed.
        """
        targets: dict[str, Any] = {name: self.y[:, at] for at, name in enumerate(self.classes) if self.y.ndim == 2}
        if not targets and self.classes:
            targets = {self.targets.column: [self.classes[place] for place in self.y.tolist()]}
        X = self.X[:]
        return data_frame({**targets, **{str(at): X[:, at] for at in range(X.shape[1])}}, self.ids)

    @property
    def y(self) -> TargetValues:
        """The values of the targets, of a single label int64 (n,), positions in ``classes``."""
        return self.targets.values

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of what is predicted."""
        return self.targets.names

    def masked(self, mask: NDArray[np.bool_]) -> Features:
        """Return the rows where the mask, bool (n,), is true."""
        ids = tuple(compress(self.ids, mask.tolist()))
        return replace(self, X=self.X[mask], targets=self.targets.take(mask), ids=ids, digests=self.digests[mask])

    def take(self, rows: NDArray[np.int64]) -> Features:
        """Return these rows, int64 (b,), in this order."""
        ids = tuple(self.ids[row] for row in rows.tolist())
        return replace(self, X=self.X[rows], targets=self.targets.take(rows), ids=ids, digests=self.digests[rows])


def common(views: Sequence[Features]) -> list[Features]:
    """Return the views without the samples that one of them lacks (quarantined in that view alone)."""
    kept = set.intersection(*(set(view.ids) for view in views))
    return [
        view if len(view) == len(kept) else view.masked(np.array([i in kept for i in view.ids], bool)) for view in views
    ]


def load(features: FeatureSet, targets: Targets | None = None, in_memory: int | None = None) -> Features:
    """Read a complete set, one shard at a time; more than ``in_memory`` bytes of it stay in a file.

    ``targets``: of the set's samples, in its order; by default those that it was made with.
    Raises StoreError if a shard is missing or damaged.
    """
    layout, targets = features.layout, targets or features.targets()
    for shard in features.missing():  # before any memory is taken on the word of a description
        features.read(shard)  # says what is wrong
    features.expect(features.shards)
    dtype = np.dtype(layout.key["dtype"])
    large = in_memory is not None and layout.rows * layout.width * dtype.itemsize > in_memory
    file = RowFile(layout.width, dtype, features.local) if large else None
    X = np.empty((0 if large else layout.rows, layout.width), dtype)
    ids, digests = [], []
    used = np.zeros(layout.rows, bool)
    n = 0
    for shard in features.shards:
        content = features.read(shard)
        good = content.status == OK
        rows = int(good.sum())
        if file is None:
            X[n : n + rows] = content.features[good]
        else:
            file.append(content.features[good])
        n += rows
        used[(span := features.span(shard)).start : span.stop] = good
        digests.append(content.digests[good])
        ids += [sample.decode(errors="surrogateescape") for sample in content.ids[good].tolist()]
    return Features(
        X[:n] if file is None else cast(NDArray[Any], file),
        targets.take(used),
        tuple(ids),
        np.concatenate(digests),
        layout.split,
        layout.digest,
    )


def stacked(views: Sequence[Features]) -> NDArray[Any]:
    """Return the rows of all views, one after the other; in a file if one of them is."""
    parts: list[Any] = [view.X for view in views]
    if len(parts) == 1:
        return views[0].X
    files = [part for part in parts if isinstance(part, RowFile)]
    if not files:
        return np.concatenate(parts)
    together = RowFile(files[0].shape[1], files[0].dtype, files[0].folder)
    for part in parts:
        for start in range(0, len(part), _BLOCK):
            together.append(part[start : start + _BLOCK])
    return cast(NDArray[Any], together)


def plain(text: str) -> str:
    """Return a text made fit for a file name."""
    return re.sub(r"[^\w.]+", "_", text, flags=re.ASCII).strip("_.")[:60] or "unnamed"
