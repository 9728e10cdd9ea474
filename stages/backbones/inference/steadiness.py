"""Whether a network gives an image the same features each time, and whatever else is in the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from frostline.stages.backbones.inference.batches import Embeddings, Pixels
from frostline.stages.backbones.spec import Precision
from frostline.stages.errors import ConfigError, printable, shortened

_ROUNDING: dict[Precision, float] = {"fp32": 1e-3, "bf16": 0.02, "fp16": 0.02}  # of the largest value, by kernels
_MOST = 16
_NAMED = 3  # images that a message names
_CAUSES = {
    "again": "look for dropout, masking or noise that its code leaves on in evaluation "
    "(functional.dropout without training=self.training), or for a state that each pass changes",
    "company": "look for batch normalisation without running statistics (track_running_stats=False, or left in "
    "training), and for anything else that is computed over the batch",
    "place": "look for anything that is divided by the number of images or done from some number on, such as a mean "
    "over the batch, and for random masks by place",
}
When = Literal["again", "company", "place"]


@dataclass(frozen=True)
class Unsteady:
    """Features that are not an image's own.

    ``when``: asked for ``again`` in the same batch, in other ``company``, or in another ``place``, one further in a
    batch with another number of images. ``rows``: which of the images, of
    ``compared`` ones. ``largest``: the largest difference; ``scale``: the mean size of a feature.
    """

    when: When
    rows: tuple[int, ...]
    compared: int
    largest: float
    scale: float

    def told(self, names: Sequence[str] = ()) -> str:
        """Return what was seen, in a line; ``names``: of the images, by row."""
        seen = {
            "again": "gives other features of the same images when asked again",
            "company": "gives an image other features when other images are in its batch",
            "place": "gives an image other features at another place of a batch, or in a batch of another size",
        }[self.when]
        shown = [printable(shortened(names[row], 80)) if names else f"image {row}" for row in self.rows[:_NAMED]]
        more = ", …" if len(self.rows) > _NAMED else ""
        differing = f"{len(self.rows)} of the {self.compared} compared ({', '.join(shown)}{more})"
        return f"{seen}: {differing}, by up to {self.largest:.3g}, where a feature's mean size is {self.scale:.3g}"


def unsteadiness(
    embed: Callable[[Pixels], Embeddings], pixels: Pixels, precision: Precision = "fp32", most: int = _MOST
) -> Unsteady | None:
    """Return what is unsteady about ``embed`` on a batch; None where nothing is. Takes four passes.

    ``pixels``: preprocessed images, (n, height, width, 3), n >= 1; one alone is given a companion.
    Computed again, all have the same bits. So has every other image once the rest are replaced. At the next place of a
    batch of twice as many, or of half where that is more than ``most``, they are the same up to rounding, which may
    differ by kernel: 0.1 % of the largest value in fp32, 2 % in less.
    """
    batch = pixels if len(pixels) > 1 else np.concatenate([pixels, _stark(pixels)])
    first, again = embed(batch), embed(batch)
    others = batch.copy()
    others[1::2] = _stark(batch[1::2])
    n = len(pixels)
    found = _compared("again", first[:n], again[:n]) or _compared("company", first[::2], embed(others)[::2], step=2)
    if found:
        return found
    moved = _moved(batch, most)
    n = min(n, len(moved))
    return _compared("place", first[:n], np.roll(embed(moved)[: len(batch)], -1, axis=0)[:n], _ROUNDING[precision])


def check_steady(
    name: str,
    embed: Callable[[Pixels], Embeddings],
    pixels: Pixels,
    names: Sequence[str] = (),
    precision: Precision = "fp32",
) -> None:
    """Raise ConfigError, which says what was seen and what to do, for a backbone that is unsteady on a batch.

    ``name``, ``names``: of the backbone and of the images, for the message. The rest: as ``unsteadiness`` takes it.
    """
    found = unsteadiness(embed, pixels, precision)
    if found:
        raise refusal(name, found, names)


def refusal(name: str, found: Unsteady, names: Sequence[str] = ()) -> ConfigError:
    """Return the error for a backbone that is unsteady; ``names``: of the images, by row."""
    return ConfigError(
        f"{name} {found.told(names)}.\nFeatures of a frozen network must be the image's own: {_CAUSES[found.when]}. "
        "--allow-unsteady goes on all the same; such features can't be made again, and neither can what is fitted on "
        "them."
    )


def _moved(batch: Pixels, most: int) -> Pixels:
    """Return a batch moved on by one and as many others behind it, or half of it moved so; the last comes first."""
    if 2 * len(batch) <= most:
        return np.concatenate([np.roll(batch, 1, axis=0), _stark(batch)])
    return np.roll(batch[: len(batch) // 2], 1, axis=0)


def _compared(
    when: When, before: NDArray[np.float32], after: NDArray[np.float32], tolerance: float = 0.0, step: int = 1
) -> Unsteady | None:
    """Return what differs by more than is tolerated between rows, each ``step``th of a batch."""
    was, now = before.astype(np.float64), after.astype(np.float64)
    size = np.abs(was[np.isfinite(was)])
    same = (was == now) | (np.isnan(was) & np.isnan(now))
    with np.errstate(invalid="ignore"):
        differences = np.where(same, 0.0, np.nan_to_num(np.abs(was - now), nan=np.inf)).max(axis=1, initial=0.0)
    bad = np.flatnonzero(differences > tolerance * size.max(initial=0.0))
    scale, largest = float(size.mean()) if len(size) else 0.0, float(differences.max(initial=0.0))
    return Unsteady(when, tuple(i * step for i in bad.tolist()), len(was), largest, scale) if len(bad) else None


def _stark(pixels: Pixels) -> Pixels:
    """Return images of black and white, light where they were dark: unlike them in mean, spread and largest value."""
    dark, black, white = (128, 0, 255) if pixels.dtype == np.uint8 else (0, -1, 1)
    return np.where(pixels < dark, white, black).astype(pixels.dtype)
