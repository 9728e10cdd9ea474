"""Small models of recordings with random weights, in folders as transformers saves them, and recordings."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
import transformers as hf
from numpy.typing import NDArray

from support.model_folders import spread

RATE = 16_000
_SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
_CONVS = {
    "conv_dim": (16, 16, 16, 16, 16, 16, 16),
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
_WAVES: dict[str, Any] = {**_SIZES, **_CONVS}
_TEXT = {**_SIZES, "vocab_size": 50, "max_position_embeddings": 8}
_HTSAT = {
    "spec_size": 64,
    "num_mel_bins": 16,
    "patch_size": 4,
    "patch_stride": [4, 4],
    "window_size": 4,
    "patch_embeds_hidden_size": 16,
    "hidden_size": 32,
    "depths": [1, 1],
    "num_attention_heads": [2, 2],
}


def _clap(**audio: Any) -> Any:
    return hf.ClapConfig(text_config=_TEXT, audio_config={**_HTSAT, **audio}, projection_dim=24)


KINDS: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "wav2vec 2.0, group norm": (lambda: hf.Wav2Vec2Config(**_WAVES), hf.Wav2Vec2FeatureExtractor),
    "wav2vec 2.0, layer norm": (
        lambda: hf.Wav2Vec2Config(**_WAVES, feat_extract_norm="layer", do_stable_layer_norm=True),
        lambda: hf.Wav2Vec2FeatureExtractor(return_attention_mask=True),
    ),
    "hubert": (lambda: hf.HubertConfig(**_WAVES), hf.Wav2Vec2FeatureExtractor),
    "wavlm": (
        lambda: hf.WavLMConfig(**_WAVES, feat_extract_norm="layer", do_stable_layer_norm=True),
        lambda: hf.Wav2Vec2FeatureExtractor(return_attention_mask=True),
    ),
    "ast": (
        lambda: hf.ASTConfig(**_SIZES, max_length=128, num_mel_bins=16),
        lambda: hf.ASTFeatureExtractor(max_length=128, num_mel_bins=16),
    ),
    "whisper": (
        lambda: hf.WhisperConfig(
            vocab_size=50,
            num_mel_bins=16,
            d_model=32,
            encoder_layers=2,
            encoder_attention_heads=2,
            encoder_ffn_dim=64,
            decoder_layers=1,
            decoder_attention_heads=2,
            decoder_ffn_dim=64,
            max_source_positions=100,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=2,
            decoder_start_token_id=1,
        ),
        lambda: hf.WhisperFeatureExtractor(feature_size=16, chunk_length=2),
    ),
    "clap": (_clap, lambda: hf.ClapFeatureExtractor(feature_size=16, max_length_s=2, truncation="rand_trunc")),
    "clap, fusion": (
        lambda: _clap(enable_fusion=True, aff_block_r=4),
        lambda: hf.ClapFeatureExtractor(feature_size=16, max_length_s=2, truncation="fusion"),
    ),
}
"""Configurations, and the feature extractors that such models come with."""


def save_audio_model(folder: Path, name: str) -> tuple[Any, Any]:
    """Save a model of ``KINDS`` and its feature extractor in a folder; return both."""
    configuration, extractor = KINDS[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = hf.AutoModel.from_config(configuration())
        spread(model)
    model.eval().save_pretrained(folder)
    own = extractor()
    own.save_pretrained(folder)
    return model, own


def tone(seconds: float, pitch: float = 440.0, rate: int = RATE, seed: int = 0) -> NDArray[np.float32]:
    """Return a tone with noise, float32 (n,)."""
    times = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(0, 0.05, len(times))
    found: NDArray[np.float32] = (0.5 * np.sin(2 * np.pi * pitch * times) + noise).astype(np.float32)
    return found


def encoded(samples: NDArray[np.float32], rate: int = RATE, kind: str = "WAV", subtype: str | None = None) -> bytes:
    """Return the bytes of a file of samples, (n,) or (n, channels)."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind, subtype=subtype)
    return file.getvalue()


def save_tones(folder: Path, per_class: int = 6, rate: int = RATE) -> Path:
    """Save a dataset of low and high tones, of 0.3 to 1.3 seconds, in train/ and test/."""
    for split, many in (("train", per_class), ("test", per_class // 2)):
        for label, pitch in (("high", 900.0), ("low", 200.0)):
            place = folder / split / label
            place.mkdir(parents=True)
            for i in range(many):
                seed = i + 100 * (split == "test") + 1000 * (label == "low")
                samples = tone(0.3 + 0.25 * (i % 5), pitch * (1 + 0.05 * i), rate, seed)
                (place / f"{i}.wav").write_bytes(encoded(samples, rate))
    return folder
