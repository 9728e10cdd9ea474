"""Properties of what reads and writes text and bytes, looked for counter-examples by Hypothesis."""

from __future__ import annotations

import csv
import io
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from frostline.pipeline.settings import Settings, load_settings
from frostline.stages.backbones.spec import BackboneSpec
from frostline.stages.datasets import open_dataset
from frostline.stages.datasets.memo import load_memo, save_memo
from frostline.stages.errors import ConfigError, DataError
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.records.sealed import canonical_json, digest, sealed, unsealed
from frostline.stages.store import Shard, encode_ids
from frostline.stages.store.key import FeatureKey, differences
from frostline.stages.store.shard import from_bytes, to_bytes
from support.pictures import plant

MANY = settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(scalars, lambda v: st.lists(v) | st.dictionaries(st.text(), v), max_leaves=6)
mappings = st.dictionaries(st.text().filter(lambda name: name != "seal"), values)


@MANY
@given(mappings)
def test_canonical_json_is_the_same_for_every_order_of_the_names_and_reads_back(fields: dict[str, Any]) -> None:
    text = canonical_json(fields)
    assert text.isascii() and json.loads(text) == fields
    assert canonical_json(dict(reversed(fields.items()))) == text == canonical_json(json.loads(text))


@MANY
@given(mappings, mappings)
def test_digests_are_equal_where_the_values_are_and_nowhere_else(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (digest(one) == digest(other)) == (canonical_json(one) == canonical_json(other))


@MANY
@given(mappings, st.data())
def test_a_seal_is_kept_by_what_was_sealed_and_broken_by_any_other_value(fields: dict[str, Any], data: Any) -> None:
    text = sealed(fields)
    assert unsealed(text) == fields
    at = data.draw(st.integers(0, len(text) - 1))
    changed = text[:at] + bytes([text[at] ^ data.draw(st.integers(1, 255))]) + text[at + 1 :]
    with suppress(ValueError):
        assert unsealed(changed) == fields


SPEC = BackboneSpec("net", "", "w" * 64, "fc:input", "none", Preprocessing(256, 224), (224, 224))
KEY = FeatureKey("d" * 64, SPEC, "Pillow 1")
CHANGES = {
    "dataset": lambda key: replace(key, dataset="e" * 64),
    "decoder": lambda key: replace(key, decoder="Pillow 2"),
    "view": lambda key: replace(key, view="hflip"),
    "precision": lambda key: replace(key, precision="bf16"),
    "dtype": lambda key: replace(key, dtype="float16"),
    "weights": lambda key: replace(key, backbone=replace(key.backbone, weights="v" * 64)),
    "layer": lambda key: replace(key, backbone=replace(key.backbone, layer="layer4")),
    "pool": lambda key: replace(key, backbone=replace(key.backbone, pool="avg")),
    "size": lambda key: replace(key, backbone=replace(key.backbone, size=(224, 225))),
}


@MANY
@given(st.sets(st.sampled_from(sorted(CHANGES))), st.sets(st.sampled_from(sorted(CHANGES))))
def test_two_keys_differ_in_the_fields_that_differ_and_in_no_other(one: set[str], other: set[str]) -> None:
    keys = []
    for names in (one, other):
        key = KEY
        for name in names:
            key = CHANGES[name](key)
        keys.append(key)
    assert {phrase.split()[0] for phrase in differences(keys[0].fields(), keys[1].fields())} == one ^ other
    assert (keys[0].digest == keys[1].digest) == (one == other)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = plant(tmp_path_factory.mktemp("images"), {"img": 6})
    outside = plant(tmp_path_factory.mktemp("outside"), {"img": 1})
    (root / "away").symlink_to(outside)
    return root


cells = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
paths = st.sampled_from([f"img/{i:04d}.png" for i in range(6)] + ["away/img/0000.png", "../x.png", "img", "."]) | cells
tables = st.lists(st.tuples(paths, st.sampled_from(["a", "b"]) | cells), min_size=1, max_size=8)


@MANY
@given(tables)
@example([(f"img/{i:04d}.png", "ab"[i % 2]) for i in range(6)])
@example([("away/img/0000.png", "a"), ("img/0000.png", "b")])
@example([*((f"img/{i:04d}.png", "ab"[i % 2]) for i in range(4)), (" ", "")])  # a blank row is no sample
@example([(f"img/{i:04d}.png", ("a|b", "c")[i % 2]) for i in range(4)])  # names or labels? The error names the table
def test_a_table_gives_its_rows_all_below_its_folder_or_an_error_of_the_data(
    images: Path, rows: list[tuple[str, str]]
) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([("path", "label"), *rows])
    table = images / "table.csv"
    table.write_text(text.getvalue(), encoding="utf-8", newline="")
    try:
        dataset = open_dataset(f"csv:{table}", test_fraction=0.5)
    except DataError as error:
        assert str(table) in str(error) or "table" in str(error)
        return
    found = [sample for split in dataset.splits for sample in split.ids]
    assert sorted(found) == sorted(Path(path.strip()).as_posix() for path, label in rows if f"{path}{label}".strip())
    assert all((images / sample).resolve().is_relative_to(images.resolve()) for sample in found)


@MANY
@given(st.binary(max_size=200))
def test_any_bytes_as_a_table_are_an_error_of_the_data(images: Path, data: bytes) -> None:
    table = images / "bytes.csv"
    table.write_bytes(b"path,label\n" + data)
    with pytest.raises(DataError):
        open_dataset(f"csv:{table}")


names = st.sampled_from([*Settings.model_fields, "sed", "C0"])
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
meant = texts | st.integers() | st.floats() | st.booleans()


@MANY
@given(st.dictionaries(names, meant, max_size=4))
def test_settings_from_a_file_are_settings_or_an_error_of_the_settings(fields: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "settings.toml")
        file.write_text("".join(f"{name} = {toml(value)}\n" for name, value in fields.items()), encoding="utf-8")
        try:
            found = load_settings(Settings, file=file)
        except ConfigError as error:
            assert str(error)
            return
    assert load_settings(Settings, fields) == found


def toml(value: Any) -> str:
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(c):08X}" for c in value) + '"'
    return str(value).lower()


@MANY
@given(st.binary(max_size=300))
def test_any_bytes_as_settings_are_an_error_of_the_settings_or_none(data: bytes) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder, "settings.toml")
        file.write_bytes(data)
        try:
            load_settings(Settings, file=file)
        except ConfigError as error:
            assert str(error)


ids = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=9)


@MANY
@given(ids, st.integers(1, 5), st.sampled_from(["float32", "float16"]), st.randoms(use_true_random=False))
def test_a_shard_reads_back_as_it_was_written_bit_for_bit(
    names: list[str], width: int, dtype: str, random: Any
) -> None:
    n, rng = len(names), np.random.default_rng(random.getrandbits(32))
    bits = rng.integers(0, 256, (n, width * np.dtype(dtype).itemsize), np.uint8)
    shard = Shard(
        bits.view(dtype),
        encode_ids(names),
        rng.integers(0, 256, (n, 32), np.uint8),
        rng.integers(0, 2, n).astype(np.uint8),
    )
    read = from_bytes(to_bytes(shard, {"key": "k", "start": 0}), n, width, dtype)
    for name, array in shard.arrays().items():
        assert getattr(read, name).tobytes() == array.tobytes(), name


@MANY
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_as_a_shard_are_refused(data: bytes, begins_well: bool) -> None:
    with pytest.raises(ValueError, match="not a shard"):
        from_bytes(b"\x89HDF\r\n\x1a\n" * begins_well + data, 3, 2, "float32")


@MANY
@given(st.text(), mappings, st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_a_memory_recalls_what_it_was_given_under_its_stamp_alone(
    stamp: str, facts: dict[str, Any], numbers: list[int]
) -> None:
    with TemporaryDirectory() as folder:
        memory = Path(folder, "memory.index")
        save_memo(memory, stamp, facts, {"numbers": np.array(numbers, np.int64)})
        found = load_memo(memory, stamp)
        assert found is not None and found[0] == facts and found[1]["numbers"].tolist() == numbers
        assert load_memo(memory, f"{stamp} ") is None
