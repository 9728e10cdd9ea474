"""Whether a network gives a sample the same features each time, and whatever else is in the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from frostline.stages.backbones.inference.batches import Embeddings
from frostline.stages.backbones.spec import Precision
from frostline.stages.errors import ConfigError, one, printable, shortened
from frostline.stages.modalities.base import Arrays
from frostline.stages.modalities.items import joined, rows_of, taken

_ROUNDING: dict[Precision, float] = {"fp32": 1e-3, "bf16": 0.02, "fp16": 0.02}  # of the largest value, by kernels
_MAX_BATCH = 16
_NAMED = 3  # images that a message names
_CAUSES = {
    "again": "look for dropout, masking or noise that stays on in evaluation mode "
    "(functional.dropout without training=self.training), or for state that each forward pass changes",
    "company": "look for batch normalisation without running statistics (track_running_stats=False, or in training "
    "mode), and for anything else that is computed over the batch",
    "place": "look for anything that depends on the number of samples, such as a mean "
    "over the batch, and for random masks that depend on the position in the batch",
}
When = Literal["again", "company", "place"]


@dataclass(frozen=True)
class Unsteady:
    """Features that are not a sample's own.

    ``when``: asked for ``again`` in the same batch, in other ``company``, or in another ``place``, one further in a
    batch with another number of samples. ``rows``: which of the samples, of
    ``compared`` ones. ``largest``: the largest difference; ``scale``: the mean size of a feature.
    """

    when: When
    rows: tuple[int, ...]
    compared: int
    largest: float
    scale: float

    def told(self, names: Sequence[str] = (), noun: str = "image") -> str:
        """Return what was seen, in a line; ``names``: of the samples, by row; ``noun``: what one of them is."""
        seen = {
            "again": f"gives different features for the same {noun}s in a second pass",
            "company": f"gives {one(noun)} different features if the other {noun}s in the batch change",
            "place": f"gives {one(noun)} different features at another position in the batch, or at another batch size",
        }[self.when]
        shown = [printable(shortened(names[row], 80)) if names else f"{noun} {row}" for row in self.rows[:_NAMED]]
        more = ", …" if len(self.rows) > _NAMED else ""
        differing = f"{len(self.rows)} of {self.compared} compared ({', '.join(shown)}{more})"
        return f"{seen}: {differing}, by up to {self.largest:.3g}, where the mean absolute feature is {self.scale:.3g}"


def unsteadiness(
    embed: Callable[[Arrays], Embeddings], batch: Arrays, precision: Precision = "fp32", max_batch: int = _MAX_BATCH
) -> Unsteady | None:
    """Return what is unsteady about ``embed`` on a batch; None where nothing is. Takes four passes.

    ``batch``: items of one shape, n >= 1; one alone is given a companion.
    Computed again, all have the same bits. So has every other row once the rest are replaced: images by very different
    ones, items of other modalities by zeros, as they fill a batch, and by copies. At the next place of a
    batch of twice as many, or of half where that is more than ``max_batch``, they are the same up to rounding, which
    may differ by kernel: 0.1 % of the largest value in fp32, 2 % in less.
    """
    n = rows_of(batch)
    batch = batch if n > 1 else joined(batch, _others(batch) if "pixels" in batch else batch)
    first, again = embed(batch), embed(batch)
    mixed = _mixed(batch)
    found = _compared("again", first[:n], again[:n]) or _compared("company", first[::2], embed(mixed)[::2], step=2)
    if found:
        return found
    moved, rows = _moved(batch, max_batch), rows_of(batch)
    n = min(n, rows_of(moved))
    return _compared("place", first[:n], np.roll(embed(moved)[:rows], -1, axis=0)[:n], _ROUNDING[precision])


def check_steady(
    name: str,
    embed: Callable[[Arrays], Embeddings],
    batch: Arrays,
    names: Sequence[str] = (),
    precision: Precision = "fp32",
    noun: str = "image",
) -> None:
    """Raise ConfigError, which says what was seen and what to do, for a backbone that is unsteady on a batch.

    ``name``, ``names``: of the backbone and of the samples, and ``noun``, what one of these is,
    for the message. The rest: as ``unsteadiness`` takes it.
    """
    found = unsteadiness(embed, batch, precision)
    if found:
        raise refusal(name, found, names, noun)


def refusal(name: str, found: Unsteady, names: Sequence[str] = (), noun: str = "image") -> ConfigError:
    """Return the error for a backbone that is unsteady; ``names``, ``noun``: see ``Unsteady.told``."""
    return ConfigError(
        f"{name} {found.told(names, noun)}.\n"
        f"Features of a frozen network must depend on the {noun} only: {_CAUSES[found.when]}. "
        "--allow-unsteady continues anyway, but then neither the features nor the heads fitted on them are "
        "reproducible."
    )


def _mixed(batch: Arrays) -> Arrays:
    """Return a batch with every second row replaced."""
    others = _others(taken(batch, slice(1, None, 2)))
    mixed = {name: array.copy() for name, array in batch.items()}
    for name, array in mixed.items():
        array[1::2] = others[name]
    return mixed


def _moved(batch: Arrays, max_batch: int) -> Arrays:
    """Return a batch moved on by one and as many others behind it, or half of it moved so; the last comes first."""
    rows = rows_of(batch)
    if 2 * rows <= max_batch:
        return joined(_rolled(batch), _others(batch))
    return _rolled(taken(batch, slice(rows // 2)))


def _rolled(batch: Arrays) -> Arrays:
    return {name: np.roll(array, 1, axis=0) for name, array in batch.items()}


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


def _others(batch: Arrays) -> Arrays:
    """Return as many other items: of pixels see ``_stark``; else zeros and, in every second place, copies of the last.

    What another modality's arrays may hold is not known here; these they may.
    """
    if "pixels" in batch:
        return {**batch, "pixels": _stark(batch["pixels"])}
    others = {name: np.zeros_like(array) for name, array in batch.items()}
    for name, array in others.items():
        array[1::2] = batch[name][-1]
    return others


def _stark(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return images of black and white, light where they were dark: unlike them in mean, spread and largest value."""
    dark, black, white = (128, 0, 255) if pixels.dtype == np.uint8 else (0, -1, 1)
    return np.where(pixels < dark, white, black).astype(pixels.dtype)
