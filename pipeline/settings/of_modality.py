"""Settings that mean something for samples of one modality alone."""

from __future__ import annotations

from frostline.pipeline.settings.backbone import BackboneSettings
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.audio.waveform import AUDIO
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.modalities.text.modality import TEXT

_OF_IMAGES = ("resize", "crop", "interpolation", "mean", "std", "views", "decode", "bit_depth")
_OF_RECORDINGS = ("seconds", "hop")
_OF_TEXTS = ("prompt", "max_length", "windows")
OF_MODALITY: dict[str, str] = {
    **dict.fromkeys(_OF_IMAGES, IMAGE),
    **dict.fromkeys(_OF_RECORDINGS, AUDIO),
    **dict.fromkeys(_OF_TEXTS, TEXT),
}
"""Names of settings, each with the modality that it is for."""


def check_modality_settings(settings: BackboneSettings, modality: str) -> None:
    """Raise ConfigError that names the settings that are given and not for samples of this modality."""
    wrong = [name for name, of in OF_MODALITY.items() if of != modality and _is_given(settings, name)]
    if wrong:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in wrong)
        theirs, ours = (MODALITIES.load(one).noun for one in (OF_MODALITY[wrong[0]], modality))
        raise ConfigError(f"{named} for the {ours}s of {settings.dataset}; that is for {theirs}s only, leave it out")


def _is_given(settings: BackboneSettings, name: str) -> bool:
    return bool(getattr(settings, name) != type(settings).model_fields[name].default)
