"""Image towers of open_clip's models of images and texts: ``open_clip:NAME/TAG``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from frostline.stages.backbones.families.base import Encoder, Family, LoadedModel
from frostline.stages.backbones.families.openclip.places import (
    HUB,
    LOCAL,
    configuration,
    configurations,
    downloads_known,
    files_known,
    folder_of,
    parted,
)
from frostline.stages.backbones.request import BackboneRequest
from frostline.stages.errors import ConfigError, unknown_name
from frostline.stages.modalities.base import IMAGE


class OpenClip(Family):
    """The image tower of a model, its feature projected to where the texts' are, and not normalised.

    ``NAME/TAG``: published weights. ``NAME``: for those of a file, or random ones. ``hf-hub:ORG/REPOSITORY``,
    ``local-dir:FOLDER``: what open_clip saved there.
    """

    summary = "open_clip image towers: open_clip:ViT-B-32/laion2b_s34b_b79k, open_clip:hf-hub:ORG/MODEL"
    versions = ("torch", "open_clip_torch")
    extra = "open_clip"
    takes = IMAGE

    def names(self) -> Iterable[str]:
        return sorted(configurations())

    def describe(self, name: str) -> Encoder:
        said = configuration(name)
        side = said["vision_cfg"].get("image_size", 224)
        return Encoder(said["embed_dim"], (side, side) if isinstance(side, int) else tuple(side))

    def check(self, request: BackboneRequest) -> None:
        name, tag = parted(request.name)
        if request.weights_file is None and not self.names_weights(request.weights):
            raise ConfigError(
                f"weights {request.weights!r} for open_clip:{request.name}; expected DEFAULT (those of /TAG), random "
                f"or FILE. Published weights are part of the name: open_clip:{name}/{request.weights}"
            )
        if name.startswith((LOCAL, HUB)):
            folder_of(name)
            return
        if name not in configurations():
            raise unknown_name("model of open_clip", name, configurations())
        if not tag and request.weights == "DEFAULT":
            raise ConfigError(
                f"open_clip:{name} does not name its weights; expected open_clip:{name}/TAG, or --weights FILE or "
                "random"
            )

    def fingerprint(self, request: BackboneRequest) -> list[Any] | None:
        name, tag = parted(request.name)
        if name.startswith((LOCAL, HUB)):
            folder = folder_of(name)
            return files_known(folder) if folder else None
        return downloads_known() if tag and request.weights == "DEFAULT" else []

    def load(self, request: BackboneRequest) -> LoadedModel:
        from frostline.stages.backbones.families.openclip.load import from_open_clip

        return from_open_clip(request)

    def trusted(self, name: str) -> bool:
        """Only what open_clip itself lists: no folder, and no repository that a stranger's head would choose."""
        return parted(name)[0] in configurations()

    def portable(self, name: str) -> str:
        place = name.removeprefix(LOCAL)
        return name if place == name else LOCAL + Path(place).expanduser().resolve().name


FAMILY = OpenClip()
