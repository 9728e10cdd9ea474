"""Files of WAV, FLAC, Ogg and MP3 to the mean of their channels, by libsndfile."""

from __future__ import annotations

import base64
import io
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from frostline.stages.errors import ConfigError, UnreadableSample
from frostline.stages.modalities.audio.containers import counts_frames, is_chained, missing_part
from frostline.stages.modalities.audio.waveform import MAX_SAMPLES, RATES, Waveform, resampled

if TYPE_CHECKING:
    from numpy.typing import NDArray

EXTENSIONS = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3"})
_FORMATS = ("WAV", "WAVEX", "RF64", "FLAC", "OGG", "MP3")
_BLOCK = 1 << 20  # values of all channels that are held at once
_EXCERPT, _HEARD = 3.0, 16_000  # seconds of a recording that a page holds, and their highest rate


def decode(data: bytes) -> Waveform:
    """Return the recording in a file's bytes: the mean of its channels, at its own rate.

    It is read in blocks, so that many channels, or a header that lies, take no memory. Raises UnreadableSample with the
    reason: empty, no audio, of another kind, no samples, too long, truncated, values that are no numbers.
    """
    with _opened(data) as file:
        fault = _declared_fault(data, file)
        if fault:
            raise UnreadableSample(fault)
        samples = _mean_of_channels(file)
        declared, kind = file.frames, str(file.format)
    if len(samples) < declared and counts_frames(data, kind):
        raise UnreadableSample(f"truncated (its header declares {declared:,} samples, {len(samples):,} were found)")
    if not len(samples):
        raise UnreadableSample("no samples")
    if not np.isfinite(samples).all():
        raise UnreadableSample("NaN or infinite samples")
    return Waveform(samples, int(file.samplerate))


def excerpt(sound: Waveform) -> str:
    """Return the first three seconds at 16 kHz or less, as a data URI of FLAC."""
    rate, file = min(sound.rate, _HEARD), io.BytesIO()
    part = Waveform(sound.samples[: int(_EXCERPT * sound.rate)], sound.rate)
    _soundfile().write(file, np.clip(resampled(part, rate), -1, 1), rate, format="FLAC", subtype="PCM_16")
    return f"data:audio/flac;base64,{base64.b64encode(file.getvalue()).decode()}"


def find_fault(data: bytes) -> str | None:
    """Return why a file can't be decoded, as far as its header and its end say it, or None."""
    try:
        with _opened(data) as file:
            return _declared_fault(data, file)
    except UnreadableSample as error:
        return str(error)


def channels(data: bytes) -> int:
    """Return how many channels a file has. Raises UnreadableSample."""
    with _opened(data) as file:
        return int(file.channels)


@cache
def decoder() -> str:
    """Return what decodes and resamples, as it stands in a feature key. Raises ConfigError if it is not installed."""
    library = _soundfile()
    return (
        f"soundfile {library.__version__}, libsndfile {library.__libsndfile_version__}, mean of channels, "
        f"resampled by scipy {version('scipy')}"
    )


def _soundfile() -> Any:
    """Return the library, which has no types."""
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: libsndfile itself is not there
        raise ConfigError("recordings need soundfile; `pip install 'frostline[audio]'`") from error
    return soundfile


def _opened(data: bytes) -> Any:
    """Return a file of the kinds that are read."""
    library = _soundfile()
    if not data:
        raise UnreadableSample("empty")
    try:
        file = library.SoundFile(io.BytesIO(data))
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        raise UnreadableSample("damaged or not audio; expected WAV, FLAC, Ogg or MP3") from error
    if file.format not in _FORMATS:
        raise UnreadableSample(f"{file.format} audio; expected WAV, FLAC, Ogg or MP3")
    return file


def _declared_fault(data: bytes, file: Any) -> str | None:
    """Return what is wrong with what a file says of itself."""
    if file.samplerate not in RATES:
        return f"{file.samplerate:,} samples per second; expected {RATES[0]:,} to {RATES[-1]:,}"
    if part := missing_part(data):
        return f"truncated ({part})"
    if is_chained(data):
        return "several Ogg streams one after the other, but only the first could be read: save them as one"
    if not file.frames:
        return "no samples"
    if file.frames > MAX_SAMPLES and counts_frames(data, file.format):
        return _too_long(f"{file.frames / file.samplerate:,.0f} s, {file.frames:,} samples")
    return None


def _too_long(found: str) -> str:
    return f"too long ({found}; at most {MAX_SAMPLES:,} are supported: split it into shorter files)"


def _mean_of_channels(file: Any) -> NDArray[np.float32]:
    """Return the mean of the channels, read block by block."""
    blocks: list[NDArray[np.float32]] = []
    total, rows = 0, max(1, _BLOCK // file.channels)
    while total <= MAX_SAMPLES:
        block = _block(file, rows)
        if not len(block):
            return np.concatenate([np.zeros(0, np.float32), *blocks])
        blocks.append(block[:, 0].copy() if file.channels == 1 else block.mean(axis=1, dtype=np.float32))
        total += len(block)
    raise UnreadableSample(_too_long(f"more than {MAX_SAMPLES:,} samples"))


def _block(file: Any, rows: int) -> NDArray[np.float32]:
    try:
        found: NDArray[np.float32] = file.read(rows, dtype="float32", always_2d=True)
    except (RuntimeError, ValueError, OSError) as error:
        raise UnreadableSample(f"damaged ({type(error).__name__}: {error})") from error
    return found
