"""A folder's model for recordings: its feature extractor, how long its windows are, and how its frames are pooled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import nn

from frostline.stages.backbones.families.base import LoadedModel
from frostline.stages.backbones.families.huggingface.audio_module import (
    EncoderFrameMean,
    FrameMean,
    PooledOutput,
    ProjectedAudio,
    WindowMean,
)
from frostline.stages.backbones.families.huggingface.folder import config_digest
from frostline.stages.backbones.families.huggingface.models import Filled, check_configuration, said_by_transformers
from frostline.stages.backbones.families.model_folder import ModelFolder
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.backbones.spec import OUTPUT
from frostline.stages.errors import ConfigError, shortened
from frostline.stages.modalities.audio.transform import HALF_SECOND, Windows, padded
from frostline.stages.modalities.audio.waveform import RATES
from frostline.stages.modalities.base import Item
from frostline.stages.modalities.items import stacked

_LONGEST_WAVE = 60.0  # seconds: wav2vec 2.0 takes any length, and 1 GiB of memory for these
_AT_ONCE = 120.0  # seconds of sound: the first convolution of wav2vec 2.0 makes 7 MiB of each
_MOST = {"feature_size": 1024, "num_mel_bins": 1024, "n_fft": 1 << 14, "chunk_length": 600, "max_length_s": 600}
_AST_STEP = 0.01  # seconds a frame


@dataclass(frozen=True)
class Kind:
    """How one architecture is used. ``extractor``: the class in transformers. ``pool``: what the feature is called.

    ``window``: of its extractor, the most seconds of a window, and how long those of longer recordings are.
    ``prepare``: of the model and its extractor, what makes a window's arrays. ``module``: of the model, what makes
    features of them.
    """

    extractor: str
    pool: str
    window: Callable[[Any], float]
    prepare: Callable[[Any, Any], Callable[[NDArray[np.float32]], Item]]
    module: Callable[[Any], nn.Module]


def check_takes_recordings(folder: ModelFolder) -> None:
    """Raise ConfigError for a model that is not of recordings, or of a kind that is not known."""
    _kind(folder)


def loaded_audio(folder: ModelFolder, request: BackboneRequest, filled: Filled, weights: str) -> LoadedModel:
    """Return a model as a backbone of recordings.

    Raises ConfigError: a layer, a pooling or windows that can't be, no feature extractor, or one that can't be.
    """
    kind = _kind(folder)
    _check_asked(folder, request, kind)
    extractor = _extractor(folder, kind)
    how = _windows(folder, request, kind, extractor, filled.model)
    module = WindowMean(kind.module(filled.model)).eval()
    with torch.inference_mode(), said_by_transformers(folder):
        given = {name: torch.from_numpy(array) for name, array in stacked(how.noise(1)).items()}
        width = module(**given).shape[1]
    code = f"configuration {config_digest(folder.config())[:16]}"
    own = {"code": code, "layer": OUTPUT, "pool": kind.pool, "width": width, "licence": folder.licence()}
    return LoadedModel(module, weights, how, **own)


def _kind(folder: ModelFolder) -> Kind:
    name = str(folder.config().get("model_type"))
    if name not in _KINDS:
        raise ConfigError(
            f"{folder.name} is a model of type {shortened(name)}; expected an audio model: {', '.join(_KINDS)}"
        )
    return _KINDS[name]


def _check_asked(folder: ModelFolder, request: BackboneRequest, kind: Kind) -> None:
    if request.layer not in (None, OUTPUT):
        raise ConfigError(
            f"layer {request.layer} of {folder.name}; for recordings only the last layer is available; leave "
            "--layer out"
        )
    if request.pool not in (None, kind.pool):
        raise ConfigError(f"pool {request.pool} of {folder.name}; its pooling is fixed ({kind.pool}); leave --pool out")


def _extractor(folder: ModelFolder, kind: Kind) -> Any:
    """Return the feature extractor of a folder. Raises ConfigError."""
    said = folder.processor()
    check_configuration(folder, said)
    if said is None:
        raise ConfigError(
            f"{folder.name}: no preprocessor_config.json in {folder.path}; expected the settings of {kind.extractor}"
        )
    for name, most in _MOST.items():
        if not (isinstance(found := said.get(name, 1), int | float) and 0 < found <= most):
            raise ConfigError(f"{folder.name}: {name} {shortened(str(found))} of its preprocessing; at most {most:,}")
    with said_by_transformers(folder):
        found = getattr(transformers, kind.extractor).from_pretrained(folder.path, local_files_only=True)
    if type(found.sampling_rate) is not int or found.sampling_rate not in RATES:
        raise ConfigError(
            f"{folder.name}: resampling recordings to {shortened(str(found.sampling_rate))} Hz is not possible"
        )
    return found


def _windows(folder: ModelFolder, request: BackboneRequest, kind: Kind, extractor: Any, model: Any) -> Windows:
    most = kind.window(extractor)
    seconds, hop = _lengths(folder, request.preprocessing, most)
    rate = extractor.sampling_rate
    masked = kind.extractor == _WAVES and _is_masked(extractor, model)
    try:
        return Windows(
            rate,
            kind.extractor,
            config_digest(folder.processor() or {})[:16],
            _library(kind.extractor),
            seconds,
            hop,
            round(HALF_SECOND * rate) if masked else 1,
            prepare=kind.prepare(model, extractor),
            at_once=_AT_ONCE if kind.extractor == _WAVES else None,
        )
    except ValueError as error:
        raise ConfigError(f"{folder.name}: {error}; see --seconds, --hop") from error


def _lengths(folder: ModelFolder, asked: Mapping[str, Any], most: float) -> tuple[float, float]:
    """Return seconds and hop: those asked for, or windows side by side, as long as they may be."""
    seconds, hop = asked.get("seconds"), asked.get("hop")
    if seconds is None:
        seconds = most
    if seconds > most:
        raise ConfigError(f"--seconds {seconds:g} for {folder.name}; expected at most {most:g} at once, choose less")
    return float(seconds), float(seconds if hop is None else hop)


def _is_masked(extractor: Any, model: Any) -> bool:
    """Whether padding with a mask leaves a model's numbers alone: not where a norm is taken over time."""
    return bool(extractor.return_attention_mask) and model.config.feat_extract_norm == "layer"


def _library(extractor: str) -> str:
    """Return what computes the features of sound: two extractors take torchaudio where it is installed."""
    found = f"transformers {transformers.__version__}"
    if extractor == "ASTFeatureExtractor" and transformers.utils.is_speech_available():
        from importlib.metadata import version

        return f"{found}, torchaudio {version('torchaudio')}"
    return found


def _called(extractor: Any, samples: NDArray[np.float32], **how: Any) -> dict[str, NDArray[Any]]:
    """Return what an extractor makes of one window, without the axis of a batch."""
    given = extractor(samples, sampling_rate=extractor.sampling_rate, return_tensors="np", **how)
    return {name: np.ascontiguousarray(array[0]) for name, array in given.items()}


def _waves(model: Any, extractor: Any) -> Callable[[NDArray[np.float32]], Item]:
    bucket = round(HALF_SECOND * extractor.sampling_rate) if _is_masked(extractor, model) else 0

    def prepare(samples: NDArray[np.float32]) -> Item:
        values = _called(extractor, samples, return_attention_mask=False)["input_values"]
        return padded(values, bucket) if bucket else {"input_values": values}

    return prepare


def _log_mel(model: Any, extractor: Any) -> Callable[[NDArray[np.float32]], Item]:
    encoder = model.get_encoder()
    step = extractor.hop_length * encoder.conv1.stride[0] * encoder.conv2.stride[0]

    def prepare(samples: NDArray[np.float32]) -> Item:
        frames = np.asarray(-(-len(samples) // step), np.int64)
        return {"input_features": _called(extractor, samples)["input_features"], "frames": frames}

    return prepare


def _spectrogram(_model: Any, extractor: Any) -> Callable[[NDArray[np.float32]], Item]:
    return lambda samples: {"input_values": _called(extractor, samples)["input_values"].astype(np.float32)}


def _clap(_model: Any, extractor: Any) -> Callable[[NDArray[np.float32]], Item]:
    def prepare(samples: NDArray[np.float32]) -> Item:  # never longer than it takes: nothing is cropped at random
        given = _called(extractor, samples)
        longer = np.atleast_1d(given["is_longer"]).astype(bool)
        return {"input_features": given["input_features"].astype(np.float32), "is_longer": longer}

    return prepare


_WAVES = "Wav2Vec2FeatureExtractor"
_FRAMES = Kind(_WAVES, "mean", lambda _: _LONGEST_WAVE, _waves, FrameMean)
_KINDS = {
    "wav2vec2": _FRAMES,
    "hubert": _FRAMES,
    "wavlm": _FRAMES,
    "whisper": Kind(
        "WhisperFeatureExtractor",
        "mean",
        lambda one: one.n_samples / one.sampling_rate,
        _log_mel,
        lambda model: EncoderFrameMean(model.get_encoder()),
    ),
    "audio-spectrogram-transformer": Kind(
        "ASTFeatureExtractor", "pooler", lambda one: one.max_length * _AST_STEP, _spectrogram, PooledOutput
    ),
    "clap": Kind("ClapFeatureExtractor", "projection", lambda one: float(one.max_length_s), _clap, ProjectedAudio),
}
