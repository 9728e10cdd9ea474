"""Whether a network gives an image the same features each time, and whatever else is in the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from frostline.stages.backbones.inference.batches import Embeddings, Pixels
from frostline.stages.errors import ConfigError, printable, shortened

_MOVED = 0.02  # of the largest value: another place in the batch may take another kernel, whose last bits differ
_NAMED = 3  # images that a message names
_CAUSES = {
    "again": "look for dropout, masking or noise that its code leaves on in evaluation "
    "(functional.dropout without training=self.training), or for a state that each pass changes",
    "company": "look for batch normalisation without running statistics (track_running_stats=False, or left in "
    "training), for random masks by place, and for anything else that is computed over the batch",
}


@dataclass(frozen=True)
class Unsteady:
    """Features that are not an image's own.

    ``when``: asked for ``again`` in the same batch, or in another ``company``. ``rows``: which of the images, of
    ``compared`` ones. ``largest``: the largest difference; ``scale``: the mean size of a feature.
    """

    when: Literal["again", "company"]
    rows: tuple[int, ...]
    compared: int
    largest: float
    scale: float

    def told(self, names: Sequence[str] = ()) -> str:
        """Return what was seen, in a line; ``names``: of the images, by row."""
        seen = {
            "again": "gives other features of the same images when asked again",
            "company": "gives an image other features when other images are in its batch",
        }[self.when]
        shown = [printable(shortened(names[row], 80)) if names else f"image {row}" for row in self.rows[:_NAMED]]
        more = ", …" if len(self.rows) > _NAMED else ""
        differing = f"{len(self.rows)} of the {self.compared} compared ({', '.join(shown)}{more})"
        return f"{seen}: {differing}, by up to {self.largest:.3g}, where a feature's mean size is {self.scale:.3g}"


def unsteadiness(embed: Callable[[Pixels], Embeddings], pixels: Pixels) -> Unsteady | None:
    """Return what is unsteady about ``embed`` on a batch; None where nothing is. Takes three passes.

    ``pixels``: preprocessed images, uint8 (n, height, width, 3), n >= 1; one alone is given a companion.
    Computed again, all have the same bits. So has every other image once the rest are replaced; of four or
    more, one is moved to another place, where it is the same up to rounding.
    """
    batch = pixels if len(pixels) > 1 else np.concatenate([pixels, _stark(pixels)])
    first, again = embed(batch), embed(batch)
    others = batch.copy()
    others[1::2] = _stark(batch[1::2])
    others[3:4] = batch[1]
    found = _compared("again", range(len(pixels)), first[: len(pixels)], again[: len(pixels)])
    return found or _in_company(first, embed(others))


def check_steady(name: str, embed: Callable[[Pixels], Embeddings], pixels: Pixels, names: Sequence[str] = ()) -> None:
    """Raise ConfigError, which says what was seen and what to do, for a backbone that is unsteady on a batch.

    ``name``, ``names``: of the backbone and of the images, for the message. The rest: as ``unsteadiness`` takes it.
    """
    found = unsteadiness(embed, pixels)
    if found:
        raise refusal(name, found, names)


def refusal(name: str, found: Unsteady, names: Sequence[str] = ()) -> ConfigError:
    """Return the error for a backbone that is unsteady; ``names``: of the images, by row."""
    return ConfigError(
        f"{name} {found.told(names)}.\nFeatures of a frozen network must be the image's own: {_CAUSES[found.when]}. "
        "--allow-unsteady goes on all the same; such features can't be made again, and neither can what is fitted on "
        "them."
    )


def _in_company(first: Embeddings, now: Embeddings) -> Unsteady | None:
    found = _compared("company", range(0, len(first), 2), first[::2], now[::2])
    return found or _compared("company", [1], first[1:2], now[3:4], _MOVED) if len(first) > 3 else found


def _compared(
    when: Literal["again", "company"],
    rows: Sequence[int],
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    tolerance: float = 0.0,
) -> Unsteady | None:
    was, now = before.astype(np.float64), after.astype(np.float64)
    size = np.abs(was[np.isfinite(was)])
    same = (was == now) | (np.isnan(was) & np.isnan(now))
    with np.errstate(invalid="ignore"):
        differences = np.where(same, 0.0, np.nan_to_num(np.abs(was - now), nan=np.inf)).max(axis=1, initial=0.0)
    bad = np.flatnonzero(differences > tolerance * size.max(initial=0.0))
    scale, largest = float(size.mean()) if len(size) else 0.0, float(differences.max(initial=0.0))
    return Unsteady(when, tuple(rows[i] for i in bad.tolist()), len(rows), largest, scale) if len(bad) else None


def _stark(pixels: Pixels) -> Pixels:
    """Return images of black and white, light where they were dark: unlike them in mean, spread and largest value."""
    return np.where(pixels < 128, 255, 0).astype(np.uint8)
