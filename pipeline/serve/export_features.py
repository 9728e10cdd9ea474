"""A cached feature set as one self-contained file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from frostline.pipeline.workspace import opened_folder
from frostline.stages.buckets.address import check_local
from frostline.stages.datasets import ALL
from frostline.stages.errors import StoreError
from frostline.stages.serve.feature_file import write_features
from frostline.stages.store import FeatureSet, load, open_set
from frostline.stages.targets.values import unlabelled

_IN_MEMORY = 1 << 30


def export_features(place: Path, file: Path) -> dict[str, Any]:
    """Write a feature set of ``data/features`` to ``file`` (.h5, .npz, .parquet); return what the file says of itself.

    ``place``: the set's folder, or its ``features.h5``. Quarantined rows are left out, and named. A set that
    ``predict --keep-features`` kept has no labels. Raises StoreError
    if it is no complete, sound set, and ConfigError as ``frostline.stages.serve.feature_file.write_features`` does.
    """
    check_local(file)
    features = _opened(place)
    layout = features.layout
    nothing = unlabelled(layout.rows) if layout.split == ALL else None
    found = load(features, nothing, in_memory=_IN_MEMORY)
    quarantined = [{"id": bad.id, "reason": bad.reason} for bad in features.quarantined()]
    about = {
        "dataset": layout.dataset,
        "split": layout.split,
        "rows": len(found),
        "width": layout.width,
        "target": None if nothing else found.targets.kind,
        "classes": list(found.classes),
        "quarantined": quarantined,
        "digest": layout.digest,
        "key": dict(layout.key),
        "made": features.provenance.to_fields(),
    }
    write_features(found, about, file)
    return {"file": str(file), **about}


def _opened(place: Path) -> FeatureSet:
    folder = place.parent if place.name == "features.h5" else place
    if not (opened_folder(folder) / "key.json").is_file():
        found = "a features.h5 without its folder" if place.is_file() else "no folder of a feature set"
        raise StoreError(
            f"{place} is {found}; expected a complete folder of data/features: the rows are stored in its shards/"
        )
    features = open_set(folder)
    if not features.complete:
        raise StoreError(f"{folder} is not complete; run `frostline extract` with the same settings to complete it")
    return features
