"""One small extraction, for tests to disturb: ``python tests/support/extraction.py ROOT [ahead]``.

The test digits through the shipped backbone, in shards of 16 rows; ``ahead`` as on a GPU.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.backbones.inference.batches import BatchLimit, Embeddings
from frostline.stages.backbones.inference.cuda import overlapped
from frostline.stages.datasets import Samples, open_dataset
from frostline.stages.extract.extraction import Extraction, extract
from frostline.stages.modalities.base import Arrays
from frostline.stages.store import FeatureSet, FeatureStore, Layout, Provenance
from frostline.stages.store.key import FeatureKey, StoredType
from frostline.stages.store.targets import target_file


@cache
def tiny_backbone() -> Backbone:
    how: Any = os.environ.get("FROSTLINE_OPTIMIZE", "auto")
    return load_backbone(BackboneRequest("resnet8-cifar10"), open_dataset("digits").train.read(0), optimize=how)


KEY = FeatureKey("", tiny_backbone().spec, "a decoder")


def begin(root: Path, samples: Samples, shard_rows: int = 16, dtype: StoredType = "float32") -> FeatureSet:
    key = FeatureKey(samples.content, KEY.backbone, KEY.decoder, dtype=dtype)
    layout = Layout(key.fields(), samples.dataset, samples.split, len(samples), tiny_backbone().width, shard_rows)
    return FeatureStore(root).begin(layout, Provenance(), target_file(samples.targets, samples.ids))


def job(samples: Samples, features: FeatureSet) -> Extraction:
    return Extraction(samples, tiny_backbone(), features, batch_size=16)


class Overlapped:
    """The backbone, its batches on their way as they would be on a GPU."""

    def __init__(self) -> None:
        self.backbone = tiny_backbone()
        self.spec, self.width, self.device = self.backbone.spec, self.backbone.width, self.backbone.device
        self.embed, self.features, self.raw = self.backbone.embed, self.backbone.features, self.backbone.raw

    def stream(self, batches: Iterable[Arrays], limit: BatchLimit) -> Iterator[Embeddings]:
        return overlapped(self, batches, limit)


def job_ahead(samples: Samples, features: FeatureSet) -> Extraction:
    return replace(job(samples, features), backbone=Overlapped(), ahead=2)


if __name__ == "__main__":
    digits = open_dataset("digits").test
    kind = job_ahead if "ahead" in sys.argv else job
    extract(kind(digits, begin(Path(sys.argv[1]), digits)))
