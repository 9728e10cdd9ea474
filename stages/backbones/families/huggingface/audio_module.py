"""Transformers models of recordings up to one vector."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn


class WindowMean(nn.Module):
    """Arrays (batch, windows, …) to the mean of the windows' features, float (batch, d), one window after the other."""

    def __init__(self, one: nn.Module) -> None:
        super().__init__()
        self.one = one

    def forward(self, **arrays: Tensor) -> Tensor:
        windows = next(iter(arrays.values())).shape[1]
        found = [self.one(**{name: array[:, i] for name, array in arrays.items()}) for i in range(windows)]
        return found[0] if windows == 1 else torch.stack(found).mean(0)


class FrameMean(nn.Module):
    """wav2vec 2.0, HuBERT, WavLM: the mean of the last layer's frames, of the recording's own where there is a mask."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_values: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        with warnings.catch_warnings():  # of WavLM's own call of torch
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask", UserWarning)
            hidden: Tensor = self.model(input_values, attention_mask=attention_mask).last_hidden_state
        if attention_mask is None:
            return hidden.mean(1)
        frames = self.model._get_feat_extract_output_lengths(attention_mask.sum(1))
        return mean_of_first(hidden, frames)


class EncoderFrameMean(nn.Module):
    """Whisper's encoder: the mean of the frames that are the recording's own; ``frames``: how many these are."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_features: Tensor, frames: Tensor) -> Tensor:
        return mean_of_first(self.encoder(input_features).last_hidden_state, frames)


class PooledOutput(nn.Module):
    """The audio spectrogram transformer: its own pooled output."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_values: Tensor) -> Tensor:
        pooled: Tensor = self.model(input_values).pooler_output
        return pooled


class ProjectedAudio(nn.Module):
    """CLAP: what ``get_audio_features`` gives, projected to where the texts' features are.

    ``is_longer``: whether windows are fused, alike for all items of a model, since none is longer than it takes. Rows
    without an item are treated as those with one: how many are fused must not depend on the company.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_features: Tensor, is_longer: Tensor) -> Tensor:
        projected: Tensor = self.model.get_audio_features(
            input_features=input_features, is_longer=is_longer | is_longer.any()
        ).pooler_output
        return projected


def mean_of_first(hidden: Tensor, frames: Tensor) -> Tensor:
    """Return the mean, (batch, d), of the first frames of (batch, t, d), as many as each row has; summed in float32."""
    places = torch.arange(hidden.shape[1], device=hidden.device)
    own = (places[None, :] < frames[:, None])[..., None].float()
    return (hidden.float() * own).sum(1) / own.sum(1).clamp(min=1)
