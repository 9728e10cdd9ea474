"""Settings of how the network is run, for a dataset and for new samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field

from frostline.pipeline.settings.backbone import BackboneSettings
from frostline.pipeline.settings.base import AnySettings, WorkspaceSettings
from frostline.pipeline.settings.parsing import ColumnNames
from frostline.stages.backbones.spec import Optimize
from frostline.stages.plugins import installed

_OTHER_ENGINES = sorted(installed("frostline.engines"))  # the door itself lies above the settings

Device = Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="auto, cpu, cuda or cuda:N")]
BatchSize = Annotated[
    int | None,
    Field(ge=1, le=65536, description="samples through the backbone at once (default: found out, or 16, on a GPU 128)"),
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


_KNOWN_ENGINES = [
    "local (this process)",
    "processes (one for each device)",
    "ray[:ADDRESS] (a Ray cluster)",
    "array[:I/N] (one of several tasks)",
]
Engine = Annotated[
    str,
    Field(
        description="what computes features: "
        + ", ".join([*_KNOWN_ENGINES, *_OTHER_ENGINES])
        + "; auto: processes where there are several GPUs, else local"
    ),
]


class ExtractSettings(BackboneSettings):
    """How the network is run; changes no number beyond rounding."""

    model_config = ConfigDict(title="extraction")

    device: Device = "auto"
    batch_size: BatchSize = None
    workers: Workers = None
    optimize: Optimization = "auto"
    allow_unsteady: AllowUnsteady = False
    max_bad: int = Field(default=0, ge=0, description="how many unreadable samples to tolerate")
    engine: Engine = "auto"


class RankSettings(ExtractSettings):
    """How much of the training split backbones are ranked by."""

    model_config = ConfigDict(title="ranking")

    samples: int = Field(default=2000, ge=2, description="training samples to rank by; the others are not extracted")


class BenchSettings(WorkspaceSettings):
    """Where the bench of a matrix is, and by what its features are computed where the matrix does not say."""

    model_config = ConfigDict(title="bench")

    engine: Engine = "auto"


class ServeSettings(AnySettings):
    """How a fitted head is used on new samples; the rest is recorded with it."""

    model_config = ConfigDict(title="prediction")

    root: Path | None = Field(
        default=None,
        description="where a table's paths start (default: the table's folder), with --out an address, too",
    )
    columns: ColumnNames = Field(default={}, description="what a table's columns are called: path=FILE")
    input: str | None = Field(
        default=None,
        description="what holds the samples: the column of texts in a table (default: text), with --out also the "
        "column of images or recordings in Parquet, or the component in tar files",
    )
    backbone: str | None = Field(default=None, description="one's own file.py:factory, which is never run unnamed")
    weights: str | None = Field(default=None, description="where the weights are now (default: where they were)")
    device: Device = "auto"
    batch_size: BatchSize = None
    workers: Workers = None
    optimize: Optimization = "auto"
    allow_unsteady: AllowUnsteady = False
    max_bad: int = Field(default=0, ge=0, description="how many unreadable samples to tolerate")
    top: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="how many classes or labels to print for a sample, the likeliest first (default: one class, or the "
        "labels that are predicted)",
    )


class PredictSettings(ServeSettings, WorkspaceSettings):
    """How millions of predictions are made; ``data_dir`` is where features are looked for and kept."""

    model_config = ConfigDict(title="predictions in a file")

    engine: Engine = "auto"
    keep_features: bool = Field(default=False, description="keep the features, for other heads on the same samples")
