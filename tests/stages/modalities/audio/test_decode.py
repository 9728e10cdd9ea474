"""Recordings from bytes: what comes out, and why a file is refused."""

from __future__ import annotations

import base64
import struct
import sys
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from frostline.stages.errors import ConfigError, UnreadableSample
from frostline.stages.modalities.audio import decode as files
from frostline.stages.modalities.audio.decode import decode, decoder, find_fault
from frostline.stages.modalities.audio.modality import RECORDINGS
from frostline.stages.modalities.audio.waveform import MAX_SAMPLES, Waveform, resampled
from support.audio_folders import RATE, encoded, tone

SECOND = tone(1.0)
KINDS = [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None)]


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_every_kind_of_file_gives_its_samples(kind: str, subtype: str | None) -> None:
    found = decode(encoded(SECOND, kind=kind, subtype=subtype))
    assert (found.rate, found.samples.dtype, found.samples.shape) == (RATE, np.float32, (RATE,))
    assert np.corrcoef(found.samples, SECOND)[0, 1] > 0.98


@pytest.mark.parametrize("channels", [2, 8])
def test_several_channels_are_their_mean_and_that_is_said(channels: int) -> None:
    each = np.stack([SECOND * (i + 1) / channels for i in range(channels)], axis=1)
    data = encoded(each, subtype="FLOAT")
    np.testing.assert_allclose(decode(data).samples, each.mean(axis=1), atol=1e-6)
    codec = RECORDINGS.codec(data)
    assert codec is not None
    said = f"recordings of {channels} channels are converted to mono, the mean of the channels"
    assert RECORDINGS.remarks(codec, [data]) == [said]
    assert RECORDINGS.codec(encoded(SECOND)) is None


def wav(data: bytes = b"\0\0" * 800, *, size: int | None = None, **changes: int) -> bytes:
    """Return a WAV file whose header may lie: of channels, rate, bits; ``size``: of its audio."""
    how = {"format": 1, "channels": 1, "rate": RATE, "align": 2, "bits": 16, **changes}
    head = struct.pack(
        "<HHIIHH", how["format"], how["channels"], how["rate"], how["rate"] * how["align"], how["align"], how["bits"]
    )
    chunks = (
        b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(data) if size is None else size)
    )
    return b"RIFF" + struct.pack("<I", len(chunks) + len(data)) + chunks + data


def cut(data: bytes, share: float = 0.5) -> bytes:
    return data[: int(len(data) * share)]


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "empty"),
    "a text": (lambda: b"this is no sound at all, whatever it is called" * 20, "not audio"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + b"\0" * 200, "not audio"),
    "another kind of audio": (lambda: encoded(SECOND, kind="AIFF"), "AIFF audio; expected WAV, FLAC, Ogg or MP3"),
    "a header alone": (lambda: wav(b""), "no samples"),
    "a truncated WAV": (lambda: cut(encoded(SECOND)), "truncated (its header says 32,000 bytes of audio"),
    "a truncated FLAC": (lambda: cut(encoded(SECOND, kind="FLAC")), "damaged"),
    "a truncated Ogg": (lambda: cut(encoded(tone(20.0), kind="OGG"), 0.8), "truncated (the last page"),
    "a cut last page of an Ogg": (lambda: encoded(tone(9.0), kind="OGG")[:-400], "truncated (its last page says"),
    "a truncated MP3": (lambda: cut(encoded(tone(5.0), kind="MP3")), "truncated (its header says 80,000 samples"),
    "two Oggs in one": (lambda: encoded(SECOND, kind="OGG") + encoded(SECOND, kind="OGG"), "several Ogg streams one"),
    "Opus after Vorbis": (lambda: encoded(SECOND, kind="OGG") + encoded(SECOND, kind="OGG", subtype="OPUS"), "several"),
    "NaN": (lambda: encoded(np.where(SECOND > 0.5, np.nan, SECOND), subtype="FLOAT"), "NaN or infinite samples"),
    "infinity": (lambda: encoded(np.where(SECOND > 0.5, np.inf, SECOND), subtype="FLOAT"), "NaN or infinite samples"),
    "more audio than there is": (lambda: wav(size=1 << 31), "truncated (its header says 2,147,483,648 bytes of audio"),
    "no rate": (lambda: wav(rate=0), ""),
    "a rate of 2 GHz": (lambda: wav(rate=2_000_000_000), ""),
    "a rate of 1 Hz": (lambda: wav(rate=1), "1 samples per second; expected 1,000 to 384,000"),
    "no channels": (lambda: wav(channels=0), ""),
    "65,535 channels": (lambda: wav(channels=65_535), ""),
    "no bits": (lambda: wav(bits=0), ""),
    "a kind of samples that there is not": (lambda: wav(format=0x7777), ""),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_with_the_reason(name: str) -> None:
    made, said = BAD[name]
    data = made()
    with pytest.raises(UnreadableSample) as found:
        decode(data)
    assert said in str(found.value)
    assert find_fault(data) in (None, str(found.value))


def test_a_header_of_a_stream_that_says_no_length_is_read_to_the_end() -> None:
    assert len(decode(wav(size=0xFFFFFFFF)).samples) == 800


def test_a_header_of_a_whole_day_takes_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_SAMPLES", 10 * RATE)
    day = encoded(np.zeros(60 * RATE, np.float32), kind="FLAC")
    tracemalloc.start()
    fault = find_fault(day)
    with pytest.raises(UnreadableSample, match=r"too long .60 s, 960,000 samples; at most 160,000 are supported"):
        decode(day)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fault
    assert peak < 1 << 20


def test_a_length_that_nothing_says_is_found_out_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_SAMPLES", 10 * RATE)
    monkeypatch.setattr(files, "counts_frames", lambda data, kind: False)
    with pytest.raises(UnreadableSample, match="more than 160,000 samples"):
        decode(encoded(np.zeros(60 * RATE, np.float32), kind="MP3"))


@pytest.mark.parametrize("name", ["WAV", "FLAC", "OGG", "MP3"])
def test_flipped_bytes_are_read_or_refused_and_nothing_else(name: str) -> None:
    whole, random = encoded(tone(0.5), kind=name), np.random.default_rng(0)
    for _ in range(150):
        data = bytearray(whole)
        for place in random.integers(0, min(len(data), 4_000), 4).tolist():
            data[place] = int(random.integers(256))
        try:
            found = decode(bytes(data))
        except UnreadableSample:
            continue
        assert np.isfinite(found.samples).all()
        assert 0 < len(found.samples) <= MAX_SAMPLES


def test_resampling_keeps_a_tone_and_takes_out_what_is_too_high() -> None:
    times = np.arange(44_100) / 44_100
    low, high = (np.sin(2 * np.pi * pitch * times).astype(np.float32) for pitch in (440, 12_000))
    found = resampled(Waveform(low + high, 44_100), RATE)
    wanted = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[500:-500], wanted[500:-500], atol=0.01)


def test_samples_that_are_resampled_to_too_many_are_refused() -> None:
    with pytest.raises(UnreadableSample, match="too long"):
        resampled(Waveform(np.zeros(MAX_SAMPLES // 8, np.float32), 1_000), RATE)


def test_the_decoder_says_which_libraries_read_and_resample() -> None:
    for name in ("soundfile ", "libsndfile ", "scipy "):
        assert name in decoder()


def test_without_soundfile_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ConfigError, match=r"frostline\[audio\]"):
        decode(b"RIFF")


def test_a_page_shows_the_length_and_the_outline() -> None:
    shown = RECORDINGS.preview(decode(encoded(tone(1.5))))
    assert shown.text == "1.50 s, 16,000 Hz"
    assert shown.picture.startswith("data:image/svg+xml;base64,")
    assert len(shown.picture) < 10_000


@pytest.mark.parametrize(("rate", "seconds"), [(44_100, 5.0), (8_000, 0.5)])
def test_a_page_plays_the_first_seconds_at_16_khz_or_less(rate: int, seconds: float) -> None:
    sound = Waveform(np.sin(np.arange(int(rate * seconds)), dtype="f4"), rate)
    said, _, data = RECORDINGS.preview(sound).sound.partition(",")
    heard = decode(base64.b64decode(data))
    assert said == "data:audio/flac;base64" and heard.rate == min(rate, 16_000)
    assert len(heard.samples) == pytest.approx(heard.rate * min(seconds, 3), abs=1)
