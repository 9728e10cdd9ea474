"""The fixed description of a feature set, as it stands in key.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, cast, get_args

from frostline.stages.records.sealed import digest as digest_of
from frostline.stages.records.sealed import sealed
from frostline.stages.store.key import FORMAT, StoredType

SHARD_ROWS = 1024
_TYPES = (*get_args(StoredType), "float64")  # the last one is that of predictions, see stages/serve/prediction_set
_LARGEST, _MAX_SHARDS = 2**40, 10**6  # what a description may declare; it may be anyone's


@dataclass(frozen=True)
class Layout:
    """The fixed description of a set. ``key`` holds the fields of a FeatureKey."""

    key: Mapping[str, Any]
    dataset: str
    split: str
    rows: int
    width: int
    shard_rows: int = SHARD_ROWS

    def __post_init__(self) -> None:
        numbers = (self.rows, self.width, self.shard_rows)
        fits = all(type(n) is int and 0 < n < _LARGEST for n in numbers) and self.rows <= _MAX_SHARDS * self.shard_rows
        if not fits or (self.format in (1, FORMAT), self.key["dtype"] in _TYPES) != (True, True):
            raise ValueError(f"rows, width, rows of a shard {numbers}, format {self.format}")
        named = [self.key.get(name) for name in ("dataset", "backbone", "layer", "view")]
        if not all(isinstance(text, str) for text in (self.dataset, self.split, *named)):
            raise ValueError("a dataset, split, backbone, layer or view without a name")

    @property
    def format(self) -> int:
        return cast(int, self.key["format"])

    @cached_property
    def digest(self) -> str:
        return digest_of(self.key)

    def to_json(self) -> bytes:
        return sealed(asdict(self))


def layout_from(fields: dict[str, Any]) -> Layout:
    """Return the layout that ``key.json`` holds. Raises TypeError, KeyError or ValueError if it is none."""
    if fields["key"]["format"] == 1:
        fields = {name: value for name, value in fields.items() if name != "classes"}
    return Layout(**fields)
