"""Models of recordings: are the features transformers' own, and does a recording's length alone decide the shape?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.errors import ConfigError, UnreadableSample
from frostline.stages.modalities.audio.waveform import AUDIO, Waveform
from frostline.stages.modalities.items import shape_of, stacked
from support.audio_folders import KINDS, RATE, save_audio_model, tone


def backbone_of(folder: Path, **asked: Any) -> Any:
    return load_backbone(BackboneRequest(f"hf:{folder}", modality=AUDIO, **asked), None)


def features(backbone: Any, samples: Any, rate: int = RATE) -> Any:
    return backbone.embed(stacked([backbone.spec.preprocessing.item(Waveform(samples, rate))]))[0]


def own_features(name: str, model: Any, extractor: Any, samples: Any) -> Any:
    """Return what transformers gives of one recording, called as its documentation does."""
    given = extractor(samples, sampling_rate=extractor.sampling_rate, return_tensors="pt")
    with torch.no_grad():
        if name == "whisper":
            frames = -(-len(samples) // 320)
            return model.get_encoder()(given["input_features"]).last_hidden_state[0, :frames].mean(0).numpy()
        if name == "clap":
            return model.get_audio_features(**given).pooler_output[0].numpy()
        if name == "ast":
            return model(given["input_values"]).pooler_output[0].numpy()
        return model(given["input_values"]).last_hidden_state[0].mean(0).numpy()


@pytest.mark.parametrize("name", KINDS)
def test_features_and_widths_are_those_of_transformers(name: str, tmp_path: Path) -> None:
    model, extractor = save_audio_model(tmp_path, name)
    backbone = backbone_of(tmp_path)
    for seconds in (1.0, 0.73):
        samples = tone(seconds, rate=extractor.sampling_rate)
        wanted = own_features(name, model, extractor, samples)
        found = features(backbone, samples, extractor.sampling_rate)
        assert backbone.width == len(wanted)
        np.testing.assert_allclose(found, wanted, atol=2e-5 * np.abs(wanted).max())
