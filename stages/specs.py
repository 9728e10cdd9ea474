"""Frozen descriptions of what is computed, and their digests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Pooling = Literal["none", "avg", "max", "cls", "tokens", "flatten"]
Precision = Literal["fp32", "bf16", "fp16"]
StoredType = Literal["float32", "float16"]
View = Literal["plain", "hflip"]
Size = int | tuple[int, int]

FORMAT = 1
# Oquab et al., "DINOv2" (arXiv:2304.07193): the C values that its linear evaluation tries.
DINOV2_GRID = tuple(10 ** (-6 + 11 * i / 44) for i in range(45))
# Of one image. Below Pillow's own limit, whose meaning depends on the filter of its warning.
MAX_PIXELS = 80_000_000


def canonical_json(value: Any) -> bytes:
    """Return the one JSON text of a value: sorted names, no spaces, ASCII, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def sealed(fields: Mapping[str, Any], indent: int | None = None) -> bytes:
    """Return a mapping as JSON with a digest of itself, so that a changed byte is seen; canonical unless indented."""
    whole = {**fields, "seal": digest(dict(fields))}
    return canonical_json(whole) if indent is None else json.dumps(whole, indent=indent, sort_keys=True).encode()


def unsealed(data: bytes) -> dict[str, Any]:
    """Return what ``sealed`` was given. Raises ValueError if it is not that any more."""
    try:
        fields = json.loads(data)
        if not isinstance(fields, dict) or fields.pop("seal", None) != digest(fields):
            raise ValueError("its content is not what its seal says")
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return fields


def digest(value: Any) -> str:
    """Return the SHA-256 of a value's canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Preprocessing:
    """How a decoded RGB image becomes the network's input.

    ``resize``: the shorter side in pixels, or (height, width), or None to leave the size.
    ``crop``: the centre's side, or (height, width), or None. ``mean`` and ``std`` per
    channel, on values in 0..1. This is torchvision's ``ImageClassification`` preset.
    """

    resize: Size | None = None
    crop: Size | None = None
    interpolation: Interpolation = "bilinear"
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    @property
    def fixes_size(self) -> bool:
        """Whether every image comes out with one size, whatever it was."""
        return self.crop is not None or isinstance(self.resize, tuple)


@dataclass(frozen=True)
class BackboneSpec:
    """A resolved f(x): everything about the network that changes a number.

    ``code``: what else makes its numbers: the digest of the user's own source, or a switch of
    the architecture that comes with its weights; mostly empty.
    ``weights`` is the digest of the weights' bytes. ``layer`` names a module, whose output
    is taken, or its input when the name ends in ``:input``. ``size``: height and width of
    what the network is given.
    """

    name: str
    code: str
    weights: str
    layer: str
    pool: Pooling
    preprocessing: Preprocessing
    size: tuple[int, int]

    @property
    def short_name(self) -> str:
        """The name without folders or a factory's file ending, fit for a file name."""
        return self.name.replace(".py:", "-").replace(":", "-")


def read_spec(fields: Mapping[str, Any]) -> BackboneSpec:
    """Return the spec whose ``asdict`` was stored as JSON. Raises TypeError, KeyError or ValueError if it is none."""
    own: Any = dict(fields)
    how: Any = {n: tuple(v) if isinstance(v, list) else v for n, v in own.pop("preprocessing").items()}
    height, width = own.pop("size")
    return BackboneSpec(preprocessing=Preprocessing(**how), size=(height, width), **own)


@dataclass(frozen=True)
class FeatureKey:
    """Everything that changes a cached feature; its digest names the feature set.

    ``dataset`` is the content digest of one split: ids, label names and sample digests.
    """

    dataset: str
    backbone: BackboneSpec
    decoder: str
    view: View = "plain"
    precision: Precision = "fp32"
    dtype: StoredType = "float32"

    def fields(self) -> dict[str, Any]:
        """Return the key as a flat mapping of JSON values."""
        backbone = asdict(self.backbone)
        preprocessing = backbone.pop("preprocessing")
        own = {n: getattr(self, n) for n in ("dataset", "decoder", "view", "precision", "dtype")}
        flat = {"backbone": backbone.pop("name"), **backbone, **preprocessing, **own, "format": FORMAT}
        return {n: list(v) if isinstance(v, tuple) else v for n, v in flat.items()}

    @property
    def digest(self) -> str:
        """The SHA-256 of the canonical JSON of ``fields()``."""
        return digest(self.fields())


def computation(fields: Mapping[str, Any]) -> str:
    """Return the digest of a key's fields without its dataset: equal ones may share rows."""
    return digest({n: v for n, v in fields.items() if n != "dataset"})


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return one phrase per field of two keys that differ, such as ``resize 256 → 224``."""
    names = sorted(set(old) | set(new))
    return [f"{n} {_brief(old.get(n))} → {_brief(new.get(n))}" for n in names if old.get(n) != new.get(n)]


def _brief(value: Any) -> str:
    if isinstance(value, str) and len(value) == 64:
        return value[:12]
    return "none" if value in (None, "") else str(value)
