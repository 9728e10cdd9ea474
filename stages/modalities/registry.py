"""The modalities by name: those of Frostline, and those that distributions add to ``frostline.modalities``."""

from __future__ import annotations

from typing import Any

from frostline.stages.errors import ConfigError
from frostline.stages.modalities.base import Modality
from frostline.stages.plugins import Door

_ROOM = "frostline.stages.modalities"
_BUILT_IN: dict[str, Modality[Any] | str] = {
    "image": f"{_ROOM}.image.modality:IMAGE",
    "text": f"{_ROOM}.text.modality:TEXTS",
    "audio": f"{_ROOM}.audio.modality:RECORDINGS",
    "vector": f"{_ROOM}.vector.modality:VECTOR",
}
MODALITIES: Door[Modality[Any]] = Door(
    "modality", "frostline.modalities", _BUILT_IN, lambda found: isinstance(found, Modality)
)


def check_taken(name: str, taken: str, found: str) -> None:
    """Raise ConfigError where a backbone takes samples of one modality, and those that are found are of another."""
    if taken != found:
        takes, are = (f"{MODALITIES.load(one).noun}s" for one in (taken, found))
        raise ConfigError(
            f"{name} takes {takes}, but the samples are {are}; choose a --backbone for {are}, or a --dataset of {takes}"
        )
