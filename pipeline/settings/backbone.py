"""Settings that name the network, its layers and its pixels."""

from __future__ import annotations

import operator
from contextlib import suppress
from typing import Any, Literal, get_args

from pydantic import ConfigDict, Field, model_validator

from frostline.pipeline.settings.dataset import DatasetSettings
from frostline.pipeline.settings.parsing import Channels, GivenSize, Views
from frostline.stages.backbones import BackboneRequest
from frostline.stages.backbones.families.registry import FAMILIES
from frostline.stages.backbones.spec import Pooling
from frostline.stages.datasets import find_source
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.image.spec import Interpolation
from frostline.stages.store.key import StoredType


def _is_none(value: object) -> bool:
    return value is None


class BackboneSettings(DatasetSettings):
    """Which network, cut where, on which pixels."""

    model_config = ConfigDict(title="backbone")

    backbone: str = Field(
        default="resnet8-cifar10",
        description="a torchvision model, pixels, file.py:factory, pkg.module:factory, or FAMILY:NAME of "
        + ", ".join(FAMILIES.names()),
    )
    weights: str = Field(default="DEFAULT", description="a torchvision enum name, DEFAULT, FILE, random, or factory")
    layer: str | None = Field(
        default=None,
        description="a module, MODULE:input, or output, the whole network's; several by commas, each by itself "
        "(default: input of the final classifier)",
    )
    concatenate: bool = Field(
        default=False,
        description="several layers of --layer side by side as one feature",
        exclude_if=operator.not_,
    )
    pool: str | None = Field(
        default=None,
        description=f"what makes a layer's output one vector: {', '.join(get_args(Pooling))}; "
        "of texts mean, cls, last or pooler",
    )
    resize: GivenSize = Field(default=None, description="shorter side, HxW, or none (default: the weights' own)")
    crop: GivenSize = Field(default=None, description="centre crop's side, HxW, or none (default: the weights' own)")
    interpolation: Interpolation | None = Field(default=None, description="how to resize (default: the weights' own)")
    mean: Channels = Field(default=None, description="R,G,B on 0..1, or one for all (default: the weights' own)")
    std: Channels = Field(default=None, description="R,G,B on 0..1, or one for all (default: the weights' own)")
    seconds: float | None = Field(
        default=None,
        ge=0.025,
        le=3600,
        description="cut recordings into windows of so many seconds, whose features are averaged "
        "(default: whole, or as much as the network takes at once)",
        exclude_if=_is_none,  # records of before know no such setting
    )
    hop: float | None = Field(
        default=None,
        ge=0.025,
        le=3600,
        description="seconds from one window's beginning to the next one's (default: --seconds)",
        exclude_if=_is_none,
    )
    prompt: str | None = Field(
        default=None,
        description='what stands before each text, such as "query: " (default: the encoder\'s own, or nothing)',
        exclude_if=lambda value: value is None,  # records and digests of before know no such setting
    )
    max_length: int | None = Field(
        default=None,
        ge=2,
        le=1 << 20,
        description="tokens of a text at most; the rest is cut, and counted (default: the encoder's own)",
        exclude_if=operator.not_,
    )
    windows: Literal["first", "mean"] | None = Field(
        default=None,
        description="of a longer text: the first so many tokens, or the mean over all such windows (default: first)",
        exclude_if=operator.not_,
    )
    views: Views = Field(default=("plain",), description="plain,hflip: used together in training, averaged at test")
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto", description="arithmetic of the backbone; auto: the fastest whose features agree with fp32's"
    )
    decode: Literal["auto", "full", "scaled"] = Field(
        default="auto",
        description="large JPEG files whole or at 1/2 to 1/8; auto: scaled where the features agree with the whole's",
    )
    dtype: StoredType = Field(default="float32", description="stored type of a feature")

    def request(self) -> BackboneRequest:
        """Return the backbone these settings ask for. Raises ConfigError for several layers that are not to be one."""
        if self.layer and "," in self.layer and not self.concatenate:
            raise ConfigError(f"layer {self.layer}: one is taken here; --concatenate puts them side by side")
        images, texts = ("resize", "crop", "interpolation", "mean", "std"), ("prompt", "max_length", "windows")
        given = {n: getattr(self, n) for n in (*images, *texts, "seconds", "hop")}
        replaced = {n: None if v == "none" and n in images else v for n, v in given.items() if v is not None}
        return BackboneRequest(self.backbone, self.weights, self.layer, self.pool, replaced)

    @model_validator(mode="before")
    @classmethod
    def _usual_backbone(cls, given: dict[str, Any]) -> dict[str, Any]:
        """Have datasets that are for another backbone than the default one take that, unless one is named."""
        dataset, usual = given.get("dataset"), ""
        if isinstance(dataset, str) and "backbone" not in given:
            with suppress(ConfigError):  # one that is not known is said to be so where it is opened
                usual = find_source(dataset)[0].backbone
        return {**given, "backbone": usual} if usual else given

    @model_validator(mode="after")
    def _check(self) -> BackboneSettings:
        if self.std is not None and min(self.std) <= 0:
            raise ValueError(f"std {self.std}; wanted numbers above 0")
        return self
