"""From keywords to settings, and from an object to a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from frostline.pipeline.plan.inputs import check_readable
from frostline.pipeline.progress import bar
from frostline.pipeline.settings import AnySettings, DatasetSettings, ExtractSettings
from frostline.pipeline.workspace import open_workspace
from frostline.stages.datasets import IN_MEMORY, Dataset, Samples, prefix_of
from frostline.stages.errors import ConfigError, DataError

Model = TypeVar("Model", bound=AnySettings)
OfDataset = TypeVar("OfDataset", bound=DatasetSettings)
_VECTORS = "vectors"
_ANY_DATASET = {"dataset", "seed", "data_dir"}


def settings_of(model: type[Model], settings: AnySettings | None, given: Mapping[str, Any]) -> Model:
    """Return settings as they are, or those that keywords are. Raises ConfigError for both, and unknown names."""
    if settings is None:
        return model(**{name: str(value) if isinstance(value, Path) else value for name, value in given.items()})
    if given:
        raise ConfigError(f"settings and the keyword {next(iter(given))}; expected one or the other")
    if not isinstance(settings, model):
        said = "; give a dataset as dataset=…" if not isinstance(settings, AnySettings) else ""
        raise ConfigError(f"got {type(settings).__name__}; expected {model.__name__}, or keywords{said}")
    return settings


def with_dataset(
    model: type[OfDataset], settings: DatasetSettings | None, given: Mapping[str, Any]
) -> tuple[OfDataset, Dataset | None]:
    """Return settings, and the dataset that keywords hold as an object, opened; None for one that is named.

    Raises what ``settings_of`` does, and ``open_object``.
    """
    if "dataset" not in given or isinstance(given["dataset"], str | Path):
        named = {"dataset": dataset_name(given["dataset"])} if "dataset" in given else {}
        return settings_of(model, settings, {**given, **named}), None
    asked = settings_of(model, settings, {**given, "dataset": f"{IN_MEMORY}:object"})
    dataset = opened(asked, given["dataset"])
    update: dict[str, Any] = {"dataset": f"{IN_MEMORY}:{dataset.name}"}
    if isinstance(asked, ExtractSettings):
        update["engine"] = _local(asked)
        check_readable(dataset, asked.max_bad)
        if dataset.train.modality == "vector" and "backbone" not in given:
            update["backbone"] = _VECTORS
    return asked.model_copy(update=update), dataset


def opened(asked: DatasetSettings, given: object, name: str = "") -> Dataset:
    """Return the dataset that an object is, read by the settings. Raises ConfigError, DataError."""
    dataset = _dataset_of(given, name)
    if dataset is not None:
        named = sorted(asked.model_fields_set & {*DatasetSettings.model_fields} - _ANY_DATASET)
        if named:
            raise ConfigError(f"{', '.join(named)} with a dataset that is open; expected it in load_dataset")
        return dataset
    with bar("reading", "samples") as shown:
        return asked.open_object(given, open_workspace(asked.data_dir), name, shown.at)


def _dataset_of(given: object, name: str) -> Dataset | None:
    """Return an open dataset, or that of two splits of one; None for any other object.

    Raises DataError for splits of different classes or kinds of samples.
    """
    if isinstance(given, Dataset):
        return given
    pair = tuple(given.values()) if isinstance(given, Mapping) and [*given] == ["train", "test"] else given
    if not isinstance(pair, tuple) or len(pair) != 2 or not all(isinstance(one, Samples) for one in pair):
        return None
    train, test = pair
    if (train.classes, train.targets.kind, train.modality) != (test.classes, test.targets.kind, test.modality):
        raise DataError(f"splits that differ: {train!r} and {test!r}; expected the same classes and kind of samples")
    return Dataset(name or train.dataset, replace(train, split="train"), replace(test, split="test"))


def dataset_name(given: str | Path) -> str:
    """Return a dataset as settings name it; a ``Path`` is a folder, or a table by its ending.

    >>> dataset_name("folder:images"), dataset_name(Path("labels.csv")), dataset_name(Path("images"))
    ('folder:images', 'csv:labels.csv', 'folder:images')
    """
    return given if isinstance(given, str) else f"{prefix_of(str(given)) or 'folder'}:{given}"


def _local(asked: ExtractSettings) -> str:
    """Return the engine that reads objects of this process. Raises ConfigError for any other that is asked for."""
    if asked.engine not in ("auto", "local"):
        raise ConfigError(f"engine {asked.engine} with objects of Python, which no other process has; expected local")
    return "local"
