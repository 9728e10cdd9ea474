"""How a recording becomes a network's input: the frozen description, and the windows that it is cut into."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.audio.waveform import AUDIO, RATES, Waveform, resampled
from frostline.stages.modalities.base import Item
from frostline.stages.modalities.items import bytes_of, stacked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Prepare = Callable[[NDArray[np.float32]], Item]

_LARGEST_ITEM = 1 << 26  # bytes
HALF_SECOND = 0.5  # what lengths are rounded up to where that leaves the numbers alone; many clips have such a one
_SHORTEST, _LONGEST = 0.025, 3600  # seconds of a window


@dataclass(frozen=True)
class Windows:
    """A recording at a network's rate, cut into windows, each prepared by itself: the ``Transform`` of recordings.

    A recording no longer than a window is one, of its own length. Of a longer one all windows are of the same length:
    the last one ends where the recording ends, and no window is padded. Items have an axis of windows before those of
    ``prepare``'s arrays; the network averages over it.

    Attributes:
        rate: in Hz.
        prepared_by: what prepares a window, such as a feature extractor of transformers.
        configuration: the digest of its settings.
        library: its library with the version.
        seconds: the length of a window; None: recordings are whole.
        hop: seconds from one window's beginning to the next one's.
        bucket: windows are padded to a multiple of so many samples, with a mask; 1: not at all.
        least: recordings of fewer samples are refused.
        prepare: a window, float32 (n,), to named arrays. In no key; None in what is read from a record.
        at_once: how many seconds of windows go through a network at once, None: no matter how many; those of a length
            that is no multiple of half a second go alone, for few others have it. In no key.
    """

    modality: ClassVar[str] = AUDIO

    rate: int
    prepared_by: str = ""
    configuration: str = ""
    library: str = ""
    seconds: float | None = None
    hop: float | None = None
    bucket: int = 1
    least: int = 400
    prepare: Prepare | None = field(default=None, compare=False, repr=False)
    at_once: float | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:  # a record's fields may be a stranger's
        bounds = {"rate": RATES, "bucket": range(1, 1 << 20), "least": range(1, 1 << 20)}
        for name, known in bounds.items():
            found: Any = getattr(self, name)
            if not isinstance(found, int) or found not in known:
                raise ValueError(f"{name} {found!r}; expected a whole number from {known[0]:,} to {known[-1]:,}")
        for name in ("seconds", "hop"):
            check_seconds(name, getattr(self, name))
        if (self.seconds is None) != (self.hop is None):
            raise ValueError(f"seconds {self.seconds}, hop {self.hop}; expected both or none")

    def item(self, sample: Waveform, view: Any = "plain") -> Item:  # noqa: ARG002
        """Return the windows' arrays, each with an axis of windows first. Raises UnreadableSample: too short, too long.

        Too long is what makes an item of more than 64 MiB.
        """
        assert self.prepare is not None, "only the transform of a loaded network can make items"
        samples = resampled(sample, self.rate)
        if len(samples) < self.least:
            raise UnreadableSample(f"too short ({len(samples):,} samples at {self.rate:,} Hz; {self.least} are needed)")
        starts, length = self._starts(len(samples))
        prepared: list[Item] = []
        for start in starts:
            prepared.append(self.prepare(samples[start : start + length]))
            if bytes_of(prepared[0]) * len(starts) > _LARGEST_ITEM:
                raise UnreadableSample(self._too_long(len(samples), len(starts)))
        return stacked(prepared)

    def rows_at_once(self, item: Item, most: int) -> int:
        """Return how many rows a batch of such items has; see ``at_once``."""
        if self.at_once is None:
            return most
        length = int(item["input_values"].shape[-1])
        if length % round(HALF_SECOND * self.rate):
            return 1
        return max(1, min(most, int(self.at_once * self.rate) // length))

    def noise(self, n: int) -> list[Item]:
        """Return items of a second of noise."""
        length = max(self.least, self.rate)
        noise = np.random.default_rng(0).normal(0, 0.1, (n, length)).astype(np.float32)
        return [self.item(Waveform(one, self.rate)) for one in noise]

    def _starts(self, n: int) -> tuple[list[int], int]:
        """Return where the windows of n samples begin, and how long they are."""
        if self.seconds is None or self.hop is None:
            return [0], n
        length, hop = (max(1, round(one * self.rate)) for one in (self.seconds, self.hop))
        if n <= length:
            return [0], n
        return [*range(0, n - length, hop), n - length], length

    def _too_long(self, n: int, windows: int) -> str:
        remedy = "split it into shorter recordings, or see --hop" if windows > 1 else "see --seconds"
        return f"too long ({n / self.rate:,.0f} s, {windows:,} windows; more than 64 MiB of input): {remedy}"


def check_seconds(name: str, found: Any) -> None:
    """Raise ValueError for what is no length of a window, nor None."""
    if found is not None and not (isinstance(found, int | float) and _SHORTEST <= found <= _LONGEST):
        raise ValueError(f"{name} {found!r}; expected seconds from {_SHORTEST} to {_LONGEST:,}")


def padded(samples: NDArray[np.float32], bucket: int) -> Item:
    """Return samples with zeros behind them up to a multiple of ``bucket``, and which of them are the recording's."""
    length = math.ceil(len(samples) / bucket) * bucket
    values = np.zeros(length, np.float32)
    values[: len(samples)] = samples
    return {"input_values": values, "attention_mask": (np.arange(length) < len(samples)).astype(np.int64)}
