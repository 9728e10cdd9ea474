"""The settings as keywords, for type checkers: the same names as the models of ``frostline.pipeline.settings``.

Where a setting takes several values, one value alone or text as on the command line will do, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypedDict

from numpy.typing import NDArray

Place = str | Path
Names = str | Sequence[str]
Numbers = float | Sequence[float]
Size = int | tuple[int, int] | str
Grid = str | Sequence[float] | NDArray[Any] | Mapping[str, float | Sequence[float] | NDArray[Any]]


class TorchDevice(Protocol):
    """A ``torch.device``."""

    @property
    def type(self) -> str: ...
    @property
    def index(self) -> int | None: ...


class WorkspaceKeywords(TypedDict, total=False):
    """Where everything lies."""

    data_dir: Place


class DatasetKeywords(WorkspaceKeywords, total=False):
    """How samples are read, labelled and split; see ``frostline.pipeline.settings.DatasetSettings``."""

    root: Place | None
    test_fraction: float
    seed: int
    columns: Mapping[str, str] | str
    class_level: int | None
    target: Names
    task: Literal["auto", "single-label", "multi-label", "regression"]
    separator: str | None
    group: str | None
    group_pattern: str | None
    group_file: Place | None
    stratify: Names
    input: str | None
    train: Place | None
    test: Place | None
    bit_depth: int | None


class TransformKeywords(TypedDict, total=False):
    """How samples become what a network is given."""

    resize: Size | None
    crop: Size | None
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] | None
    mean: Numbers | None
    std: Numbers | None
    seconds: float | None
    hop: float | None
    prompt: str | None
    max_length: int | None
    windows: Literal["first", "mean"] | None


class BackboneKeywords(DatasetKeywords, TransformKeywords, total=False):
    """Which dataset, and which network, cut where; see ``frostline.pipeline.settings.BackboneSettings``."""

    dataset: object
    backbone: str
    weights: Place
    layer: str | None
    concatenate: bool
    pool: str | None
    views: Names
    precision: Literal["auto", "fp32", "bf16", "fp16"]
    decode: Literal["auto", "full", "scaled"]
    dtype: Literal["float32", "float16"]


class ComputeKeywords(TypedDict, total=False):
    """How a network is run."""

    device: str | TorchDevice
    batch_size: int | None
    workers: int | None
    optimize: Literal["auto", "none", "openvino"]
    allow_unsteady: bool
    max_bad: int


class ExtractKeywords(BackboneKeywords, ComputeKeywords, total=False):
    """What ``extract`` takes; see ``frostline.pipeline.settings.ExtractSettings``."""

    engine: str


class HeadKeywords(ExtractKeywords, total=False):
    """What ``fit`` and ``evaluate`` take; see ``frostline.pipeline.settings.HeadSettings``."""

    head: Names
    grid: Grid | None
    head_params: Mapping[str, object] | str
    hold_out: float
    folds: int | Literal["auto", "loo"]
    scaling: Literal["none", "standardize", "l2"]
    class_weight: Literal["none", "balanced"] | None
    criterion: str
    per_label: bool


class RunKeywords(HeadKeywords, total=False):
    """What ``run`` takes; see ``frostline.pipeline.settings.Settings``."""

    baseline: Literal["auto", "pixels", "tfidf", "spectrum", "none"]
    shots: int | Sequence[int] | str
    train_sizes: int | Sequence[int | Literal["all"]] | str
    draws: int


class PredictKeywords(ComputeKeywords, total=False):
    """What ``predict`` takes; see ``frostline.pipeline.settings.ServeSettings``."""

    root: Place | None
    columns: Mapping[str, str] | str
    input: str | None
    backbone: str | None
    weights: Place | None
    top: int | None
