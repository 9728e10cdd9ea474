"""The record of a run: what run.json holds, written and read by one definition."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from frostline.pipeline.records.curve import Curve
from frostline.pipeline.records.validated import validated
from frostline.stages.datasets import Duplicates
from frostline.stages.evaluate import Evaluation
from frostline.stages.fit.selection import Selection
from frostline.stages.store import Bad
from frostline.stages.targets.base import DEFAULT


@dataclass(frozen=True)
class SplitRows:
    """How many samples each split has."""

    train: int
    test: int


@dataclass(frozen=True)
class PaceRecord:
    """How rows went through the backbone when that was last done: how many a second, None if that is lost.

    ``waiting``: the share of the time that the backbone waited for images.
    """

    device: str = ""
    rows_per_second: float | None = None
    waiting: float | None = None


@dataclass(frozen=True)
class KeyRecord:
    """What a feature key says that a page tells; ``dataset``: the digest of the split's samples."""

    backbone: str
    layer: str
    dataset: str = ""
    weights: str = ""
    pool: str = "none"
    resize: int | tuple[int, ...] | None = None
    crop: int | tuple[int, ...] | None = None
    interpolation: str = ""
    decoder: str = ""
    precision: str = "fp32"
    dtype: str = "float32"
    modality: str = "image"
    prompt: str = ""
    max_length: int = 0
    windows: str = ""


@dataclass(frozen=True, kw_only=True)
class FeaturesRecord:
    """One feature set. ``key`` and ``pace``: as the set has them, every field; ``digest``: of the key.

    ``computed``: rows that went through the backbone for this run, in ``seconds``. ``licence``: of its weights, where
    its family says it.
    """

    split: str
    rows: int
    width: int
    computed: int = 0
    view: str
    folder: str
    digest: str
    key: dict[str, Any]
    seconds: float = 0.0
    pace: dict[str, Any] = field(default_factory=dict)
    quarantined: tuple[Bad, ...] = ()
    licence: str = ""

    @cached_property
    def how(self) -> KeyRecord:
        """What of the key a page tells."""
        return validated(KeyRecord, self.key)

    @cached_property
    def speed(self) -> PaceRecord:
        """What of the pace a page tells."""
        return validated(PaceRecord, self.pace)

    def check(self) -> None:
        """Raise ValueError if the key or the pace, as a file has them, are none."""
        validated(KeyRecord, self.key)
        validated(PaceRecord, self.pace)


@dataclass(frozen=True)
class HeadRecord:
    """A fitted head: where it lies, and how its parameter was chosen."""

    folder: str
    selection: Selection
    seconds: float = 0.0
    cached: bool = False


@dataclass(frozen=True)
class ProbeRecord:
    """One head, ``name``, on one backbone's features: fitted on all training rows and scored, or its curve."""

    backbone: str
    features: tuple[FeaturesRecord, ...]
    name: str
    head: HeadRecord | None = None
    evaluation: Evaluation | None = None
    curve: Curve | None = None


@dataclass(frozen=True)
class RunRecord:
    """A whole run. ``settings``: by name, as JSON values; ``files``: the SHA-256 of what lies beside run.json.

    ``made``: when, as ISO 8601 in UTC; ``path``: where run.json was written.
    ``targets``: the digest of each split's; ``kind``: of them.
    """

    dataset: str
    classes: tuple[str, ...]
    rows: SplitRows
    duplicates: Duplicates
    probes: tuple[ProbeRecord, ...]
    made: str
    files: dict[str, str]
    notes: tuple[str, ...] = ()
    quarantined: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    path: str = ""
    targets: dict[str, str] = field(default_factory=dict)
    kind: str = DEFAULT
