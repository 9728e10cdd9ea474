"""A first file of settings for samples that somebody shows: what they are is found out, and written down."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frostline.pipeline.maintain.encoders import list_encoders
from frostline.pipeline.run.baseline import vocabulary_of
from frostline.pipeline.settings import Settings, load_settings
from frostline.pipeline.workspace import Workspace, open_workspace
from frostline.stages.datasets import Dataset, Progress, endings_of, prefix_of
from frostline.stages.datasets.sources.registry import find_source
from frostline.stages.datasets.table import read_table
from frostline.stages.datasets.texts import COLUMNS as TEXTS
from frostline.stages.errors import ConfigError, counted
from frostline.stages.heads.kinds import heads_for
from frostline.stages.modalities.audio.waveform import AUDIO
from frostline.stages.modalities.base import IMAGE
from frostline.stages.modalities.registry import MODALITIES
from frostline.stages.modalities.text.modality import TEXT
from frostline.stages.modalities.vector.modality import VECTOR
from frostline.stages.targets.registry import TARGETS

_TABLES = ("csv", "jsonl")
_SAVED = ("dataset_dict.json", "dataset_info.json")
_HOLDERS = (".parquet", ".tar", ".zip")
_SUGGESTED = {
    IMAGE: ("mobilenet_v2", "resnet50", "resnet18", "mobilenet_v3_small"),
    TEXT: ("st:all-MiniLM-L6-v2", "hf:sentence-transformers/all-MiniLM-L6-v2"),
    AUDIO: ("hf:laion/clap-htsat-unfused", "hf:facebook/wav2vec2-base"),
}
_PLAIN = {AUDIO: "spectrum"}


@dataclass(frozen=True)
class FirstFile:
    """``settings``: what the file says, by name. ``about``: the samples in words; ``weights``: of the encoder."""

    settings: Mapping[str, Any]
    about: str
    weights: str

    def text(self, command: str) -> str:
        """Return the file. ``command``: what runs it."""
        lines = [f"# {self.about}", f"# Run it: {command}", ""]
        for name, value in self.settings.items():
            lines += [*(f"# {line}" for line in self._comments(name)), f"{name} = {_toml(value)}", ""]
        return "\n".join([*lines, *_MORE]) + "\n"

    def _comments(self, name: str) -> list[str]:
        return [self.weights, *_COMMENTS[name]] if name == "backbone" else list(_COMMENTS.get(name, ()))


_COMMENTS = {
    "dataset": ("Which samples, and how they are read.",),
    "backbone": ("`frostline encoders` lists other names.",),
    "head": ("Heads are fitted on the same features and compared.",),
    "columns": ("What this table's columns are called.",),
}
_MORE = (
    "# Other settings, with their defaults. All of them: frostline run --help all",
    "# test_fraction = 0.2   # used if the dataset has no test split",
    "# seed = 0",
    '# device = "auto"       # "cpu", "cuda"',
    "# For a learning curve, numbers of training samples per class (default: all samples, no curve)",
    "# shots = [1, 4, 16]",
)


def first_file(place: str, given: Mapping[str, Any], progress: Progress | None = None) -> FirstFile:
    """Return the settings for the samples at a place; ``given`` are kept as they are.

    All samples are read once. Raises ConfigError for a place that holds none, DataError for samples that can't be used.
    """
    found: dict[str, Any] = {"dataset": recognised(place)}
    columns = _columns(found["dataset"]) if "columns" not in given else {}
    found |= {"columns": columns} if columns else {}
    settings = load_settings(Settings, {**found, **given})
    workspace = open_workspace(settings.data_dir)
    dataset = settings.open_dataset(workspace, progress)
    kind, weights = dataset.train.targets.kind, "The encoder."
    if "backbone" not in given:
        backbone, weights = _encoder(dataset, workspace)
        found |= {"backbone": backbone} if backbone else {}
    usual = TARGETS.load(kind).usual_head
    found["head"] = [usual, *(name for name in ("knn",) if name in heads_for(kind) and name != usual)]
    return FirstFile({**found, **given}, _about(dataset), weights)


def recognised(place: str) -> str:
    """Return the dataset, in the words of ``--dataset``, that a file or folder is; other names are returned as given.

    Raises ConfigError for files that are no dataset.
    """
    path = Path(place).expanduser()
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        return _named(place)
    if prefix := prefix_of(place):
        return f"{prefix}:{place}"
    if path.suffix.lower() in VECTOR.extensions:
        return f"vectors:{place}"
    raise ConfigError(
        f"expected a folder, a table (.csv, .tsv, .jsonl, .parquet), .tar, .zip, .npz, .npy or .h5, got {place}"
    )


def _named(place: str) -> str:
    """Return the name of a dataset as it is given. Raises ConfigError for what is neither a name nor a place."""
    try:
        find_source(place)
    except ConfigError as error:
        if ":" in place or "did you mean" in str(error):
            raise
        raise ConfigError(
            f"no file or folder {place}; expected one, or the name of a dataset, such as cifar10"
        ) from error
    return place


def _of_folder(path: Path) -> str:
    if any((path / name).is_file() for name in _SAVED):
        return f"hf-disk:{path}"
    inside = sorted(one for one in path.iterdir() if not one.name.startswith("."))
    files = [one for one in inside if one.is_file()]
    for ending in _HOLDERS:
        if any(one.suffix.lower() == ending for one in files):
            return f"{ending[1:]}:{path / '*'}{ending}"
    tables = [one for one in files if prefix_of(one.name) in _TABLES]
    samples = {ending for name in (IMAGE, AUDIO) for ending in endings_of(name)}
    if len(tables) == 1 and not any(_holds(one, samples) for one in inside if one.is_dir()):
        return recognised(str(tables[0]))
    return f"folder:{path}"


def _holds(folder: Path, endings: set[str]) -> bool:
    return any(one.suffix.lower() in endings for one in folder.rglob("*"))


def _columns(dataset: str) -> dict[str, str]:
    """Return what a table's columns are probably called, where they have not the names that are looked for."""
    prefix, _, place = dataset.partition(":")
    if prefix not in _TABLES:
        return {}
    table = read_table(Path(place), ())
    wanted = ["label"] if any(table.find(name) is not None for name in TEXTS) else ["path", "label"]
    missing = [name for name in wanted if table.find(name) is None]
    found = {name: near[0] for name in missing if (near := table.likely(name))}
    others = [one for one in table.header if one not in TEXTS]
    if missing == ["label"] and not found and len(table.header) == 2 and len(others) == 1:  # what else could it be
        return {"label": others[0]}
    return found


def _encoder(dataset: Dataset, workspace: Workspace) -> tuple[str, str]:
    """Return an encoder that suits samples, one whose weights are here if there is one, and what to say of it."""
    modality = dataset.train.modality
    names = _SUGGESTED.get(modality, ())
    for name in names:
        if _here(name):
            return name, "The encoder; its weights are here."
    better = f"a network gives better features: {names[0]} (downloaded on the first run)" if names else ""
    if modality == TEXT and (path := vocabulary_of(dataset.train, workspace)):
        return f"tfidf:{path}", f"TF-IDF, which needs no network; {better}."
    if modality in _PLAIN:
        return _PLAIN[modality], f"A mean spectrum, which needs no network; {better}."
    return (names[0], "The encoder; its weights are downloaded on the first run.") if names else ("", "")


def _here(name: str) -> bool:
    try:
        return any(one.known.here for one in list_encoders(name) if one.name == name)
    except ConfigError:  # its package is not installed
        return False


def _about(dataset: Dataset) -> str:
    train, test = dataset.splits
    noun, kind = MODALITIES.load(train.modality).noun, train.targets.kind
    names = counted(len(train.targets.names), {"regression": "output", "multi-label": "label"}.get(kind, "class"))
    return f"{dataset.name}: {names}, {len(train):,} training and {len(test):,} test {noun}s"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_toml(one)}" for name, one in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False, default=str)
