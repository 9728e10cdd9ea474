"""Settings: one model for the command line, the environment, a TOML file and Python.

What is given on the command line wins over ``FROSTLINE_<NAME>`` in the environment, that
over the file, that over the defaults. An unknown name is an error with a hint.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from stages.backbones import BackboneRequest
from stages.errors import ConfigError, unknown_name
from stages.specs import DINOV2_GRID, Interpolation, Pooling, Size, StoredType, View

PREFIX = "FROSTLINE_"


def _size(value: Any) -> Any:
    if value is None or value == "none":
        return value
    parts = re.split("[x,]", value.lower()) if isinstance(value, str) else value
    try:
        sides = tuple(int(str(part)) for part in (parts if isinstance(parts, list | tuple) else [parts]))
    except ValueError:
        sides = ()
    if len(sides) not in (1, 2) or not all(0 < side <= 8192 for side in sides):
        raise ValueError("wanted a number of pixels from 1 to 8192, HxW, or none")
    return sides if len(sides) == 2 else sides[0]


def _numbers(value: Any) -> tuple[float, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    parts = parts if isinstance(parts, list | tuple) else [parts]
    try:
        numbers = tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        numbers = ()
    if not numbers or not all(map(math.isfinite, numbers)):
        raise ValueError("wanted numbers, separated by commas")
    return numbers


def _channels(value: Any) -> Any:
    if value is None:
        return value
    numbers = _numbers(value)
    if len(numbers) not in (1, 3):
        raise ValueError(f"wanted one number, or three for R,G,B; found {len(numbers)}")
    return numbers * 3 if len(numbers) == 1 else numbers


def _grid(value: Any) -> tuple[float, ...]:
    numbers = _numbers(value)
    if min(numbers) <= 0:
        raise ValueError("wanted numbers above 0")
    return numbers


def _views(value: Any) -> tuple[View, ...]:
    parts = tuple(value.split(",") if isinstance(value, str) else value)
    if parts not in (("plain",), ("plain", "hflip")):
        raise ValueError("wanted plain, or plain,hflip")
    return parts


GivenSize = Annotated[Size | Literal["none"] | None, BeforeValidator(_size)]
Channels = Annotated[tuple[float, ...] | None, BeforeValidator(_channels)]


Device = Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:N")]
BatchSize = Annotated[
    int | None, Field(ge=1, le=65536, description="images through the backbone at once (default: 16, on a GPU 128)")
]
Workers = Annotated[
    int | None, Field(ge=1, le=256, description="threads that decode (default: one per core, or one if that is faster)")
]


class AnySettings(BaseModel):
    """What the settings of all commands share."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def __init__(self, **given: Any) -> None:
        """Raises ConfigError for unknown names, with a hint, and for values that can't be."""
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise ConfigError("\n".join(_explained(e) for e in error.errors())) from error


class WorkspaceSettings(AnySettings):
    """Where everything lies."""

    model_config = ConfigDict(title="workspace")

    data_dir: Path = Field(Path("data"), description="the workspace: features, heads, runs, downloads")


class DatasetSettings(WorkspaceSettings):
    """Which samples."""

    model_config = ConfigDict(title="dataset")

    dataset: str = Field("digits", description="digits, folder:PATH, csv:FILE, or a torchvision name (cifar10, …)")
    root: Path | None = Field(None, description="where a CSV's paths start, or where a torchvision dataset lies")
    test_fraction: float = Field(0.2, gt=0, lt=1, description="share of a single tree that is kept for testing")
    seed: int = Field(0, ge=0, description="seed of every split, draw and resample")

    @model_validator(mode="after")
    def _check_root(self) -> DatasetSettings:
        if self.root is not None and (self.dataset == "digits" or self.dataset.startswith("folder:")):
            raise ValueError(f"root {self.root} with {self.dataset}; wanted for csv: and torchvision's datasets only")
        return self


class BackboneSettings(DatasetSettings):
    """Which network, cut where, on which pixels."""

    model_config = ConfigDict(title="backbone")

    backbone: str = Field(
        "resnet8-cifar10", description="a torchvision model, file.py:factory, pkg.module:factory, pixels"
    )
    weights: str = Field("DEFAULT", description="a torchvision enum name, DEFAULT, FILE, random, or factory")
    layer: str | None = Field(None, description="a module, or MODULE:input (default: input of the final classifier)")
    pool: Pooling | None = Field(None, description="what makes a layer's output one vector")
    resize: GivenSize = Field(None, description="shorter side, HxW, or none (default: the weights' own)")
    crop: GivenSize = Field(None, description="centre crop's side, HxW, or none (default: the weights' own)")
    interpolation: Interpolation | None = Field(None, description="how to resize (default: the weights' own)")
    mean: Channels = Field(None, description="R,G,B on 0..1, or one for all (default: the weights' own)")
    std: Channels = Field(None, description="R,G,B on 0..1, or one for all (default: the weights' own)")
    views: Annotated[tuple[View, ...], BeforeValidator(_views)] = Field(
        ("plain",), description="plain,hflip: used together in training, averaged at test"
    )
    precision: Literal["auto", "fp32", "bf16", "fp16"] = Field(
        "auto", description="arithmetic of the backbone; auto: the fastest whose features agree with fp32's"
    )
    dtype: StoredType = Field("float32", description="stored type of a feature")

    def request(self) -> BackboneRequest:
        """Return the backbone these settings ask for."""
        given = {n: getattr(self, n) for n in ("resize", "crop", "interpolation", "mean", "std")}
        replaced = {n: None if v == "none" else v for n, v in given.items() if v is not None}
        return BackboneRequest(self.backbone, self.weights, self.layer, self.pool, replaced)

    @model_validator(mode="after")
    def _check(self) -> BackboneSettings:
        if self.std is not None and min(self.std) <= 0:
            raise ValueError(f"std {self.std}; wanted numbers above 0")
        return self


class ExtractSettings(BackboneSettings):
    """How the network is run; changes no number beyond rounding."""

    model_config = ConfigDict(title="extraction")

    device: Device = "auto"
    batch_size: BatchSize = None
    workers: Workers = None
    max_bad: int = Field(0, ge=0, description="how many unreadable samples to tolerate")


class HeadSettings(ExtractSettings):
    """Which classifier, and how it is chosen."""

    model_config = ConfigDict(title="head")

    head: Literal["logreg"] = Field("logreg", description="the classifier")
    C: Annotated[tuple[float, ...], BeforeValidator(_grid)] = Field(
        DINOV2_GRID, description="one value, or a grid to choose from (default: DINOv2's 45 values)"
    )
    hold_out: float = Field(0.1, gt=0, lt=1, description="share of the training rows that chooses C")
    folds: int = Field(0, ge=0, le=100, description="choose C by so many folds; 0: hold out a share")
    scaling: Literal["none", "standardize", "l2"] = Field("none", description="of each feature, or of each row (l2)")
    class_weight: Literal["none", "balanced"] = Field("none", description="balanced: every class counts the same")

    @model_validator(mode="after")
    def _check_folds(self) -> HeadSettings:
        if self.folds == 1:
            raise ValueError("folds 1; wanted 2 or more, or 0 to hold out a share")
        return self


class Settings(HeadSettings):
    """Everything that ``run`` takes."""

    model_config = ConfigDict(title="run")

    baseline: Literal["auto", "pixels", "none"] = Field(
        "auto", description="the same head on raw pixels beside it; auto is for digits"
    )


class PredictSettings(AnySettings):
    """How a fitted head is used on new images; the rest is recorded with it."""

    model_config = ConfigDict(title="prediction")

    backbone: str | None = Field(None, description="one's own file.py:factory, which is never run unnamed")
    weights: str | None = Field(None, description="where the weights are now (default: where they were)")
    device: Device = "auto"
    batch_size: BatchSize = None
    workers: Workers = None
    max_bad: int = Field(0, ge=0, description="how many unreadable images to tolerate")
    top: int = Field(1, ge=1, le=1000, description="how many classes to print for an image, the likeliest first")


Model = TypeVar("Model", bound=AnySettings)


def load_settings(
    model: type[Model],
    given: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Model:
    """Return the settings of one command from all their sources.

    The file and the environment may hold any setting of Frostline, ``model`` takes its own.
    Raises ConfigError for unknown names, with a hint, and for values that can't be.
    """
    known = {*Settings.model_fields, *PredictSettings.model_fields}
    from_file = _read(file) if file else {}
    from_environ = {n.removeprefix(PREFIX).lower(): v for n, v in (environ or {}).items() if n.startswith(PREFIX)}
    from_environ = {"C" if n == "c" else n: v for n, v in from_environ.items()}
    for where, source in (("setting in " + str(file), from_file), ("environment setting", from_environ)):
        for name in source:
            if name not in known:
                raise unknown_name(where, name, known)
    merged = {n: v for n, v in {**from_file, **from_environ}.items() if n in model.model_fields}
    return model(**{**merged, **(given or {})})


def _read(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return tomllib.load(stream)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"can't read the settings file {file}: {error}") from error


def _explained(error: Any) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return str(unknown_name("setting", name, Settings.model_fields))
    if not name:
        return str(error["msg"]).removeprefix("Value error, ")
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"--{name.replace('_', '-')} {error['input']!r}: {message[0].lower()}{message[1:]}"
