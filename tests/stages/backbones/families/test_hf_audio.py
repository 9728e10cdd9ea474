"""Models of recordings: are the features transformers' own, and does a recording alone decide the shape of its item?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.backbones.families.huggingface import audio
from frostline.stages.errors import ConfigError, UnreadableSample
from frostline.stages.modalities.audio.modality import RECORDINGS
from frostline.stages.modalities.audio.waveform import AUDIO, Waveform
from frostline.stages.modalities.base import described
from frostline.stages.modalities.items import Stack, stacked
from support.audio_folders import KINDS, RATE, save_audio_model, tone
from support.model_folders import change_json

GROUP, LAYER = "wav2vec 2.0, group norm", "wav2vec 2.0, layer norm"
Samples = NDArray[np.float32]


def backbone_of(folder: Path, **asked: Any) -> Any:
    return load_backbone(BackboneRequest(f"hf:{folder}", modality=AUDIO, **asked), None)


def features(backbone: Any, samples: Samples, rate: int = RATE) -> Any:
    return backbone.embed(stacked([backbone.spec.preprocessing.item(Waveform(samples, rate))]))[0]


def own_features(name: str, model: Any, extractor: Any, samples: Samples) -> Any:
    """Return what transformers gives of one recording, called as its documentation does."""
    given = extractor(samples, sampling_rate=extractor.sampling_rate, return_tensors="pt")
    with torch.no_grad():
        if name == "whisper":
            frames = -(-len(samples) // 320)
            return model.get_encoder()(given["input_features"]).last_hidden_state[0, :frames].mean(0).numpy()
        if name.startswith("clap"):
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


def test_clips_are_padded_only_where_a_mask_leaves_the_numbers_alone(tmp_path: Path) -> None:
    lengths = {}
    for name, folder in ((GROUP, "group"), (LAYER, "layer")):
        save_audio_model(tmp_path / folder, name)
        item = backbone_of(tmp_path / folder).spec.preprocessing.item(Waveform(tone(0.73), RATE))
        lengths[name] = item["input_values"].shape
    assert lengths == {GROUP: (1, 11_680), LAYER: (1, 16_000)}


def test_windows_are_averaged_and_the_last_one_ends_with_the_recording(tmp_path: Path) -> None:
    model, extractor = save_audio_model(tmp_path, GROUP)
    backbone = backbone_of(tmp_path, preprocessing={"seconds": 0.5, "hop": 0.25})
    samples = tone(1.1)
    starts = [0, 4_000, 8_000, len(samples) - 8_000]
    wanted = np.mean([own_features(GROUP, model, extractor, samples[i : i + 8_000]) for i in starts], axis=0)
    np.testing.assert_allclose(features(backbone, samples), wanted, atol=1e-5)


def test_what_a_network_takes_at_once_is_the_window_of_longer_recordings(tmp_path: Path) -> None:
    model, extractor = save_audio_model(tmp_path, "clap")
    backbone = backbone_of(tmp_path)
    samples = tone(5.0, rate=48_000)
    parts = [samples[:96_000], samples[96_000:192_000], samples[-96_000:]]
    wanted = np.mean([own_features("clap", model, extractor, part) for part in parts], axis=0)
    first, again = features(backbone, samples, 48_000), features(backbone, samples, 48_000)
    np.testing.assert_allclose(first, wanted, atol=1e-5)
    np.testing.assert_array_equal(first, again)  # transformers itself would crop at random
    assert (backbone.spec.preprocessing.seconds, backbone.spec.preprocessing.hop) == (2.0, 2.0)


def test_fused_clap_has_one_feature_in_any_company_and_its_longer_recordings_are_windows(tmp_path: Path) -> None:
    model, extractor = save_audio_model(tmp_path, "clap, fusion")
    backbone = backbone_of(tmp_path)
    how = backbone.spec.preprocessing
    clips = [tone(seconds, 300 + 100 * i, 48_000, i) for i, seconds in enumerate((0.7, 2.0, 1.3))]
    items = {i: how.item(Waveform(clip, 48_000)) for i, clip in enumerate(clips)}
    together = backbone.embed(Stack(items, 8))
    for i, clip in enumerate(clips):
        np.testing.assert_array_equal(backbone.embed(Stack({7: items[i]}, 8))[7], together[i])
        np.testing.assert_allclose(together[i], own_features("clap", model, extractor, clip), atol=1e-5)
    samples = tone(3.0, rate=48_000)
    wanted = np.mean([own_features("clap", model, extractor, one) for one in (samples[:96_000], samples[-96_000:])], 0)
    np.testing.assert_allclose(features(backbone, samples, 48_000), wanted, atol=1e-5)


def test_a_recording_at_another_rate_is_resampled(tmp_path: Path) -> None:
    save_audio_model(tmp_path, "whisper")
    backbone = backbone_of(tmp_path)
    times = np.arange(44_100) / 44_100
    fine = np.sin(2 * np.pi * 440 * times).astype(np.float32)
    plain = np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000).astype(np.float32)
    np.testing.assert_allclose(features(backbone, fine, 44_100), features(backbone, plain), atol=0.05)


def test_the_key_holds_what_prepares_a_recording(tmp_path: Path) -> None:
    save_audio_model(tmp_path, "whisper")
    before = described(backbone_of(tmp_path).spec.preprocessing)
    assert before["library"].startswith("transformers ")
    assert RECORDINGS.read_transform(before) == backbone_of(tmp_path).spec.preprocessing
    change_json(tmp_path / "preprocessor_config.json", {"dither": 0.5})
    assert described(backbone_of(tmp_path).spec.preprocessing)["configuration"] != before["configuration"]


@pytest.mark.parametrize("samples", [1, 399])
def test_a_recording_shorter_than_a_frame_is_refused(samples: int, tmp_path: Path) -> None:
    save_audio_model(tmp_path, GROUP)
    with pytest.raises(UnreadableSample, match=f"too short .{samples} samples at 16,000 Hz; 400 are needed"):
        backbone_of(tmp_path).spec.preprocessing.item(Waveform(np.zeros(samples, np.float32), RATE))


def test_a_recording_whose_windows_take_too_much_memory_is_refused(tmp_path: Path) -> None:
    save_audio_model(tmp_path, GROUP)
    how = backbone_of(tmp_path, preprocessing={"seconds": 2.0, "hop": 0.025}).spec.preprocessing
    with pytest.raises(UnreadableSample, match=r"too long .60 s, 2,321 windows; more than 64 MiB of input.*--hop"):
        how.item(Waveform(np.zeros(60 * RATE, np.float32), RATE))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"layer": "encoder"}, "only the last layer"),
        ({"pool": "cls"}, "its pooling is fixed .mean."),
        ({"preprocessing": {"seconds": 3.0}}, "at most 2 at once"),
    ],
)
def test_what_can_not_be_asked_of_a_model_is_refused(asked: Any, said: str, tmp_path: Path) -> None:
    save_audio_model(tmp_path, "whisper")
    with pytest.raises(ConfigError, match=said):
        backbone_of(tmp_path, **asked)


@pytest.mark.parametrize("name", [GROUP, LAYER])
def test_recordings_of_any_length_take_bounded_memory_of_a_network_that_would_take_them_whole(
    name: str, tmp_path: Path
) -> None:
    save_audio_model(tmp_path, name)
    how = backbone_of(tmp_path).spec.preprocessing
    assert (described(how)["seconds"], described(how)["hop"]) == (60.0, 60.0)
    shapes = [
        how.item(Waveform(np.ones(round(s * RATE), np.float32), RATE))["input_values"].shape for s in (60, 61, 300)
    ]
    assert shapes == [(1, 60 * RATE), (2, 60 * RATE), (5, 60 * RATE)]
    with pytest.raises(ConfigError, match="at most 60 at once"):
        backbone_of(tmp_path, preprocessing={"seconds": 61.0})


def test_a_recording_longer_than_a_window_is_the_mean_of_windows_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, extractor = save_audio_model(tmp_path, GROUP)
    monkeypatch.setattr(audio, "_LONGEST_WAVE", 1.0)
    samples = tone(1.4)
    parts = [own_features(GROUP, model, extractor, part) for part in (samples[:RATE], samples[-RATE:])]
    np.testing.assert_allclose(features(backbone_of(tmp_path), samples), np.mean(parts, axis=0), atol=1e-5)


def test_a_hop_alone_is_that_of_the_longest_windows(tmp_path: Path) -> None:
    save_audio_model(tmp_path, GROUP)
    how = backbone_of(tmp_path, preprocessing={"hop": 30.0}).spec.preprocessing
    assert how.item(Waveform(np.ones(90 * RATE, np.float32), RATE))["input_values"].shape == (2, 60 * RATE)


def test_a_folder_without_a_feature_extractor_says_what_is_missing(tmp_path: Path) -> None:
    save_audio_model(tmp_path, GROUP)
    (tmp_path / "preprocessor_config.json").unlink()
    with pytest.raises(ConfigError, match=r"no preprocessor_config\.json"):
        backbone_of(tmp_path)


@pytest.mark.parametrize(
    "changes", [{"sampling_rate": 10**9}, {"chunk_length": 10**9}, {"n_fft": -1}, {"auto_map": {"AutoModel": "x.py"}}]
)
def test_a_feature_extractor_that_would_take_all_memory_or_run_code_is_refused(changes: Any, tmp_path: Path) -> None:
    save_audio_model(tmp_path, "whisper")
    change_json(tmp_path / "preprocessor_config.json", changes)
    with pytest.raises(ConfigError):
        backbone_of(tmp_path)


def test_a_model_of_texts_is_none_of_recordings(tmp_path: Path) -> None:
    save_audio_model(tmp_path, GROUP)
    change_json(tmp_path / "config.json", {"model_type": "bert"})
    with pytest.raises(ConfigError, match="bert; expected an audio model: wav2vec2"):
        backbone_of(tmp_path)
