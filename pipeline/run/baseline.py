"""What a run stands beside: the same heads on samples as they are: pixels, the weights of words, a mean spectrum."""

from __future__ import annotations

import logging
from pathlib import Path

from frostline.pipeline.plan.inputs import Inputs
from frostline.pipeline.settings import BackboneSettings, DatasetSettings, Settings
from frostline.pipeline.workspace import Workspace
from frostline.stages.backbones.families.registry import full_name
from frostline.stages.datasets import Samples, find_source
from frostline.stages.errors import ConfigError, StoreError, UnreadableSample
from frostline.stages.modalities.audio.waveform import AUDIO
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.text.modality import TEXT
from frostline.stages.modalities.text.terms import Vocabulary, learn_vocabulary
from frostline.stages.store import make_folder, write_atomic

log = logging.getLogger("frostline")
PIXELS, TFIDF, SPECTRUM = "pixels", "tfidf", "spectrum"
_SMALL = 20_000  # training texts or recordings: above, nobody has waited for a baseline that nobody asked for
_FOR = {PIXELS: IMAGE, TFIDF: TEXT, SPECTRUM: AUDIO}


def baseline_settings(settings: Settings, inputs: Inputs, *, learn: bool = True) -> Settings | None:
    """Return the settings of a run's baseline, None for none.

    ``learn``: whether a vocabulary that is not there is learned; else there is no baseline without it. Raises
    ConfigError for a baseline of another modality.
    """
    chosen, modality = settings.baseline, inputs.dataset.train.modality
    if chosen in _FOR and _FOR[chosen] != modality:
        raise ConfigError(f"baseline {chosen} with samples of modality {modality}; choose another --baseline, or none")
    if chosen == PIXELS or (chosen == "auto" and _of_small_pixels(settings)):
        return None if full_name(settings.backbone) == PIXELS else _pixels(settings)
    few = chosen == "auto" and len(inputs.dataset.train) <= _SMALL
    if chosen == SPECTRUM or (few and modality == AUDIO):
        return None if full_name(settings.backbone) == SPECTRUM else _other(settings, backbone=SPECTRUM)
    if not (chosen == TFIDF or (few and modality == TEXT and not settings.backbone.startswith(f"{TFIDF}:"))):
        return None
    path = vocabulary_of(inputs.dataset.train, inputs.workspace, learn=learn)
    return _other(settings, backbone=f"{TFIDF}:{path}") if path else None


def vocabulary_of(train: Samples, workspace: Workspace, *, learn: bool = True) -> Path | None:
    """Return the file of the training texts' vocabulary, None if it is not there, or can't be written or be learned."""
    path = workspace.root / "vocabularies" / f"{train.dataset}-{train.content[:12]}.json"
    if path.is_file() or not learn:
        return path if path.is_file() else None
    found = _learned(train)
    if not found.terms:
        log.info("no TF-IDF vocabulary: the training texts contain no words")
        return None
    try:
        make_folder(path.parent)
        write_atomic(path, found.to_json())
    except StoreError as error:
        log.warning("no TF-IDF vocabulary: %s", error)
        return None
    return path


def _learned(samples: Samples) -> Vocabulary:
    texts = []
    for row in range(len(samples)):
        try:
            texts.append(samples.read(row))
        except UnreadableSample:
            continue
    return learn_vocabulary(texts)


def _pixels(settings: Settings) -> Settings:
    """Return the same settings for plain pixels. Images that may come in any size are made 32 x 32."""
    size = {} if _of_small_pixels(settings) else {"resize": (32, 32)}
    return _other(settings, **size, backbone=PIXELS)


def _other(settings: Settings, **replaced: object) -> Settings:
    """Return settings with backbone settings, but the views, at their defaults or replaced."""
    own = set(BackboneSettings.model_fields) - set(DatasetSettings.model_fields) - {"views"}
    kept = {name: getattr(settings, name) for name in settings.model_fields_set - own}
    return Settings(**{**kept, **replaced})


def _of_small_pixels(settings: Settings) -> bool:
    return find_source(settings.dataset)[0].pixel_baseline
