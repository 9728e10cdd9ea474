"""Files of rows as Hugging Face's ``datasets`` writes them, made with pyarrow alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import ipc

from support.pictures import encoded, picture

FILE = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
IMAGE = {"_type": "Image"}
AUDIO = {"_type": "Audio"}
CLASSES = ("cat", "dog", "owl")


def class_label(*names: str) -> dict[str, Any]:
    return {"names": list(names), "_type": "ClassLabel"}


def with_features(table: pyarrow.Table, **features: Any) -> pyarrow.Table:
    """Return a table whose schema says what its columns are, as ``datasets`` has it."""
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def images(n: int, start: int = 0, named: bool = True) -> list[dict[str, Any]]:
    """Return cells of an image column, no two alike."""
    names = [f"{i:04d}.png" if named else None for i in range(start, start + n)]
    return [{"bytes": encoded(picture(start + i)), "path": name} for i, name in enumerate(names)]


def image_table(n: int, start: int = 0, named: bool = True, **columns: Sequence[Any]) -> pyarrow.Table:
    """Return a table of images and classes by their numbers, each of ``CLASSES`` in turn, with what else is given."""
    cells = pyarrow.array(images(n, start, named), FILE)
    labels = pyarrow.array([i % len(CLASSES) for i in range(start, start + n)], pyarrow.int64())
    table = pyarrow.table({"image": cells, "label": labels, **columns})
    return with_features(table, image=IMAGE, label=class_label(*CLASSES))


def save_to_disk(
    folder: Path, table: pyarrow.Table, split: str | None = None, shards: int = 1, batch: int = 5, **state: Any
) -> Path:
    """Write a table as ``Dataset.save_to_disk`` does."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05d}-of-{shards:05d}.arrow" for i in range(shards)]
    each = -(-len(table) // shards)
    for i, name in enumerate(names):
        write_stream(folder / name, table.slice(i * each, each), batch)
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    known = {"_data_files": [{"filename": name} for name in names], "_fingerprint": "0", "_split": split}
    (folder / "state.json").write_text(json.dumps({**known, "_format_type": None, **state}))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))
    return folder


def save_dict_to_disk(folder: Path, tables: Mapping[str, pyarrow.Table]) -> Path:
    """Write tables as ``DatasetDict.save_to_disk`` does."""
    for split, table in tables.items():
        save_to_disk(folder / split, table, split)
    (folder / "dataset_dict.json").write_text(json.dumps({"splits": list(tables)}))
    return folder


def write_stream(file: Path, table: pyarrow.Table, batch: int = 5, **options: Any) -> None:
    """Write a table in Arrow's streaming format."""
    with ipc.new_stream(str(file), table.schema, options=ipc.IpcWriteOptions(**options)) as stream:
        stream.write_table(table, batch)
