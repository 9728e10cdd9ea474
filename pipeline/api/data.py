"""Datasets and cached features, opened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from frostline.pipeline.api.asked import dataset_name, opened, settings_of
from frostline.pipeline.records.run import Extracted
from frostline.pipeline.settings import DatasetSettings
from frostline.pipeline.settings.python_words import python_words
from frostline.pipeline.workspace import open_workspace, opened_folder
from frostline.stages.buckets.cache import named
from frostline.stages.datasets import IN_MEMORY, Dataset
from frostline.stages.errors import ConfigError
from frostline.stages.modalities.given import described
from frostline.stages.store import Features, load, open_set

if TYPE_CHECKING:
    from frostline.pipeline.settings.keywords import DatasetKeywords

_FILE = "features.h5"


@python_words()
def load_dataset(data: object, *, name: str = "", **given: Unpack[DatasetKeywords]) -> Dataset:
    """Return a dataset: ``train`` and ``test``, each with ``ids``, ``targets``, ``classes``, a length, samples by row.

    ``data``: what ``run`` takes as ``dataset``, a name or an object. ``name``: what to call an object in reports and in
    the cache. The keywords are settings: ``target``, ``test_fraction``, ``seed``, ``group``, … Samples are read when
    they are asked for. Raises ConfigError for a name or setting that can't be, DataError listing all that is wrong.

    >>> digits = load_dataset("digits")
    >>> digits
    <Dataset digits: <train: 1,438 images, single-label of 10>, <test: 359 images, single-label of 10>>
    >>> digits.classes[:3], digits.train.ids[0], digits.train[0].size
    (('0', '1', '2'), '0000', (8, 8))
    """
    if isinstance(data, str | Path):
        if name:
            raise ConfigError(f"name {name!r} with a dataset that has one; expected it with an object")
        named = settings_of(DatasetSettings, None, {**given, "dataset": dataset_name(data)})
        return named.open_dataset(open_workspace(named.data_dir))
    own = settings_of(DatasetSettings, None, {**given, "dataset": f"{IN_MEMORY}:{name or 'object'}"})
    return opened(own, data, name)


@python_words()
def open_features(features: str | Path | Extracted | Sequence[Extracted], *, data_dir: str | Path = "data") -> Features:
    """Return cached features: ``X`` (n, d), ``y``, ``ids`` and ``classes``, row by row.

    ``features``: what ``extract`` returned for one split; or a folder of ``data/features`` or its ``features.h5``, its
    address, or the folder's name. Samples that were quarantined are left out. Raises ConfigError if there is no such
    set, StoreError if it is damaged or not complete.

    >>> from frostline import extract
    >>> train, test = extract(dataset="digits", backbone="pixels")
    >>> features = open_features(train)
    >>> features
    <Features of train: 1,438 × 192 float32, single-label of 10>
    >>> features.X.shape, features.y.shape, features.ids[0], features.classes[:3]
    ((1438, 192), (1438,), '0000', ('0', '1', '2'))
    """
    features = _place(features)
    own = open_workspace(data_dir).root / "features"
    places = [opened_folder(features), own / features]
    folders = [one.parent if one.name == _FILE else one for one in places]
    found = next((one for one in folders if (one / "key.json").is_file()), None)
    if found is None:
        raise ConfigError(f"no features in {named(folders[0])}; expected a folder of {named(own)}, or its name")
    return load(open_set(found))


def _place(features: object) -> str | Path:
    """Return where features are. Raises ConfigError for several sets, and for what is none."""
    if isinstance(features, Sequence) and not isinstance(features, str):
        splits = [one.split if isinstance(one, Extracted) else described(one) for one in features]
        if len(splits) != 1:
            raise ConfigError(
                f"{len(splits)} sets of features ({', '.join(splits)}); expected one, such as extracted[0]"
            )
        features = features[0]
    if isinstance(features, Extracted):
        return features.folder
    if isinstance(features, str | Path):
        return features
    raise ConfigError(f"got {described(features)}; expected what extract returned, or a folder of features")
