"""The key of a feature set: everything that changes a cached feature."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from frostline.stages.backbones.spec import BackboneSpec, Precision
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.image.spec import View
from frostline.stages.records.sealed import digest

StoredType = Literal["float32", "float16"]


FORMAT = 2
_OWN = ("dataset", "decoder", "view", "precision", "dtype")
NAMES = frozenset({"backbone", "code", "weights", "layer", "pool", "size", "modality", "runtime", "format", *_OWN})
"""The fields of a key, beside which those of a transform stand; none of them may have one of these names."""


@dataclass(frozen=True)
class FeatureKey:
    """Everything that changes a cached feature; its digest names the feature set.

    ``dataset`` is the content digest of one split: ids and sample digests. Labels change no feature and are not in it.
    ``runtime``: the library that runs the network and its version; torch is not named, nor is its version.
    """

    dataset: str
    backbone: BackboneSpec
    decoder: str
    view: View = "plain"
    precision: Precision = "fp32"
    dtype: StoredType = "float32"
    runtime: str = ""

    def fields(self) -> dict[str, Any]:
        """Return the key as a flat mapping of JSON values. Raises ConfigError: a transform's field has a key's name."""
        backbone = self.backbone.fields()
        preprocessing = backbone.pop("preprocessing")
        if clash := NAMES & set(preprocessing):
            raise ConfigError(
                f"the transform of {self.backbone.name} has fields called {', '.join(sorted(clash))}, as keys have"
            )
        own = {n: getattr(self, n) for n in _OWN} | ({"runtime": self.runtime} if self.runtime else {})
        flat = {"backbone": backbone.pop("name"), **backbone, **preprocessing, **own, "format": FORMAT}
        return {n: list(v) if isinstance(v, tuple) else v for n, v in flat.items()}

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical JSON of ``fields()``."""
        return digest(self.fields())


def computation(fields: Mapping[str, Any]) -> str:
    """Return the digest of a key's fields without its dataset and format: equal ones may share rows."""
    return digest({n: v for n, v in fields.items() if n not in ("dataset", "format")})


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return one phrase per field of two keys that differ, such as ``resize 256 → 224``."""
    names = sorted(set(old) | set(new))
    return [f"{n} {_phrase(old.get(n))} → {_phrase(new.get(n))}" for n in names if old.get(n) != new.get(n)]


def _phrase(value: Any) -> str:
    if isinstance(value, str) and len(value) == 64:
        return value[:12]
    return "none" if value in (None, "") else str(value)
