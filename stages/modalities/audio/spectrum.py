"""The mean log-mel spectrum: what a recording is without any network."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.audio.waveform import AUDIO, RATES, Waveform, resampled
from frostline.stages.modalities.base import Item

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST = 1 << 14
_AT_ONCE = 4096  # frames
_FLOOR = 1e-10


@dataclass(frozen=True)
class MeanSpectrum:
    """A recording as ``spectrum``, float32 (bands,): the mean over its frames of ln(max(mel power, 1e-10)).

    Frames are whole ones from the first sample on, weighed by a periodic Hann window; bands are triangles that are even
    on HTK's mel scale, 2595 log10(1 + f / 700). The sizes are VGGish's (Hershey et al. 2017, "CNN architectures for
    large-scale audio classification"): 64 bands of 125 to 7,500 Hz, frames of 25 ms each 10 ms.

    ``rate``: in Hz. ``frame``, ``step``: samples of a frame, and from one to the next. ``fft``: what a frame is filled
    up to with zeros. ``low``, ``high``: Hz.
    """

    modality: ClassVar[str] = AUDIO
    rate: int = 16_000
    bands: int = 64
    frame: int = 400
    step: int = 160
    fft: int = 512
    low: int = 125
    high: int = 7_500

    def __post_init__(self) -> None:  # a record's fields may be a stranger's
        for one in fields(self):
            found: Any = getattr(self, one.name)
            if type(found) is not int or not 0 < found <= (RATES[-1] if one.name == "rate" else _MOST):
                raise ValueError(f"{one.name} {found!r}; expected a whole number above 0")

    def item(self, sample: Waveform, view: Any = "plain") -> Item:  # noqa: ARG002
        """Return the spectrum. Raises UnreadableSample for a recording shorter than a frame."""
        samples = resampled(sample, self.rate)
        if len(samples) < self.frame:
            said = f"{len(samples):,} samples at {self.rate:,} Hz; {self.frame} are needed"
            raise UnreadableSample(f"too short ({said})")
        frames = np.lib.stride_tricks.sliding_window_view(samples, self.frame)[:: self.step]
        total = np.zeros(self.bands)
        for start in range(0, len(frames), _AT_ONCE):
            total += self._log_mel(frames[start : start + _AT_ONCE]).sum(axis=0)
        return {"spectrum": (total / len(frames)).astype(np.float32)}

    def noise(self, n: int) -> list[Item]:
        rows = np.random.default_rng(0).standard_normal((n, self.bands), np.float32)
        return [{"spectrum": row} for row in rows]

    def _log_mel(self, frames: NDArray[np.float32]) -> NDArray[np.float64]:
        bins = np.fft.rfft(frames.astype(np.float64) * self._window, self.fft)
        found: NDArray[np.float64] = np.log(np.maximum(np.abs(bins) ** 2 @ self._bands_of, _FLOOR))
        return found

    @cached_property
    def _window(self) -> NDArray[np.float64]:
        return np.asarray(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.frame) / self.frame))

    @cached_property
    def _bands_of(self) -> NDArray[np.float64]:
        """The weight of each bin of a spectrum in each band, float64 (fft // 2 + 1, bands)."""
        low, high = 2595 * np.log10(1 + np.array([self.low, self.high]) / 700)
        edges = 700 * (10 ** (np.linspace(low, high, self.bands + 2) / 2595) - 1)
        bins = np.linspace(0, self.rate / 2, self.fft // 2 + 1)[:, None]
        rising = (bins - edges[:-2]) / np.diff(edges)[:-1]
        falling = (edges[2:] - bins) / np.diff(edges)[1:]
        return np.asarray(np.maximum(0, np.minimum(rising, falling)))
