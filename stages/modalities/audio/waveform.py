"""A decoded recording, and the same at another rate."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING

import numpy as np

from frostline.stages.errors import UnreadableSample

if TYPE_CHECKING:
    from numpy.typing import NDArray

AUDIO = "audio"
"""The name of the modality."""
MAX_SAMPLES = 1 << 26
"""The longest recording that is read, in samples of one channel: 256 MiB, 70 minutes at 16 kHz."""
RATES = range(1_000, 384_001)
"""The rates that are read, in Hz."""


@dataclass(frozen=True, eq=False)
class Waveform:
    """One channel of sound. ``samples``: float32 (n,), mostly in -1..1; ``rate``: in Hz."""

    samples: NDArray[np.float32]
    rate: int


def resampled(sound: Waveform, rate: int) -> NDArray[np.float32]:
    """Return the samples at another rate, float32 (ceil(n * rate / own),), by SciPy's polyphase filter.

    Raises UnreadableSample where there would be more than ``MAX_SAMPLES``.
    """
    if sound.rate == rate:
        return sound.samples
    common = gcd(sound.rate, rate)
    up, down = rate // common, sound.rate // common
    n = -(-len(sound.samples) * up // down)
    if n > MAX_SAMPLES:
        raise UnreadableSample(f"too long ({n:,} samples at {rate:,} Hz; at most {MAX_SAMPLES:,} are used)")
    from scipy.signal import resample_poly

    return np.ascontiguousarray(resample_poly(sound.samples, up, down), np.float32)
