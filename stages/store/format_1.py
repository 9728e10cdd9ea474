"""Feature sets of format 1, whose keys and shards had labels: known again, and taken over without computing anything.

Format 2 names samples by id and content alone. A set is taken over shard by shard: each is read and checked, written
without its labels, and committed as any other; when all are, the old folder goes. A process that dies on the way
leaves every row in one of the two sets, and the next one goes on.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from frostline.stages.errors import DamagedShard, StoreError
from frostline.stages.records.safe_read import read_file, read_sealed
from frostline.stages.records.sealed import content_digest, digest
from frostline.stages.store.featureset import FeatureSet
from frostline.stages.store.files import TEMPORARY, explained, sync_folder
from frostline.stages.store.key import FORMAT, FeatureKey
from frostline.stages.store.shard import plain_array
from frostline.stages.store.store import FeatureStore, plain
from frostline.stages.store.targets import keep_targets, target_file
from frostline.stages.targets.values import Targets

_FIRST = 1


def old_digest(key: FeatureKey, labelled_content: str) -> str:
    """Return the digest that a key had in format 1; ``labelled_content``: of its samples."""
    return digest({**key.fields(), "dataset": labelled_content, "format": _FIRST})


def is_old(features: FeatureSet) -> bool:
    """Whether a set is of format 1."""
    return features.layout.format == _FIRST


def take_over(old: FeatureSet, store: FeatureStore, dataset: str, targets: bytes) -> FeatureSet:
    """Return the set of format 2 with all rows of an old one, which is gone then; a damaged shard is left out.

    ``dataset``: the content of its samples, as keys of format 2 have it. ``targets``: the file of theirs.
    Raises StoreError where the system can't write; the old set is whole then.
    """
    layout = replace(old.layout, key={**old.layout.key, "dataset": dataset, "format": FORMAT})
    new = store.begin(layout, replace(old.provenance, format_1=old.layout.digest), targets)
    for shard in new.missing():
        with new.claim(shard, wait=True) as ours:
            if ours:
                _copy(old, new, shard)
    if old.pace and not new.pace:
        new.keep_pace(old.pace)
    if new.complete:
        new.publish()
    _discard(old)
    return new


def _copy(old: FeatureSet, new: FeatureSet, shard: int) -> None:
    try:
        content, quarantined = old.read(shard), old.record(shard).quarantined
    except DamagedShard:
        return
    new.commit(shard, content, quarantined)


def _discard(old: FeatureSet) -> None:
    """Remove a set: under a name by which no set is known first, so that a half-removed one is none."""
    leaving = old.folder.with_name(old.folder.name + TEMPORARY)
    with explained(old.folder):
        shutil.rmtree(leaving, ignore_errors=True)  # what a killed process left of the last one of this name
        with suppress(FileNotFoundError):  # another process was faster
            old.folder.replace(leaving)
            sync_folder(leaving.parent)
            shutil.rmtree(leaving, ignore_errors=True)


def migrate(old: FeatureSet, store: FeatureStore, beside: Path) -> FeatureSet:
    """Take over a complete set of which nothing but its files is known. Raises StoreError: damaged, or unfinished.

    ``beside``: the folder of targets, where its labels are kept: another set of the same samples may have others.
    """
    ids, digests, labels = zip(*(_rows(old, shard) for shard in old.shards), strict=True)
    samples = [sample.decode(errors="surrogateescape") for sample in _joined(ids).tolist()]
    targets = Targets(_classes(old), _joined(labels).astype(np.int64))
    name = "-".join(map(plain, (old.layout.dataset, old.layout.split, targets.column)))
    keep_targets(beside, name, targets, samples)
    return take_over(old, store, content_digest(samples, _joined(digests)), target_file(targets, samples))


def _joined(parts: Iterable[NDArray[np.generic]]) -> NDArray[np.generic]:
    return np.concatenate(list(parts))


def _rows(old: FeatureSet, shard: int) -> tuple[NDArray[np.bytes_], NDArray[np.uint8], NDArray[np.int64]]:
    """Return the ids, digests and labels of a shard. Raises DamagedShard."""
    content = old.read(shard)
    path = old.folder / "shards" / f"{shard:05d}.h5"
    with h5py.File(io.BytesIO(read_file(path)), "r") as file:
        labels = plain_array(file, "labels")
    if labels.shape != content.status.shape or labels.dtype.kind != "i":
        raise DamagedShard(shard, path, "labels of another shape or type")
    return content.ids, content.digests, labels


def _classes(old: FeatureSet) -> tuple[str, ...]:
    path = old.folder / "key.json"
    try:
        return tuple(map(str, read_sealed(path)["classes"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged: {error}") from error
