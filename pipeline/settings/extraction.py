"""Settings of how the network is run, for a dataset and for new samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Unpack

from pydantic import BeforeValidator, ConfigDict, Field

from frostline.pipeline.settings.backbone import BackboneSettings
from frostline.pipeline.settings.base import AnySettings, WorkspaceSettings
from frostline.pipeline.settings.parsing import ColumnNames
from frostline.stages.backbones.spec import Optimize
from frostline.stages.plugins import installed

if TYPE_CHECKING:
    from frostline.pipeline.settings.keywords import ExtractKeywords

_OTHER_ENGINES = sorted(installed("frostline.engines"))  # the door itself lies above the settings


def _device(value: Any) -> Any:
    """Return a device of torch by its name."""
    return str(value) if type(value).__module__ == "torch" and type(value).__name__ == "device" else value


Device = Annotated[
    str,
    BeforeValidator(_device),
    Field(
        pattern=r"^(auto|cpu|cuda(:\d+)?)$",
        description="where the network runs; auto: a GPU if there is one",
        json_schema_extra={"metavar": "{auto,cpu,cuda,cuda:N}", "common": True},
    ),
]
BatchSize = Annotated[
    int | None,
    Field(
        ge=1,
        le=65536,
        description="samples per batch",
        json_schema_extra={
            "default": "the value stored with the feature set; otherwise measured on the first images, from about "
            "10,000 images on; otherwise 16, on a GPU 128"
        },
    ),
]
Workers = Annotated[
    int | None,
    Field(
        ge=1,
        le=256,
        description="threads that decode samples",
        json_schema_extra={"default": "one per core, or fewer if that is faster"},
    ),
]
Optimization = Annotated[
    Optimize,
    Field(
        description="auto: optimize the network if this changes only rounding; none: run it as written; "
        "openvino: run it by OpenVINO on the CPU (images only)",
        exclude_if=lambda value: value == "auto",  # records and digests of before know no such setting
    ),
]
AllowUnsteady = Annotated[
    bool,
    Field(
        description="accept a network whose features change from pass to pass or with the batch",
        exclude_if=lambda value: not value,  # as above
    ),
]


_KNOWN_ENGINES = [
    "local (this process)",
    "processes (one per device)",
    "ray[:ADDRESS] (a Ray cluster)",
    "array[:I/N] (one of N tasks)",
]
Engine = Annotated[
    str,
    Field(
        description="which processes compute features: "
        + ", ".join([*_KNOWN_ENGINES, *_OTHER_ENGINES])
        + "; auto: processes if there are several GPUs, else local",
        json_schema_extra={"metavar": "NAME"},
    ),
]


class ExtractSettings(BackboneSettings):
    """Everything that ``extract`` takes: which dataset, which backbone, and how this is run."""

    model_config = ConfigDict(title="extraction")

    if TYPE_CHECKING:

        def __init__(self, **given: Unpack[ExtractKeywords]) -> None: ...

    device: Device = "auto"
    batch_size: BatchSize = None
    workers: Workers = None
    optimize: Optimization = "auto"
    allow_unsteady: AllowUnsteady = False
    max_bad: int = Field(default=0, ge=0, description="maximum number of unreadable samples")
    engine: Engine = "auto"


class RankSettings(ExtractSettings):
    """How much of the training split backbones are ranked by."""

    model_config = ConfigDict(title="ranking")

    samples: int = Field(
        default=2000,
        ge=2,
        description="number of training samples to rank on; others are not extracted",
        json_schema_extra={"common": True},
    )


class BenchSettings(WorkspaceSettings):
    """Where the bench of a matrix is, and by what its features are computed where the matrix does not say."""

    model_config = ConfigDict(title="bench")

    engine: Engine = "auto"


class ServeSettings(AnySettings):
    """How a fitted head is used on new samples; the rest is recorded with it."""

    model_config = ConfigDict(title="prediction")

    root: Path | None = Field(
        default=None,
        description="folder where a table's paths start; with --out also an address",
        json_schema_extra={"default": "the table's folder"},
    )
    columns: ColumnNames = Field(
        default={},
        description="names of a table's columns, for example path=FILE",
        json_schema_extra={"metavar": "COLUMN=NAME,…"},
    )
    input: str | None = Field(
        default=None,
        description="column that holds the texts; with --out also the column of images or recordings in Parquet, "
        "or the component in tar files",
        json_schema_extra={"metavar": "COLUMN", "default": "text"},
    )
    backbone: str | None = Field(
        default=None,
        description="file.py:factory of your network; required, since a head file may not choose which code runs",
        json_schema_extra={"metavar": "NAME", "brief": "file.py:factory of your network"},
    )
    weights: str | None = Field(
        default=None,
        description="path or name of the weights",
        json_schema_extra={"metavar": "NAME|FILE", "default": "as in the head", "common": True},
    )
    device: Device = "auto"
    batch_size: BatchSize = None
    workers: Workers = None
    optimize: Optimization = "auto"
    allow_unsteady: AllowUnsteady = False
    max_bad: int = Field(default=0, ge=0, description="maximum number of unreadable samples")
    top: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="number of classes or labels to print for each sample, the most likely first",
        json_schema_extra={"default": "one class, or the predicted labels", "brief": "classes to print per sample"},
    )


class PredictSettings(ServeSettings, WorkspaceSettings):
    """How millions of predictions are made; ``data_dir`` is where features are looked for and kept."""

    model_config = ConfigDict(title="predictions in a file")

    engine: Engine = "auto"
    keep_features: bool = Field(default=False, description="keep the features for other heads on the same samples")
