"""Settings: one model for the command line, the environment, a TOML file and Python.

What is given on the command line wins over ``FROSTLINE_<NAME>`` in the environment, that
over the file, that over the defaults. An unknown name is an error with a hint.
"""

from __future__ import annotations

import operator
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from frostline.pipeline.settings.parsing import (
    Channels,
    ColumnNames,
    GivenFolds,
    GivenGrid,
    GivenSize,
    Grid,
    Names,
    Params,
    Shots,
    TrainSizes,
    Views,
)
from frostline.pipeline.workspace import Workspace
from frostline.stages.backbones import BackboneRequest
from frostline.stages.backbones.families.registry import FAMILIES
from frostline.stages.backbones.spec import Optimize, Pooling
from frostline.stages.datasets import Dataset, Progress, find_source, forms, forms_with_root, open_dataset
from frostline.stages.errors import ConfigError, unknown_name
from frostline.stages.heads import HEADS, HeadSpec, head_kind, head_spec
from frostline.stages.heads.kinds import heads_for
from frostline.stages.heads.protocols import PROTOCOLS
from frostline.stages.heads.spec import ClassWeight, Scaling
from frostline.stages.modalities.image.spec import Interpolation
from frostline.stages.plugins import installed
from frostline.stages.store.key import StoredType
from frostline.stages.targets.base import DEFAULT
from frostline.stages.targets.columns import Task
from frostline.stages.targets.registry import TARGETS

PREFIX = "FROSTLINE_"
FEW_GROUPS = 20  # held out
FEW_HELD = 200  # rows held out: a score of many labels, or a correlation, of fewer says little
_CHOOSING = {"hold_out", "folds", "criterion", "per_label"}
_OTHER_ENGINES = sorted(installed("frostline.engines"))  # the door itself lies above the settings


Device = Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:N")]
BatchSize = Annotated[
    int | None,
    Field(ge=1, le=65536, description="images through the backbone at once (default: found out, or 16, on a GPU 128)"),
]
Workers = Annotated[
    int | None, Field(ge=1, le=256, description="threads that decode (default: one per core, or one if that is faster)")
]
Optimization = Annotated[
    Optimize,
    Field(
        description="the network made faster where that changes nothing beyond rounding, or as it is written",
        exclude_if=lambda value: value == "auto",  # records and digests of before know no such setting
    ),
]
AllowUnsteady = Annotated[
    bool,
    Field(
        description="go on with a network whose features change from pass to pass or with the batch",
        exclude_if=lambda value: not value,  # as above
    ),
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

    data_dir: Path = Field(default=Path("data"), description="the workspace: features, heads, runs, downloads")


class DatasetSettings(WorkspaceSettings):
    """Which samples."""

    model_config = ConfigDict(title="dataset")

    dataset: str = Field(default="digits", description=f"{', '.join(forms()[:-1])}, or {forms()[-1]}")
    root: Path | None = Field(
        default=None, description="where a CSV's paths start, or where a torchvision dataset lies"
    )
    test_fraction: float = Field(default=0.2, gt=0, lt=1, description="share of a single tree that is kept for testing")
    seed: int = Field(default=0, ge=0, description="seed of every split, draw and resample")
    columns: ColumnNames = Field(
        default={},
        description="what a table's columns are called: path=FILE,label=CLASS",
        exclude_if=operator.not_,  # records and digests of before know no such setting
    )
    class_level: int | None = Field(
        default=None,
        ge=1,
        le=3,
        description="which folder below a split names the class: 1, 2 or 3 (default: the one that can be)",
        exclude_if=operator.not_,
    )
    target: Names = Field(
        default=(),
        description="the columns of a table to predict, by commas (default: label)",
        exclude_if=operator.not_,
    )
    task: Task = Field(
        default="auto",
        description="what they are; auto: what their cells say",
        exclude_if=lambda value: value == "auto",
    )
    separator: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="what stands between several labels in a cell (default: found out, | or ;)",
        exclude_if=operator.not_,
    )
    group: str | None = Field(
        default=None,
        description="the column of a table whose groups (patient, author) are never split",
        exclude_if=operator.not_,
    )
    group_pattern: str | None = Field(
        default=None,
        description="a regular expression that finds the group in a file's path",
        exclude_if=operator.not_,
    )
    input: str | None = Field(
        default=None,
        min_length=1,
        description="the column of a table whose cells are the samples, as texts (default: path, else text)",
        exclude_if=operator.not_,
    )
    bit_depth: int | None = Field(
        default=None,
        ge=1,
        le=16,
        description="how many bits the values of 16-bit images make use of (default: 16)",
        exclude_if=operator.not_,
    )

    @model_validator(mode="after")
    def _check_root(self) -> DatasetSettings:
        if self.root is not None and not find_source(self.dataset)[0].takes_root:
            raise ValueError(f"root {self.root} with {self.dataset}; wanted for {' and '.join(forms_with_root())} only")
        tables = "csv:FILE, jsonl:FILE and parquet:FILE"
        files = f"folder:PATH, {tables}"
        forms = {"columns": tables, "class_level": "folder:PATH", "bit_depth": files, "group_pattern": files}
        forms |= dict.fromkeys(("target", "task", "separator", "group", "input"), tables)
        for name, form in forms.items():
            if getattr(self, name) not in (None, (), {}, "auto") and name not in find_source(self.dataset)[0].settings:
                raise ValueError(f"{name.replace('_', '-')} with {self.dataset}; wanted for {form} only")
        if self.group and self.group_pattern:
            raise ValueError("group and group-pattern; wanted one of them, they are two ways to say the same")
        return self

    def open_dataset(self, workspace: Workspace, progress: Progress | None = None) -> Dataset:
        """Return the dataset that these settings name. Raises ConfigError or DataError, see ``open_dataset``."""
        names = ["root", "test_fraction", "seed", "columns", "class_level", "bit_depth"]
        names += ["target", "task", "separator", "group", "group_pattern", "input"]
        return open_dataset(
            self.dataset,
            downloads=workspace.downloads,
            memory=workspace.index(self.dataset, self.root),
            progress=progress,
            **{name: getattr(self, name) for name in names},
        )


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
        description=f"what makes a layer's output one vector: {', '.join(get_args(Pooling))}",
    )
    resize: GivenSize = Field(default=None, description="shorter side, HxW, or none (default: the weights' own)")
    crop: GivenSize = Field(default=None, description="centre crop's side, HxW, or none (default: the weights' own)")
    interpolation: Interpolation | None = Field(default=None, description="how to resize (default: the weights' own)")
    mean: Channels = Field(default=None, description="R,G,B on 0..1, or one for all (default: the weights' own)")
    std: Channels = Field(default=None, description="R,G,B on 0..1, or one for all (default: the weights' own)")
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
        given = {n: getattr(self, n) for n in (*images, *texts)}
        replaced = {n: None if v == "none" and n in images else v for n, v in given.items() if v is not None}
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
    optimize: Optimization = "auto"
    allow_unsteady: AllowUnsteady = False
    max_bad: int = Field(default=0, ge=0, description="how many unreadable samples to tolerate")
    engine: str = Field(
        default="auto",
        description="what computes features: "
        + ", ".join(["local (this process)", "processes (one for each device)", *_OTHER_ENGINES])
        + "; auto: processes where there are several GPUs, else local",
    )


class RankSettings(ExtractSettings):
    """How much of the training split backbones are ranked by."""

    model_config = ConfigDict(title="ranking")

    samples: int = Field(default=2000, ge=2, description="training samples to rank by; the others are not extracted")


class HeadSettings(ExtractSettings):
    """Which classifiers, and how each is chosen."""

    model_config = ConfigDict(title="head")

    head: Names = Field(
        default=("logreg",),
        description=f"{', '.join(HEADS.names())}, a scikit-learn module:Class or file.py:factory, "
        f"or a published protocol: {', '.join(PROTOCOLS)}; several by commas",
    )
    grid: GivenGrid = Field(
        default=None,
        description="values of its parameter to choose from, or one to take: C=0.1,1,10 (default: the head's own)",
    )
    head_params: Params = Field(default={}, description="what else the head is given: NAME=VALUE,NAME=VALUE")
    hold_out: float = Field(default=0.1, gt=0, lt=1, description="share of the training rows that chooses")
    folds: GivenFolds = Field(
        default=0, description="choose by so many folds, or loo: each row by all others; 0: hold out a share"
    )
    scaling: Scaling = Field(default="none", description="of each feature, or of each row (l2)")
    class_weight: ClassWeight = Field(default="none", description="balanced: every class counts the same")
    criterion: str = Field(
        default="",
        description="the score by which heads for numbers are chosen: "
        f"{', '.join(TARGETS.load('regression').criteria)} (default: r2)",
        exclude_if=operator.not_,  # records and digests of before know no such setting
    )
    per_label: bool = Field(
        default=False,
        description="the value of the parameter chosen for each label of a multi-label target by itself",
        exclude_if=operator.not_,
    )

    @model_validator(mode="after")
    def _check_heads(self) -> HeadSettings:
        if self.folds != "loo" and not (self.folds == 0 or 2 <= self.folds <= 100):
            raise ValueError(f"folds {self.folds}; wanted 2 to 100, loo, or 0 to hold out a share")
        if self.folds and "hold_out" in self.model_fields_set:
            raise ValueError("hold-out and folds; wanted one of them, they are two ways to choose")
        if self.folds == "loo" and (self.scaling == "standardize" or len(self.views) > 1):
            raise ValueError(
                "folds loo with standardised features or several views, which know every row; wanted a number"
            )
        own = [f"--{n.replace('_', '-')}" for n in ("grid", "head_params") if n in self.model_fields_set]
        if own and len(self.head) > 1:
            raise ValueError(f"{' and '.join(own)} with {len(self.head)} heads; wanted one head with them")
        fixed = self.model_fields_set & {*_CHOOSING, "grid", "head_params", "scaling", "class_weight"}
        protocols = [name for name in self.head if name in PROTOCOLS]
        if fixed and protocols:
            raise ValueError(f"{', '.join(sorted(fixed))} with {protocols[0]}; a protocol fixes them, wanted none")
        return self

    def suited(self, kind: str, rows: int, groups: int = 0) -> Self:
        """Return the settings for a kind of target: with its usual head where none is named.

        Numbers and several labels are chosen by folds, unless told otherwise, where a hold-out of the training
        ``rows`` would be fewer than 200; anything in ``groups``, where it would be fewer than 20 of those. Raises
        ConfigError for heads that are not for it, with those that are, and for ways to choose that are of other kinds.
        """
        target = TARGETS.load(kind)
        given = self.model_fields_set
        usual: dict[str, Any] = {} if "head" in given else {"head": (target.usual_head,)}
        few = kind != DEFAULT and self.hold_out * rows < FEW_HELD
        few_groups = bool(groups) and self.hold_out * groups < FEW_GROUPS
        if (few or few_groups) and not given & {"folds", "hold_out"} and not (self.grid and len(self.grid.values) == 1):
            usual["folds"] = min(5, groups or 5)
        if self.criterion and target.chosen_by(self.criterion) and self.criterion == target.criteria[0]:
            usual["criterion"] = ""
        if self.per_label and not target.per_name:
            raise ConfigError(f"per-label with a {kind} target; wanted for multi-label targets only")
        own = self.model_copy(update=usual)
        for name in own.head:
            if kind not in head_kind(own.spec(name).kind).accepts:
                raise ConfigError(f"head {name} with a {kind} target; expected one of {', '.join(heads_for(kind))}")
        return own

    def spec(self, name: str) -> HeadSpec:
        """Return the spec of one of the heads. Raises ConfigError for names and values that can't be."""
        if name in PROTOCOLS:
            return PROTOCOLS[name].spec(self.seed)
        if ":" not in name and name not in HEADS:
            raise unknown_name("head", name, [*HEADS.names(), *PROTOCOLS, "module:Class", "file.py:factory"])
        grid = self.grid or Grid(None, ())
        chosen = sorted(self.model_fields_set & _CHOOSING)
        if len(grid.values) == 1 and chosen:
            raise ConfigError(f"{chosen[0].replace('_', '-')} with one value of --grid; there is nothing to choose")
        how: dict[str, Any] = {n: getattr(self, n) for n in (*_CHOOSING, "scaling", "class_weight", "seed")}
        how |= {"parameter": grid.parameter, "options": self.head_params}
        target = next(iter(head_kind(name).accepts), DEFAULT)  # whether it suits the dataset's is not known here
        return head_spec(name, grid.values or None, target=target, **how)


class Settings(HeadSettings):
    """Everything that ``run`` takes."""

    model_config = ConfigDict(title="run")

    baseline: Literal["auto", "pixels", "none"] = Field(
        default="auto", description="the same heads on raw pixels beside it; auto is for digits"
    )
    shots: Shots = Field(
        default=(), description="training samples per class or label: 1,2,4,8,16; each drawn several times"
    )
    train_sizes: TrainSizes = Field(
        default=(), description="training samples in all: 100,1000,all; each drawn several times"
    )
    draws: int = Field(default=10, ge=1, le=1000, description="how many times each of these is drawn")

    @model_validator(mode="after")
    def _check_draws(self) -> Settings:
        if self.shots and self.train_sizes:
            raise ValueError("shots and train-sizes; wanted one of them")
        few = [name for name in self.head if name in PROTOCOLS and PROTOCOLS[name].shots]
        if few and self.model_fields_set & {"shots", "train_sizes", "draws"}:
            raise ValueError(f"{few[0]} fixes its shots and draws; wanted none of --shots, --train-sizes and --draws")
        if "draws" in self.model_fields_set and not (self.shots or self.train_sizes):
            raise ValueError("draws without shots or train-sizes; wanted one of them beside it")
        return self

    def suited(self, kind: str, rows: int, groups: int = 0) -> Self:
        """Return the settings for a kind of target; see ``HeadSettings``. Raises ConfigError for shots of amounts."""
        own = super().suited(kind, rows, groups)
        draws = [draw for name in own.head if (draw := own.draw(name))]
        if not TARGETS.load(kind).countable and any(draw.unit == "shots" for draw in draws):
            raise ConfigError(
                f"shots with a {kind} target, which has no classes to draw samples of; expected --train-sizes"
            )
        return own

    def draw(self, name: str) -> Draw | None:
        """Return how much of the training rows a head is fitted on, None for all of them."""
        if name in PROTOCOLS and PROTOCOLS[name].shots:
            return Draw("shots", PROTOCOLS[name].shots, PROTOCOLS[name].draws)
        if self.shots or self.train_sizes:
            return Draw("shots" if self.shots else "samples", self.shots or self.train_sizes, self.draws)
        return None


class Draw(NamedTuple):
    """Sizes of training sets, samples per class or label (``shots``) or in all (``samples``), each drawn ``times``."""

    unit: Literal["shots", "samples"]
    sizes: tuple[int | Literal["all"], ...]
    times: int


class PredictSettings(AnySettings):
    """How a fitted head is used on new images; the rest is recorded with it."""

    model_config = ConfigDict(title="prediction")

    root: Path | None = Field(default=None, description="where a table's paths start (default: the table's folder)")
    columns: ColumnNames = Field(default={}, description="what a table's columns are called: path=FILE")
    backbone: str | None = Field(default=None, description="one's own file.py:factory, which is never run unnamed")
    weights: str | None = Field(default=None, description="where the weights are now (default: where they were)")
    device: Device = "auto"
    batch_size: BatchSize = None
    workers: Workers = None
    optimize: Optimization = "auto"
    allow_unsteady: AllowUnsteady = False
    max_bad: int = Field(default=0, ge=0, description="how many unreadable images to tolerate")
    top: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="how many classes or labels to print for an image, the likeliest first (default: one class, or the "
        "labels that are predicted)",
    )


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
    known = {*Settings.model_fields, *PredictSettings.model_fields, *RankSettings.model_fields}
    from_file = _read(file) if file else {}
    _check_no_matrix(file, from_file)
    from_environ = {n.removeprefix(PREFIX).lower(): v for n, v in (environ or {}).items() if n.startswith(PREFIX)}
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
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"can't read the settings file {file}: {error}") from error


def _check_no_matrix(file: Path | None, found: Mapping[str, Any]) -> None:
    """Raise ConfigError for the file of a bench: it has tables where a setting has values."""
    tables = [n for n in ("dataset", "backbone", "head") if isinstance(found.get(n), list) and _holds_tables(found[n])]
    if tables or "defaults" in found:
        what = ", ".join(f"[[{name}]]" for name in tables) or "[defaults]"
        raise ConfigError(f"{file} looks like a matrix, with {what}; `frostline bench {file}` runs it")


def _holds_tables(values: list[Any]) -> bool:
    return any(isinstance(value, dict) for value in values)


def _explained(error: Any) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""
    if error["type"] == "extra_forbidden":
        return str(unknown_name("setting", name, Settings.model_fields))
    if not name:
        return str(error["msg"]).removeprefix("Value error, ")
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"--{name.replace('_', '-')} {error['input']!r}: {message[0].lower()}{message[1:]}"
