"""A fitted head and its backbone as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from frostline.pipeline.serve.predict import load_portable
from frostline.pipeline.settings.models import PredictSettings
from frostline.stages.modalities.image.spec import described
from frostline.stages.serve.export import export


def export_head(folder: Path, file: Path, settings: PredictSettings) -> dict[str, Any]:
    """Write a head of ``data/heads`` and its backbone to ``file``, and return what the file says of itself.

    Raises StoreError and ConfigError as ``load_classifier`` and ``frostline.stages.serve.export.export`` do.
    """
    classifier = load_portable(folder, settings)
    spec = classifier.backbone.spec
    record = {
        "images": ["batch", *spec.size, 3],
        "preprocessing": described(spec.preprocessing),
        "jpeg_least": classifier.jpeg_min_side,
        "classes": list(classifier.head.classes),
        "values": "probability" if classifier.head.probabilistic else "decision",
        "backbone": spec.fields(),
        "head": folder.name,
    }
    export(classifier.head, classifier.backbone, classifier.views, record, file)
    return {"file": str(file), **record}
