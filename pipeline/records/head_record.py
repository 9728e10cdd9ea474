"""What a head's record says of the backbone that it was fitted on: written and read by one definition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_args

from frostline.stages.backbones.spec import BackboneSpec, Precision, read_spec
from frostline.stages.errors import ConfigError, StoreError, shortened
from frostline.stages.modalities.image.spec import ImageTransform, LibraryTransform, View, replaced

_LARGEST = 2048  # pixels a side
_LONGEST = 4096  # letters of a name or path
_LONGEST_CONFIGURATION = 1 << 16


@dataclass(frozen=True)
class HeadBackbone:
    """What a head was fitted on, and so what other samples' features are made by; named as in ``head.json``.

    ``weights``: a name or a file; ``jpeg_least``: the shorter side, in pixels, that JPEG files are scaled to at the
    least, None where they are decoded whole. ``bit_depth``: of 16-bit images, None for all 16 bits. ``runtime``: the
    library that ran the network and its version, empty for torch.
    """

    name: str
    weights: str
    spec: BackboneSpec
    precision: Precision
    views: tuple[View, ...]
    jpeg_least: int | None = None
    bit_depth: int | None = None
    runtime: str = ""

    def fields(self) -> dict[str, Any]:
        """Return the record as JSON values; torch is not named, as in records of before."""
        found = {**{one.name: getattr(self, one.name) for one in fields(self)}, "spec": self.spec.fields()}
        return {name: value for name, value in found.items() if (name, value) != ("runtime", "")}

    def precision_by(self, runtime: str) -> Precision:
        """Return the precision in which a library, with or without its version, makes such features.

        That is fp32 for another library than the one at the fit, because only the latter's rounding was compared with
        fp32.
        """
        same = runtime.partition(" ")[0] == self.runtime.partition(" ")[0]
        return self.precision if same else "fp32"


def read_head_backbone(folder: str | Path, record: Mapping[str, Any]) -> HeadBackbone:
    """Return what the head in a folder was fitted on. Raises StoreError where its record does not say."""
    try:
        found = record["backbone"]
        spec = read_spec(found["spec"])
        how = (found["precision"], tuple(found["views"]), found.get("jpeg_least"), found.get("bit_depth"))
        made = HeadBackbone(found["name"], found["weights"], spec, *how, found.get("runtime", ""))
        words = (made.name, made.weights, made.runtime, spec.name, spec.weights, spec.layer, spec.pool, spec.code)
        good = all(isinstance(word, str) for word in words)
        good = good and made.precision in get_args(Precision) and made.views in (("plain",), ("plain", "hflip"))
        good = good and (made.jpeg_least is None or (isinstance(made.jpeg_least, int) and made.jpeg_least > 0))
        good = good and (made.bit_depth is None or (isinstance(made.bit_depth, int) and 1 <= made.bit_depth <= 16))
        if not good or max(map(len, words)) > _LONGEST:
            raise ValueError("a value that can't be")
        if isinstance(spec.preprocessing, ImageTransform):
            _check_image(spec, spec.preprocessing)
    except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as error:
        found = f"{type(error).__name__}: {shortened(str(error))}"
        raise StoreError(
            f"the head in {folder} does not say what it was fitted on ({found}); fit it again with `frostline fit`"
        ) from error
    return made


def _check_image(spec: BackboneSpec, how: ImageTransform) -> None:
    """Raise ValueError, or ConfigError, for what no images are preprocessed to.

    Among it images so large that a head of a few bytes could take all memory. A library's own preprocessing is only
    compared with that of the network that is loaded; the record's is never done.
    """
    if len(spec.size) != 2 or not all(isinstance(side, int) and side > 0 for side in spec.size):
        raise ValueError("a value that can't be")
    sizes: dict[str, Any] = {"size": spec.size}
    if isinstance(how, LibraryTransform):
        if max(len(how.library), len(how.configuration)) > _LONGEST_CONFIGURATION:
            raise ValueError("a configuration that is too long")
    else:
        replaced(how, {})
        sizes |= {"resize": how.resize, "crop": how.crop}
    for name, size in sizes.items():
        sides = size if isinstance(size, tuple) else (size or 0,)
        if max(sides) > _LARGEST:
            raise ValueError(f"{name} {shortened(str(size))}; expected at most {_LARGEST:,} pixels a side")
