"""Which place a folder is."""

from __future__ import annotations

from pathlib import Path

from frostline.stages.buckets.cache import address_at
from frostline.stages.store.places.base import Place
from frostline.stages.store.places.bucket import BucketPlace
from frostline.stages.store.places.folder import FolderPlace


def place_at(folder: Path) -> Place:
    """Return the place of the shards of a set: the bucket, for the local copy of a set there."""
    address = address_at(folder)
    return FolderPlace(folder) if address is None else BucketPlace(address)
