"""How much of the samples of a split no network is given, because it takes no more of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from frostline.stages.datasets import Samples
from frostline.stages.errors import UnreadableSample
from frostline.stages.modalities.base import CuttingTransform, Transform

_LATER = ("unknown", "example")


@dataclass(frozen=True)
class Truncation:
    """Of ``samples`` that can be read, ``cut`` ones are too long: of ``whole`` units (tokens), ``lost`` are cut off.

    ``unknown``: how many have no unit that the network knows; ``example``: the id of the first of them.
    """

    samples: int
    cut: int
    whole: int
    lost: int
    unit: str
    unknown: int = 0
    example: str = ""

    def told(self, noun: str) -> str:
        """Return what was cut, in a line. There must be something.

        >>> Truncation(200, 3, 4000, 1000, "tokens").told("text")
        '3 of 200 texts (1.5 %) are truncated: 1,000 of 4,000 tokens in total (25.0 %) are dropped'
        """
        share, lost = (f"{x:.1%}".replace("%", " %") for x in (self.cut / self.samples, self.lost / self.whole))
        return (
            f"{self.cut:,} of {self.samples:,} {noun}s ({share}) are truncated: {self.lost:,} of {self.whole:,} "
            f"{self.unit} in total ({lost}) are dropped"
        )

    def told_unknown(self, noun: str) -> str:
        """Return in which samples nothing is known, in a line. There must be some.

        >>> Truncation(200, 0, 4000, 0, "tokens", 2, "line 7").told_unknown("text")
        '2 of 200 texts have no known tokens, such as line 7: their features carry no information'
        """
        have, their = ("has", "its") if self.unknown == 1 else ("have", "their")
        return (
            f"{self.unknown:,} of {self.samples:,} {noun}s {have} no known {self.unit}, such as {self.example}: "
            f"{their} features carry no information"
        )

    def fields(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {name: value for name, value in asdict(self).items() if self.unknown or name not in _LATER}


def truncation(samples: Samples, how: Transform[Any]) -> Truncation | None:
    """Return what a transform cuts of a split, None for one that cuts nothing of any."""
    if not isinstance(how, CuttingTransform):
        return None
    count = cut = whole = lost = 0
    unknown: list[str] = []
    for row in range(len(samples)):
        try:
            length = how.measure(samples.read(row))
        except UnreadableSample:
            continue
        count, cut = count + 1, cut + (length.lost > 0)
        whole, lost = whole + length.whole, lost + length.lost
        unknown += [samples.ids[row]] if length.unknown else []
    return Truncation(count, cut, whole, lost, how.unit, len(unknown), *unknown[:1])


def read_truncation(stored: object) -> Truncation | None:
    """Return what was stored of ``fields``, None where it is none, or nothing is lost or unknown."""
    if not isinstance(stored, Mapping):
        return None
    try:
        found = Truncation(**{str(name): value for name, value in stored.items()})
    except TypeError:
        return None
    numbers = (found.samples, found.cut, found.whole, found.lost, found.unknown)
    fit = all(type(n) is int and n >= 0 for n in numbers) and found.samples > 0
    words = isinstance(found.unit, str) and found.unit.isalpha() and isinstance(found.example, str)
    several = fit and (found.unknown > 0 or min(found.cut, found.lost, found.whole) > 0)
    return found if words and several else None
