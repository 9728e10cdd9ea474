"""The mean log-mel spectrum is that of transformers' own functions, of any length, and takes bounded memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from transformers.audio_utils import mel_filter_bank, spectrogram, window_function

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.audio.modality import RECORDINGS
from frostline.stages.modalities.audio.spectrum import MeanSpectrum
from frostline.stages.modalities.audio.waveform import Waveform
from frostline.stages.modalities.base import described
from support.audio_folders import RATE, tone

HOW = MeanSpectrum()


@pytest.mark.parametrize("seconds", [0.025, 0.5, 1.234, 43.0])
def test_it_is_the_mean_of_the_log_mel_spectrogram_of_transformers(seconds: float) -> None:
    samples = tone(seconds)
    how = {"frame_length": 400, "hop_length": 160, "fft_length": 512, "power": 2.0, "center": False}
    filters = mel_filter_bank(257, 64, 125.0, 7_500.0, RATE, norm=None, mel_scale="htk")
    wanted = spectrogram(samples, window_function(400, "hann"), **how, mel_filters=filters, log_mel="log")
    found = HOW.item(Waveform(samples, RATE))["spectrum"]
    assert (found.dtype, found.shape) == (np.float32, (64,))
    np.testing.assert_allclose(found, wanted.mean(axis=1), rtol=1e-5, atol=1e-5)


def test_silence_is_finite_and_another_rate_is_resampled() -> None:
    silence = HOW.item(Waveform(np.zeros(RATE, np.float32), RATE))["spectrum"]
    np.testing.assert_allclose(silence, np.log(1e-10))
    fine, plain = (HOW.item(Waveform(tone(1.0, rate=rate), rate))["spectrum"] for rate in (44_100, RATE))
    assert np.argmax(fine) == np.argmax(plain)


def test_a_recording_shorter_than_a_frame_is_refused() -> None:
    with pytest.raises(UnreadableSample, match=r"too short \(399 samples at 16,000 Hz; 400 are needed\)"):
        HOW.item(Waveform(np.zeros(399, np.float32), RATE))


def test_a_long_recording_takes_bounded_memory() -> None:
    samples = np.zeros(600 * RATE, np.float32)
    tracemalloc.start()
    HOW.item(Waveform(samples, RATE))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20


def test_a_record_of_it_is_read_and_one_that_can_not_be_is_refused() -> None:
    assert RECORDINGS.read_transform(described(HOW)) == HOW
    with pytest.raises(ValueError, match="bands -1"):
        RECORDINGS.read_transform({**described(HOW), "bands": -1})
