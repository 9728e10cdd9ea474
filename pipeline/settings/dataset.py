"""Settings that name the samples."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Any

from pydantic import ConfigDict, Field, model_validator

from frostline.pipeline.settings.base import WorkspaceSettings
from frostline.pipeline.settings.parsing import ColumnNames, Names
from frostline.pipeline.workspace import Workspace
from frostline.stages.datasets import (
    IN_MEMORY,
    Dataset,
    Progress,
    Request,
    Samples,
    find_source,
    forms,
    forms_taking,
    forms_with_root,
    open_dataset,
    open_object,
    open_samples,
)
from frostline.stages.targets.columns import Task

_OF_TABLES = ("columns", "target", "task", "separator", "group", "stratify", "input", "test")
_OF_SOME = (*_OF_TABLES, "class_level", "bit_depth", "group_pattern", "group_file")
_OF_REQUEST = (
    *("root", "test_fraction", "seed", "columns", "class_level", "bit_depth", "target", "task", "separator"),
    *("group", "group_pattern", "group_file", "stratify", "input", "test"),
)
_TWO_FOLDERS = ". A folder has its splits inside: put train/CLASS/ and test/CLASS/ into one, and name that: folder:PATH"


class DatasetSettings(WorkspaceSettings):
    """Which samples."""

    model_config = ConfigDict(title="dataset")

    dataset: str = Field(
        default="digits",
        description=f"{', '.join(forms()[:-1])}, or {forms()[-1]}",
        json_schema_extra={
            "metavar": "DATASET",
            "brief": "folder:PATH, csv:FILE, parquet:PATTERN, tar:PATTERN, vectors:FILE, cifar10, …",
        },
    )
    root: Path | None = Field(
        default=None,
        description="folder or address where a table's paths start, or folder of a torchvision dataset",
    )
    test_fraction: float = Field(
        default=0.2, gt=0, lt=1, description="fraction kept for testing, if a dataset has no test split"
    )
    seed: int = Field(default=0, ge=0, description="random seed of splits, subsets and resamples")
    columns: ColumnNames = Field(
        default={},
        description="names of a table's columns, for example path=FILE,label=CLASS",
        json_schema_extra={"metavar": "COLUMN=NAME,…"},
        exclude_if=operator.not_,  # records and digests of before know no such setting
    )
    class_level: int | None = Field(
        default=None,
        ge=1,
        le=3,
        description="level of the folder that names the class, below the split: 1, 2 or 3",
        json_schema_extra={"default": "detected"},
        exclude_if=operator.not_,
    )
    target: Names = Field(
        default=(),
        description="columns of a table to predict",
        json_schema_extra={"metavar": "COLUMN,…", "default": "label", "common": True},
        exclude_if=operator.not_,
    )
    task: Task = Field(
        default="auto",
        description="kind of target; auto: read from its values",
        exclude_if=lambda value: value == "auto",
    )
    separator: str | None = Field(
        default=None,
        min_length=1,
        max_length=1,
        description="character between several labels in a cell",
        json_schema_extra={"metavar": "CHARACTER", "default": "detected, | or ;"},
        exclude_if=operator.not_,
    )
    group: str | None = Field(
        default=None,
        description="column of a table with groups (patient, author) that are never split",
        json_schema_extra={"metavar": "COLUMN"},
        exclude_if=operator.not_,
    )
    group_pattern: str | None = Field(
        default=None,
        description="regular expression that finds the group in a file's path",
        json_schema_extra={"metavar": "REGEX"},
        exclude_if=operator.not_,
    )
    group_file: Path | None = Field(
        default=None,
        description="table with the columns path and group; samples of one group are never split",
        exclude_if=operator.not_,
    )
    stratify: Names = Field(
        default=(),
        description="columns to stratify by, or none, if a table has no split column",
        json_schema_extra={"metavar": "COLUMN,…", "default": "the targets"},
        exclude_if=operator.not_,
    )
    input: str | None = Field(
        default=None,
        min_length=1,
        description="column that holds the samples, or component in tar files",
        json_schema_extra={
            "metavar": "COLUMN",
            "default": "path, else text; in Parquet the column of images or recordings",
        },
        exclude_if=operator.not_,
    )
    train: str | None = Field(
        default=None,
        description="place of the training split, the part of --dataset after the colon: --dataset tar --train a.tar",
        json_schema_extra={"metavar": "PLACE"},
        exclude=True,  # it is in the dataset then
    )
    test: str | None = Field(
        default=None,
        description="place of the test split, if it is separate; --dataset or --train is then all training data",
        json_schema_extra={"metavar": "PLACE"},
        exclude_if=operator.not_,
    )
    bit_depth: int | None = Field(
        default=None,
        ge=1,
        le=16,
        description="bits used by the values of 16-bit images",
        json_schema_extra={"default": "16"},
        exclude_if=operator.not_,
    )

    @model_validator(mode="before")
    @classmethod
    def _join_train(cls, given: Any) -> Any:
        """Put the place that ``train`` names into the dataset, whose place is that of training."""
        train = given.get("train") if isinstance(given, dict) else None
        if train is None:
            return given
        prefix, _, place = str(given.get("dataset", "")).partition(":")
        if not prefix or place not in ("", train):
            raise ValueError(
                f"expected --dataset PREFIX and --train PLACE, got --dataset {given.get('dataset')} and --train {train}"
            )
        return {**given, "dataset": f"{prefix}:{train}"}

    @model_validator(mode="after")
    def _check_root(self) -> DatasetSettings:
        if self.root is not None and not find_source(self.dataset)[0].takes_root:
            raise ValueError(f"expected --root only with {', '.join(forms_with_root())}, got {self.dataset}")
        for name in _OF_SOME:
            if getattr(self, name) not in (None, (), {}, "auto") and name not in find_source(self.dataset)[0].settings:
                raise ValueError(
                    f"expected --{name.replace('_', '-')} only with {', '.join(forms_taking(name))}, got {self.dataset}"
                    f"{_TWO_FOLDERS if name == 'test' and self.dataset.startswith('folder:') else ''}"
                )
        grouped = [name for name in ("group", "group_pattern", "group_file") if getattr(self, name)]
        if len(grouped) > 1:
            said = " and ".join(f"--{name.replace('_', '-')}" for name in grouped)
            raise ValueError(f"expected one way to name the groups, got {said}")
        return self

    def open_dataset(self, workspace: Workspace, progress: Progress | None = None) -> Dataset:
        """Return the dataset that these settings name. Raises ConfigError or DataError, see ``open_dataset``."""
        return open_dataset(
            self.dataset,
            downloads=workspace.downloads,
            memory=workspace.index(self.dataset, self.root),
            progress=progress,
            **{name: getattr(self, name) for name in _OF_REQUEST},
        )

    def open_object(
        self, given: object, workspace: Workspace, name: str = "", progress: Progress | None = None
    ) -> Dataset:
        """Return the dataset that an object of Python is, read by these settings; ``name``: what it is called.

        Raises ConfigError or DataError, see ``frostline.stages.datasets.open_object``.
        """
        asked = Request(
            name,
            downloads=workspace.downloads,
            memory=workspace.index(f"{IN_MEMORY}:{name}", self.root),
            progress=progress,
            **{name: getattr(self, name) for name in _OF_REQUEST},
        )
        return open_object(given, asked, name)

    def open_samples(
        self, workspace: Workspace, modality: str, progress: Progress | None = None
    ) -> tuple[Samples, tuple[str, ...]]:
        """Return all samples that these settings name, without labels, and notes; see ``open_samples``."""
        asked = Request(
            "",
            self.root,
            downloads=workspace.downloads,
            memory=workspace.index(self.dataset, self.root),
            progress=progress,
            columns=self.columns,
            bit_depth=self.bit_depth,
            input=self.input,
            modality=modality,
        )
        return open_samples(self.dataset, asked)
