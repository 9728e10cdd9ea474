"""Feature sets as version 0.1.0 wrote them, with labels in keys and shards."""

from __future__ import annotations

import hashlib
import io
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import h5py

from frostline.stages.datasets import Samples
from frostline.stages.records.sealed import sealed
from frostline.stages.store import FeatureSet
from frostline.stages.store.featureset import Record
from frostline.stages.store.shard import to_bytes


def in_format_1(features: FeatureSet, samples: Samples) -> FeatureSet:
    """Return a set as it was in format 1, in whose place it lies then; what is missing of it stays so."""
    key = {**features.layout.key, "dataset": samples.labelled_content, "format": 1}
    layout = replace(features.layout, key=key)
    name = features.folder.name.replace(features.layout.digest[:12], layout.digest[:12])
    folder = features.folder.with_name(name)
    (folder / "shards").mkdir(parents=True)
    for shard in sorted(set(features.shards) - set(features.missing())):
        _write(features, layout.digest, samples, folder, shard)
    (folder / "made.json").write_bytes(sealed(features.provenance.to_fields()))
    classes = {"classes": list(samples.targets.names)}
    (folder / "key.json").write_bytes(sealed({**asdict(layout), **classes}))
    if features.pace:
        (folder / "speed.json").write_bytes(sealed(features.pace))
    if features.complete:
        (folder / "features.h5").write_bytes(b"a virtual file")
    shutil.rmtree(features.folder)
    return FeatureSet(folder, layout)


def _write(features: FeatureSet, digest: str, samples: Samples, folder: Path, shard: int) -> None:
    span, record = features.span(shard), features.record(shard)
    buffer = io.BytesIO(to_bytes(features.read(shard), {"key": digest, "start": span.start}))
    with h5py.File(buffer, "r+") as file:
        file.create_dataset("labels", data=samples.targets.values[span.start : span.stop])
    data = buffer.getvalue()
    (folder / "shards" / f"{shard:05d}.h5").write_bytes(data)
    old = Record(digest, span.start, len(span), len(data), hashlib.sha256(data).hexdigest(), record.quarantined)
    (folder / "shards" / f"{shard:05d}.json").write_bytes(sealed(asdict(old)))
