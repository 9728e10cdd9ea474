"""A fitted head and its backbone as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from frostline.pipeline.serve.answers import MULTI_LABEL, REGRESSION, thresholds
from frostline.pipeline.serve.fitted import FittedHead, read_fitted
from frostline.pipeline.serve.predict import load_portable
from frostline.pipeline.settings import ServeSettings
from frostline.stages.backbones.network.joined import is_joined
from frostline.stages.buckets.address import check_local
from frostline.stages.errors import ConfigError
from frostline.stages.heads import Head
from frostline.stages.heads.scaling import target_of
from frostline.stages.modalities.base import described
from frostline.stages.modalities.image.spec import LibraryTransform
from frostline.stages.modalities.vector.modality import VECTOR
from frostline.stages.serve.export import export


def export_head(folder: Path, file: Path, settings: ServeSettings) -> dict[str, Any]:
    """Write a head of ``data/heads`` and its backbone to ``file``, and return what the file says of itself.

    A head of vectors is written alone: it takes the vectors.

    Raises StoreError and ConfigError as ``load_classifier`` and ``frostline.stages.serve.export.export`` do.
    """
    check_local(file)
    fitted = read_fitted(folder, settings)
    if fitted.made.spec.modality == VECTOR.name:
        return _of_vectors(fitted, file)
    classifier = load_portable(folder, settings)
    from frostline.stages.backbones.inference.backbone import Backbone

    spec, network = classifier.backbone.spec, classifier.backbone
    assert isinstance(network, Backbone)  # of images: others are not portable
    if is_joined(spec.layer):
        raise ConfigError(
            f"a head of several joined layers ({spec.layer}) can't be exported; export a head of one layer"
        )
    if isinstance(spec.preprocessing, LibraryTransform):
        raise ConfigError(
            f"{spec.name} on images as {spec.preprocessing.library} prepares them can't be exported: other "
            "programs can't reproduce that preprocessing. Extract with explicit preprocessing (--resize and "
            "--crop), then fit and export that head"
        )
    record = {
        "images": ["batch", *spec.size, 3],
        "preprocessing": described(spec.preprocessing),
        "jpeg_least": classifier.jpeg_min_side,
        **({"bit_depth": classifier.bit_depth} if classifier.bit_depth else {}),
        **_answers(classifier.head),
        "backbone": spec.fields(),
        "head": folder.name,
    }
    export(classifier.head, network, classifier.views, record, file)
    return {"file": str(file), **record}


def _of_vectors(fitted: FittedHead, file: Path) -> dict[str, Any]:
    """Write a head of vectors, which need no network, and return what the file says of itself."""
    from frostline.stages.serve.export import export_on_features

    record = {
        "features": ["batch", fitted.head.width],
        **_answers(fitted.head),
        "backbone": fitted.made.spec.fields(),
        "head": fitted.folder.name,
    }
    export_on_features(fitted.head, record, file)
    return {"file": str(file), **record}


def _answers(head: Head) -> dict[str, Any]:
    """Return what the columns of the file's answers are, and how to read them; single labels do not say their kind."""
    kind, values = target_of(head), "probability" if head.probabilistic else "decision"
    if kind == REGRESSION:
        units = "those of the training targets"
        return {"target": kind, "outputs": list(head.classes), "values": "number", "units": units}
    if kind == MULTI_LABEL:
        return {"target": kind, "classes": list(head.classes), "values": values, "thresholds": list(thresholds(head))}
    return {"classes": list(head.classes), "values": values}
