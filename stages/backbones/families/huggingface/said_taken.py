"""What a folder of transformers says of the samples that its model takes. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from frostline.stages.backbones.families.huggingface.tokenizer import tokenizer_files
from frostline.stages.backbones.families.model_folder import ModelFolder
from frostline.stages.modalities.audio.waveform import AUDIO
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.text.modality import TEXT

_OF_TIMM = "pretrained_cfg"
_OF_IMAGES = ("image_mean", "image_processor_type", "do_rescale")
_OF_RECORDINGS = "sampling_rate"
_TOWERS = ("text_config", "vision_config", "audio_config")
_OF_IMAGES_AND_TEXTS = "clip", "siglip"


def taken_by(folder: ModelFolder) -> str:
    """Return the modality of the samples that a folder's model takes; empty where only the network tells.

    A preprocessor of images or recordings says it, and a tokenizer where there is none. Of a model of several
    modalities only CLIP and its kin are known: of these the images. Raises ConfigError: no configuration.
    """
    config = folder.config()
    said = set(_names(folder.processor() or {}))
    if any(name in config for name in _TOWERS):
        return IMAGE if any(name in str(config.get("model_type")) for name in _OF_IMAGES_AND_TEXTS) else ""
    images, recordings = _OF_TIMM in config or not said.isdisjoint(_OF_IMAGES), _OF_RECORDINGS in said
    if images or recordings:
        return "" if images and recordings else IMAGE if images else AUDIO
    return TEXT if tokenizer_files(folder) and not said else ""


def _names(said: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields of a preprocessor, and of those that it is made of."""
    for name, value in said.items():
        yield name
        yield from value if isinstance(value, Mapping) else ()
