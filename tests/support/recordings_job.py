"""A small extraction of recordings, for tests to kill: ``python tests/support/recordings_job.py MODEL TONES ROOT``."""

from __future__ import annotations

import sys
from pathlib import Path

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.inference.frozen import AnyBackbone
from frostline.stages.datasets import Samples, open_dataset
from frostline.stages.extract.extraction import Extraction, extract
from frostline.stages.modalities.audio.waveform import AUDIO
from frostline.stages.store import FeatureStore, Layout, Provenance
from frostline.stages.store.key import FeatureKey
from frostline.stages.store.targets import target_file


def job_of(model: Path, tones: Path, root: Path) -> Extraction:
    """Return the extraction of the training recordings, in shards of 3."""
    samples = open_dataset(f"folder:{tones}").train
    return job_for(samples, load_backbone(BackboneRequest(f"hf:{model}", modality=AUDIO), None), root)


def job_for(samples: Samples, backbone: AnyBackbone, root: Path) -> Extraction:
    """Return the extraction of samples, in shards of 3."""
    key = FeatureKey(samples.content, backbone.spec, samples.decoder(None))
    layout = Layout(key.fields(), samples.dataset, samples.split, len(samples), backbone.width, 3)
    features = FeatureStore(root).begin(layout, Provenance(), target_file(samples.targets, samples.ids))
    return Extraction(samples, backbone, features, batch_size=4)


if __name__ == "__main__":
    extract(job_of(*map(Path, sys.argv[1:])))
