"""Encoders of texts and recordings, and tables, from strangers: no code runs, and no few bytes take all memory."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet
from safetensors.torch import load_file, save_file

from faults.counts import Points
from faults.strangers import bounded
from frostline.stages.backbones import BackboneRequest, load_backbone
from frostline.stages.datasets import open_dataset
from frostline.stages.errors import ConfigError, DataError
from frostline.stages.modalities.audio.waveform import AUDIO, Waveform
from frostline.stages.modalities.items import stacked
from support.audio_folders import RATE, save_audio_model, tone
from support.model_folders import change_json
from support.text_models import save_text_model

TEXT = "text"
WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"
CODE = {"auto_map": {"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil", "AutoFeatureExtractor": "evil.Evil"}}
DOUBLE = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_text_model(folder / TEXT, "bert")
    save_audio_model(folder / AUDIO, "wav2vec 2.0, group norm")
    return folder


def load(folder: Path, kind: str) -> Any:
    pool = "mean" if kind == TEXT else None
    return load_backbone(BackboneRequest(f"hf:{folder}", pool=pool, modality=kind), None)


def features(folder: Path, kind: str) -> Any:
    backbone = load(folder, kind)
    sample: Any = "the cat sat" if kind == TEXT else Waveform(tone(0.5), RATE)
    return backbone.embed(stacked([backbone.spec.preprocessing.item(sample)]))


def changed(name: str, **changes: Any) -> Callable[[Path], object]:
    return lambda folder: change_json(folder / name, changes)


def written(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def sequence(*steps: Any) -> dict[str, Any]:
    return {"type": "Sequence", "normalizers": [*steps]}


TRAPS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "code of a text model": (TEXT, changed("config.json", **CODE)),
    "code of a tokenizer": (TEXT, changed("tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Evil", None]})),
    "code of a model of recordings": (AUDIO, changed("config.json", **CODE)),
    "code of a feature extractor": (AUDIO, changed("preprocessor_config.json", **CODE)),
    "a tokenizer that doubles forty times": (TEXT, changed(TOKENIZER, normalizer=sequence(*[DOUBLE] * 40))),
    "one that does within sequences": (
        TEXT,
        changed(TOKENIZER, normalizer=sequence(*[sequence(DOUBLE, DOUBLE)] * 20)),
    ),
    "one that puts a novel before each text": (
        TEXT,
        changed(TOKENIZER, normalizer={"type": "Prepend", "prepend": "a" * 10_000_000}),
    ),
    "a tokenizer of brackets": (TEXT, written(TOKENIZER, "[" * 200_000 + "]" * 200_000)),
    "a tokenizer that is a list": (TEXT, written(TOKENIZER, "[1, 2]")),
    "a tokenizer that is cut off": (TEXT, written(TOKENIZER, '{"version": "1.0", "model"')),
    "a tokenizer of a gigabyte": (TEXT, lambda folder: os.truncate(folder / TOKENIZER, 1 << 30)),
    "frames of no samples": (AUDIO, changed("config.json", conv_stride=[0] * 7)),
    "a rate of a gigahertz": (AUDIO, changed("preprocessor_config.json", sampling_rate=10**9)),
    "a preprocessing of brackets": (AUDIO, written("preprocessor_config.json", "[" * 200_000 + "]" * 200_000)),
}


@pytest.mark.parametrize("trap", TRAPS)
def test_an_encoder_that_is_a_trap_is_refused_and_nothing_of_it_runs(
    trap: str, saved: Path, tmp_path: Path, points: Points
) -> None:
    kind, lay = TRAPS[trap]
    folder = Path(shutil.copytree(saved / kind, tmp_path / "model"))
    (folder / "evil.py").write_text("from pathlib import Path\nPath(__file__).with_name('sprung').touch()\n")
    lay(folder)
    bounded(lambda: load(folder, kind), ConfigError, room=2 << 30)
    assert not (folder / "sprung").exists()
    points.add("hostile encoders")


@pytest.mark.parametrize("kind", [TEXT, AUDIO])
def test_weights_that_nothing_takes_change_nothing(kind: str, saved: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved / kind, tmp_path / "model"))
    wanted = features(folder, kind)
    more = {"evil.weight": torch.ones(3), "__class__": torch.ones(1), "encoder": torch.ones(1)}
    save_file({**load_file(folder / WEIGHTS), **more}, folder / WEIGHTS, {"format": "pt"})
    np.testing.assert_array_equal(features(folder, kind), wanted)


@pytest.mark.parametrize("kind", [TEXT, AUDIO])
def test_weights_that_are_missing_are_an_error(kind: str, saved: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(saved / kind, tmp_path / "model"))
    tensors = load_file(folder / WEIGHTS)
    name = next(one for one in tensors if "encoder.layers.0" in one or "encoder.layer.0" in one)
    save_file({one: tensor for one, tensor in tensors.items() if one != name}, folder / WEIGHTS, {"format": "pt"})
    with pytest.raises(ConfigError, match=r"layers?\.0"):
        load(folder, kind)


def repeated(file: Path, texts: list[str], rows: int) -> None:
    """Write a table whose column of texts holds few different ones, each many times: some kB."""
    which = pa.array(np.arange(rows) % len(texts), pa.int32())
    columns = {
        "text": pa.DictionaryArray.from_arrays(which, pa.array(texts)),
        "label": pa.array(["a", "b"] * (rows // 2)),
    }
    parquet.write_table(pa.table(columns), file, compression="zstd", store_schema=False)


def compressed(file: Path) -> None:
    table = pa.table({"text": ["a" * (1 << 29), *map(str, range(39))], "label": ["a", "b"] * 20})
    parquet.write_table(
        table, file, compression="zstd", use_dictionary=False, write_statistics=False, data_page_size=1 << 30
    )


TABLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a text of a megabyte 600 times": (lambda file: repeated(file, ["a" * 1_000_000, "b"], 1_200), "can't be used"),
    "half a gigabyte in a few kB": (compressed, "text declares 536,"),
    "no end": (lambda file: (repeated(file, ["a", "b"], 100), file.write_bytes(file.read_bytes()[:-9])), "can't read"),
    "a table of nothing": (lambda file: file.write_bytes(b"PAR1" * 4), "can't read"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_unfolds_without_end_is_refused_before_it_does(name: str, tmp_path: Path, points: Points) -> None:
    write, said = TABLES[name]
    file = tmp_path / "t.parquet"
    write(file)
    assert file.stat().st_size < 1 << 20
    assert said in bounded(lambda: open_dataset(f"parquet:{file}"), DataError, room=1 << 29)
    points.add("hostile tables")


def test_a_table_that_repeats_its_texts_is_read(tmp_path: Path) -> None:
    repeated(tmp_path / "t.parquet", ["the cat", "a dog", "what is a river"], 6_000)
    found = open_dataset(f"parquet:{tmp_path / 't.parquet'}")
    assert sum(map(len, found.splits)) == 6_000
    assert found.train.read(0) in ("the cat", "a dog", "what is a river")


@pytest.mark.parametrize(
    "line", ["[" * 100_000, '{"text": ' * 5_000, '{"text": 1e999999, "label": 1}', json.dumps([1])]
)
def test_a_line_of_json_that_is_a_trap_is_refused(line: str, tmp_path: Path, points: Points) -> None:
    file = tmp_path / "t.jsonl"
    file.write_text('{"text": "a", "label": 1}\n' + line + "\n")
    bounded(lambda: open_dataset(f"jsonl:{file}"), DataError)
    points.add("hostile tables")
