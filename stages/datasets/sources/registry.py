"""The sources by name: those of Frostline, and those that installed distributions add to ``frostline.sources``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path, PurePath

from frostline.stages.buckets.address import is_address
from frostline.stages.datasets.containers.places import is_pattern
from frostline.stages.datasets.sources.base import Source
from frostline.stages.errors import ConfigError, unknown_name
from frostline.stages.plugins import Door

_ROOM = "frostline.stages.datasets.sources"
_BUILT_IN: dict[str, Source | str] = {
    "digits": f"{_ROOM}.digits:DIGITS",
    "folder": f"{_ROOM}.folder:FOLDER",
    "csv": f"{_ROOM}.csv_file:CSV",
    "jsonl": f"{_ROOM}.jsonl_file:JSONL",
    "parquet": f"{_ROOM}.parquet_file:PARQUET",
    "hf-disk": f"{_ROOM}.hf_disk:HF_DISK",
    "tar": f"{_ROOM}.tar_file:TAR",
    "zip": f"{_ROOM}.zip_file:ZIP",
    "vectors": f"{_ROOM}.vectors:VECTORS",
    "torchvision": f"{_ROOM}.torchvision:TORCHVISION",
    "memory": f"{_ROOM}.objects:MEMORY",
}
_LIKE = {"tsv": "csv", "ndjson": "jsonl", "npy": "vectors", "npz": "vectors"}
SOURCES = Door("dataset source", "frostline.sources", _BUILT_IN, lambda found: isinstance(found, Source))


def find_source(dataset: str) -> tuple[Source, str]:
    """Return the source of a dataset, and the place that it is asked for.

    ``dataset``: ``PREFIX:PLACE``, or a name that a source declares. Raises ConfigError: no such dataset; a
    source that can't be loaded.

    >>> source, place = find_source("folder:images/pets")
    >>> source.form, place
    ('folder:PATH', 'images/pets')
    >>> find_source("cifar10") == find_source("torchvision:cifar10")
    True
    """
    prefix, colon, place = dataset.partition(":")
    if not colon:
        found = next((source for source in _loadable() if dataset in source.names), None)
        place = dataset
    else:
        found = SOURCES.load(prefix) if place and prefix in SOURCES else None
    if found is None or (found.names and place not in found.names):
        raise _no_such_dataset(dataset)
    return found, place


def forms() -> tuple[str, ...]:
    """Return how datasets are written, by source. A source of a distribution is not loaded for it: ``PREFIX:…``."""
    found = (SOURCES.load(name).form if name in _BUILT_IN else f"{name}:…" for name in SOURCES.names())
    return tuple(form for form in found if form)


def known_datasets() -> tuple[str, ...]:
    """Return the names of datasets, and the prefixes of the sources that take a place."""
    return tuple(name for prefix, source in _named() for name in source.names or (f"{prefix}:",))


def forms_with_root() -> tuple[str, ...]:
    """Return how the datasets are written to which ``--root`` means something."""
    return tuple(source.form for source in _loadable() if source.takes_root)


def forms_taking(setting: str) -> tuple[str, ...]:
    """Return how the datasets are written to which a setting means something."""
    return tuple(source.form for source in _loadable() if setting in source.settings)


def _loadable() -> Iterator[Source]:
    """Yield all sources that can be named, each loaded when it is reached; see ``_named``."""
    yield from (source for _, source in _named())


def _named() -> Iterator[tuple[str, Source]]:
    """Yield the sources that can be named, by prefix; one that can't be loaded is in nobody's way unless asked for."""
    for name in SOURCES.names():
        with suppress(ConfigError):
            if (source := SOURCES.load(name)).form:
                yield name, source


def prefix_of(place: str) -> str:
    """Return the prefix of the source that reads a file, by the file's ending; nothing if there is none.

    >>> prefix_of("list.TSV"), prefix_of("a.tar"), prefix_of("a.png")
    ('csv', 'tar', '')
    """
    ending = PurePath(place).suffix.lower().removeprefix(".")
    prefix = _LIKE.get(ending, ending)
    return prefix if prefix in SOURCES else ""


def _no_such_dataset(dataset: str) -> ConfigError:
    meant = _meant(dataset)
    if meant:
        return ConfigError(meant)
    sources = dict(_named())
    scheme, colon, place = dataset.partition(":")
    near = get_close_matches(scheme, sources, 1, 0.7) if colon and scheme not in sources else []
    if near:
        return ConfigError(f"unknown dataset {dataset!r}; did you mean {near[0]}:{place}?")
    width = max(len(source.form) for source in sources.values())
    lines = [f"  {source.form:{width}}  {source.summary}" for source in sources.values()]
    known = [name for prefix, source in sources.items() for name in _written(prefix if colon else "", source)]
    return unknown_name("dataset", dataset, known, "\n".join(["expected one of", *lines]))


def _meant(dataset: str) -> str:
    """Return what is said of a prefix without a place, and of a place without its prefix; nothing of other names."""
    prefix, colon, place = dataset.partition(":")
    if prefix in SOURCES and not place and not SOURCES.load(prefix).names:
        return f"{dataset} needs a path; expected {SOURCES.load(prefix).form}"
    like = prefix_of(dataset)
    if is_address(dataset):
        return f"{dataset} is an address; add how to read it, such as {like or 'folder'}:{dataset}"
    if colon:
        return ""
    if Path(dataset).exists() or (like and is_pattern(dataset)):
        return f"{dataset} has no prefix that says how to read it; write {like or 'folder'}:{dataset}"
    return f"no file or folder {dataset}; expected one, or a dataset such as csv:FILE" if like or "/" in dataset else ""


def _written(prefix: str, source: Source) -> tuple[str, ...]:
    if not source.names:
        return (source.form,)
    return tuple(f"{prefix}:{name}" for name in source.names) if prefix else source.names
