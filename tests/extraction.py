"""One small extraction, for tests to disturb: ``python tests/extraction.py ROOT``.

The test digits through the shipped backbone, in shards of 16 rows.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from stages.backbones import BackboneRequest, load_backbone
from stages.backbones.backbone import Backbone
from stages.datasets import Samples, open_dataset
from stages.extract import Extraction, extract
from stages.specs import FeatureKey, StoredType
from stages.store import FeatureSet, FeatureStore, Layout


@cache
def tiny_backbone() -> Backbone:
    return load_backbone(BackboneRequest("resnet8-cifar10"), open_dataset("digits").train.read(0))


KEY = FeatureKey("", tiny_backbone().spec, "a decoder")


def begin(root: Path, samples: Samples, shard_rows: int = 16, dtype: StoredType = "float32") -> FeatureSet:
    key = FeatureKey(samples.content, KEY.backbone, KEY.decoder, dtype=dtype)
    names = (samples.dataset, samples.split, samples.classes)
    layout = Layout(key.fields(), *names, len(samples), tiny_backbone().width, shard_rows)
    return FeatureStore(root).begin(key, layout, {})


def job(samples: Samples, features: FeatureSet) -> Extraction:
    return Extraction(samples, tiny_backbone(), features, batch_size=16)


if __name__ == "__main__":
    digits = open_dataset("digits").test
    extract(job(digits, begin(Path(sys.argv[1]), digits)))
