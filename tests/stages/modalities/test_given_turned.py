"""Images and recordings that lie otherwise than expected: what is said, and how to turn them."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from frostline.stages.errors import DataError
from frostline.stages.modalities.given import sample_of

WAVE = np.sin(np.arange(1600) / 50)


@pytest.mark.parametrize(
    ("value", "kind", "said"),
    [
        (torch.zeros(8, 6, 3, dtype=torch.uint8), "image", "expected a uint8 tensor (3, height, width); for channels "
         "that come last call .permute(2, 0, 1)"),
        (np.zeros((3, 8, 6), np.uint8), "image", "for channels that come first call .transpose(1, 2, 0)"),
        ((np.stack([WAVE, WAVE]), 16_000), "audio", "expected one channel, (n,): average the channels, "
         "samples.mean(axis=0)"),
        ((np.stack([WAVE, WAVE], 1), 16_000), "audio", "samples.mean(axis=1)"),
        (((WAVE * 30_000).astype(np.int16), 16_000), "audio", "expected floats in -1..1; divide them by 32768"),
        ((WAVE, 16_000.5), "audio", "expected a whole number"),
    ],
    ids=range(6),
)  # fmt: skip
def test_what_lies_otherwise_is_said_with_how_to_turn_it(value: object, kind: str, said: str) -> None:
    with pytest.raises(DataError, match=re.escape(said)):
        sample_of(value, kind)


@pytest.mark.parametrize(
    "value", [(WAVE, 16_000.0), (WAVE[None], 16_000), (torch.tensor(WAVE)[None], np.float64(16_000))]
)
def test_one_channel_and_a_rate_that_is_a_float_are_a_recording(value: object) -> None:
    found = sample_of(value, "audio")
    assert found.rate == 16_000 and isinstance(found.rate, int) and found.samples.shape == (1600,)
