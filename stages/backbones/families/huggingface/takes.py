"""Whether a transformers model takes images, one by one, and nothing else."""

from __future__ import annotations

from inspect import Parameter, signature
from typing import Any

from frostline.stages.backbones.families.huggingface.vision import is_two_towers
from frostline.stages.errors import ConfigError

_IMAGES = "pixel_values"
_OF_VIDEOS = ("tubelet_size", "num_frames")
_NAMED = (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def check_takes_images(name: str, model: Any) -> None:
    """Raise ConfigError for a model, or of one of images and texts its vision tower, that needs anything but images."""
    model = model.vision_model if is_two_towers(model) else model
    kind, main = type(model).__name__, model.main_input_name
    if main != _IMAGES:
        raise ConfigError(f"{name} is a {kind}, which takes {main}; expected a model of images")
    if found := _of_videos(model):
        raise ConfigError(f"{name} is a {kind}, which takes videos ({found}); expected a model of images")
    if needed := _needed(model):
        raise ConfigError(
            f"{name} is a {kind}, which needs {', '.join(needed)} in addition to images; expected a model that "
            "takes only images"
        )


def _of_videos(model: Any) -> str:
    """Return what of a model says that it takes videos, if anything."""
    frames = [f"{name} {value}" for name in _OF_VIDEOS if (value := getattr(model.config, name, None)) not in (None, 1)]
    solid = [f"{name} has 5 dimensions" for name, parameter in model.named_parameters() if parameter.ndim == 5]
    return ", ".join([*frames, *solid[:1]])


def _needed(model: Any) -> list[str]:
    """Return the arguments that a model can't be called without, but for the images."""
    said = list(signature(type(model).forward).parameters.values())[1:]
    return [one.name for one in said if one.kind in _NAMED and one.default is Parameter.empty and one.name != _IMAGES]
