"""A fitted head and its backbone as one file."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from frostline.pipeline.serve.predict import load_portable
from frostline.pipeline.settings.models import PredictSettings
from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.modalities.image.spec import Preprocessing, described
from frostline.stages.serve.export import export


@dataclass(frozen=True)
class ExportRecord:
    """What an exported file says of itself: what it takes, what it gives, and what it was made of.

    Attributes:
        images: the shape of its input: ``batch``, height, width, channels.
        preprocessing: what makes such images of others.
        jpeg_least: the side that JPEG files were scaled to in training, at the least; None where none were.
        bit_depth: how many bits the values of 16-bit images made use of; None for all of them.
        classes: the names of what it gives, in order.
        values: ``probability`` or ``decision``.
        backbone: the network and its layer.
        head: the name of the head's folder.
    """

    images: tuple[str | int, ...]
    preprocessing: Preprocessing
    jpeg_least: int | None
    bit_depth: int | None
    classes: tuple[str, ...]
    values: Literal["probability", "decision"]
    backbone: BackboneSpec
    head: str


def export_head(folder: Path, file: Path, settings: PredictSettings) -> dict[str, Any]:
    """Write a head of ``data/heads`` and its backbone to ``file``, and return what the file says of itself.

    Raises StoreError and ConfigError as ``load_classifier`` and ``frostline.stages.serve.export.export`` do.
    """
    classifier = load_portable(folder, settings)
    spec = classifier.backbone.spec
    record = ExportRecord(
        images=("batch", *spec.size, 3),
        preprocessing=spec.preprocessing,
        jpeg_least=classifier.jpeg_min_side,
        bit_depth=classifier.bit_depth,
        classes=classifier.head.classes,
        values="probability" if classifier.head.probabilistic else "decision",
        backbone=spec,
        head=folder.name,
    )
    fields = {**asdict(record), "preprocessing": described(spec.preprocessing), "backbone": spec.fields()}
    export(classifier.head, classifier.backbone, classifier.views, fields, file)
    return {"file": str(file), **fields}
