"""How much of the samples of a split no network is given, because it takes no more of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from frostline.stages.datasets import Samples
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import CuttingTransform, Transform


@dataclass(frozen=True)
class Truncation:
    """Of ``samples`` that can be read, ``cut`` ones are too long: of ``whole`` units (tokens), ``lost`` are cut off."""

    samples: int
    cut: int
    whole: int
    lost: int
    unit: str

    def told(self, noun: str) -> str:
        """Return what was cut, in a line. There must be something.

        >>> Truncation(200, 3, 4000, 1000, "tokens").told("text")
        '3 of 200 texts (1.5 %) are cut: 1,000 of the 4,000 tokens of all (25.0 %) are lost'
        """
        share, lost = (f"{x:.1%}".replace("%", " %") for x in (self.cut / self.samples, self.lost / self.whole))
        return (
            f"{self.cut:,} of {self.samples:,} {noun}s ({share}) are cut: {self.lost:,} of the {self.whole:,} "
            f"{self.unit} of all ({lost}) are lost"
        )

    def fields(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def truncation(samples: Samples, how: Transform[Any]) -> Truncation | None:
    """Return what a transform cuts of a split, None for one that cuts nothing of any."""
    if not isinstance(how, CuttingTransform):
        return None
    count = cut = whole = lost = 0
    for row in range(len(samples)):
        try:
            length = how.measure(samples.read(row))
        except UnreadableSample:
            continue
        count, cut = count + 1, cut + (length.lost > 0)
        whole, lost = whole + length.whole, lost + length.lost
    return Truncation(count, cut, whole, lost, how.unit)


def read_truncation(stored: object) -> Truncation | None:
    """Return what was stored of ``fields``, None where it is none, or nothing is lost."""
    if not isinstance(stored, Mapping):
        return None
    try:
        found = Truncation(**{str(name): value for name, value in stored.items()})
    except TypeError:
        return None
    numbers = (found.samples, found.cut, found.whole, found.lost)
    fit = all(type(n) is int and n > 0 for n in numbers) and isinstance(found.unit, str) and found.unit.isalpha()
    return found if fit else None
