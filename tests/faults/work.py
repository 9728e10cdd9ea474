"""A small extraction for the campaigns: eight images of plain pixels in three shards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from unittest.mock import patch

import numpy as np
from PIL import Image

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.backbones.inference.batches import Streamer
from frostline.stages.datasets import Samples
from frostline.stages.errors import StoreError
from frostline.stages.extract.extraction import Extraction, extract
from frostline.stages.store import Bad, FeatureSet, FeatureStore, Layout, Provenance, Shard, open_set
from frostline.stages.store.key import FeatureKey
from frostline.stages.store.targets import target_file
from frostline.stages.targets.values import Targets

ROWS, SHARD_ROWS = 8, 3
SIDE = 4


@cache
def backbone() -> Backbone:
    return load_backbone(BackboneRequest("pixels"), Image.new("RGB", (SIDE, SIDE)))


def image(row: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(row).integers(0, 256, (SIDE, SIDE, 3), np.uint8))


def samples(rows: range = range(ROWS), read: Callable[[int], Image.Image] = image) -> Samples:
    """Return some of an endless row of images, three classes in turn."""
    digests = b"".join(hashlib.sha256(image(row).tobytes()).digest() for row in rows)
    return Samples(
        "noise",
        "train",
        Targets(("a", "b", "c"), np.array(rows) % 3),
        [f"{row:03d}.png" for row in rows],
        np.frombuffer(digests, np.uint8).reshape(-1, 32),
        lambda row: read(rows[row]),
    )


def key_of(some: Samples) -> FeatureKey:
    return FeatureKey(some.content, backbone().spec, "a decoder")


def begin(root: Path, some: Samples, shard_rows: int = SHARD_ROWS) -> FeatureSet:
    key = key_of(some)
    layout = Layout(key.fields(), some.dataset, some.split, len(some), backbone().width, shard_rows)
    return FeatureStore(root / "features").begin(layout, Provenance(made="once"), target_file(some.targets, some.ids))


def work(
    root: Path,
    promise: Callable[[str], object] = str,
    some: Samples | None = None,
    network: Streamer | None = None,
) -> FeatureSet:
    """Extract, and tell ``promise`` of each thing that is durable from then on."""
    some = some or samples()
    features = begin(root, some)
    promise("begun")
    commit = features.commit

    def committed(shard: int, content: Shard, quarantined: tuple[Bad, ...] = ()) -> None:
        commit(shard, content, quarantined)
        promise(f"{shard:05d}")

    with patch.object(features, "commit", committed):
        extract(Extraction(some, network or backbone(), features, batch_size=4, workers=1))
    promise("published")
    return features


def contents(root: Path) -> dict[str, bytes]:
    """Return every file that matters, by its name in the set: no locks, no leftovers of killed writes."""
    files = [p for p in root.rglob("*") if p.is_file() and p.suffix not in (".lock", ".tmp")]
    return {p.relative_to(root).as_posix().partition("/")[2].partition("/")[2]: p.read_bytes() for p in files}


def promised_files(promised: list[str], wanted: dict[str, bytes]) -> set[str]:
    """Return the names of the files that the promises made so far are about."""
    begun, shards = {"made.json", "key.json"}, {name for name in wanted if name.startswith("shards/")}
    about = {"begun": begun, "complete": begun | shards, "published": set(wanted)}
    return {name for p in promised for name in about.get(p, {f"shards/{p}.h5", f"shards/{p}.json"})}


def broken(root: Path, promised: list[str], wanted: dict[str, bytes]) -> list[str]:
    """Return what is lost or wrong of what was promised, and what looks whole and is not."""
    there = contents(root)
    wrong = [f"lost: {name}" for name in promised_files(promised, wanted) if there.get(name) != wanted[name]]
    for description in root.glob("features/*/key.json"):
        try:
            features = open_set(description.parent)
        except StoreError as error:
            return [*wrong, str(error)]
        wrong += [str(damage) for damage in features.damaged()]
        wrong += [] if features.provenance.made == "once" else ["a set without its provenance"]
    return wrong
