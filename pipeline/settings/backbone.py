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

_OF_WEIGHTS = "the weights' own"


def _is_none(value: object) -> bool:
    return value is None


class BackboneSettings(DatasetSettings):
    """Which network, cut where, on which pixels."""

    model_config = ConfigDict(title="backbone")

    backbone: str = Field(
        default="resnet8-cifar10",
        description="a torchvision model, pixels, file.py:factory, pkg.module:factory, or FAMILY:NAME with one of the "
        f"families {', '.join(FAMILIES.names())}",
        json_schema_extra={
            "metavar": "NAME",
            "brief": "a name of `frostline encoders`, or file.py:factory",
        },
    )
    weights: str = Field(
        default="DEFAULT",
        description="a file, a torchvision enum name, DEFAULT, random, or factory",
        json_schema_extra={"metavar": "NAME|FILE", "brief": "name or file of its weights"},
    )
    layer: str | None = Field(
        default=None,
        description="a module, MODULE:input, or output (of the whole network); several are evaluated one by one",
        json_schema_extra={"metavar": "NAME,…", "default": "input of the final classifier"},
    )
    concatenate: bool = Field(
        default=False,
        description="join the features of several layers into one vector",
        exclude_if=operator.not_,
    )
    pool: str | None = Field(
        default=None,
        description="how a layer's output becomes one vector; for texts mean, cls, last or pooler",
        json_schema_extra={"metavar": f"{{{','.join(get_args(Pooling))}}}", "default": "the encoder's own"},
    )
    resize: GivenSize = Field(
        default=None,
        description="resize the shorter side to N pixels, or to HxW, or none",
        json_schema_extra={"metavar": "N|HxW|none", "default": _OF_WEIGHTS},
    )
    crop: GivenSize = Field(
        default=None,
        description="side of the centre crop in pixels, or HxW, or none",
        json_schema_extra={"metavar": "N|HxW|none", "default": _OF_WEIGHTS},
    )
    interpolation: Interpolation | None = Field(
        default=None, description="interpolation of the resize", json_schema_extra={"default": _OF_WEIGHTS}
    )
    mean: Channels = Field(
        default=None,
        description="mean of each channel, values from 0 to 1, or one for all",
        json_schema_extra={"metavar": "R,G,B", "default": _OF_WEIGHTS},
    )
    std: Channels = Field(
        default=None,
        description="standard deviation of each channel, values from 0 to 1, or one for all",
        json_schema_extra={"metavar": "R,G,B", "default": _OF_WEIGHTS},
    )
    seconds: float | None = Field(
        default=None,
        ge=0.025,
        le=3600,
        description="cut recordings into windows of this many seconds and average their features",
        json_schema_extra={"default": "whole recordings, or the network's longest input"},
        exclude_if=_is_none,  # records of before know no such setting
    )
    hop: float | None = Field(
        default=None,
        ge=0.025,
        le=3600,
        description="seconds from the start of a window to the start of the next",
        json_schema_extra={"default": "--seconds"},
        exclude_if=_is_none,
    )
    prompt: str | None = Field(
        default=None,
        description='text put before each text, such as "query: "',
        json_schema_extra={"metavar": "TEXT", "default": "the encoder's own, or none"},
        exclude_if=lambda value: value is None,  # records and digests of before know no such setting
    )
    max_length: int | None = Field(
        default=None,
        ge=2,
        le=1 << 20,
        description="maximum number of tokens of a text; longer texts are cut, and reported",
        json_schema_extra={"default": "the encoder's own"},
        exclude_if=operator.not_,
    )
    windows: Literal["first", "mean"] | None = Field(
        default=None,
        description="for longer texts: use the first window of tokens, or the mean over all windows",
        json_schema_extra={"default": "first"},
        exclude_if=operator.not_,
    )
    views: Views = Field(
        default=("plain",),
        description="plain,hflip: add mirrored images; both are used in training and averaged at test",
        json_schema_extra={"metavar": "{plain|plain,hflip}"},
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        default="auto",
        description="arithmetic of the backbone; auto: the fastest one whose features match those in fp32",
    )
    decode: Literal["auto", "full", "scaled"] = Field(
        default="auto",
        description="decode large JPEG files at full size, or at 1/2 to 1/8; auto: scaled if the features match",
    )
    dtype: StoredType = Field(default="float32", description="data type of stored features")

    def request(self) -> BackboneRequest:
        """Return the backbone these settings ask for. Raises ConfigError for several layers that are not to be one."""
        if self.layer and "," in self.layer and not self.concatenate:
            raise ConfigError(f"expected one layer here, got --layer {self.layer}; --concatenate joins several")
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
            raise ValueError(f"expected --std with numbers above 0, got {','.join(map(str, self.std))}")
        return self
