"""What Hugging Face's metadata says of columns, in the forms that its versions wrote."""

from __future__ import annotations

import json

import pytest

from frostline.stages.datasets.arrow.features import Feature, features_of, read_features

CLASSES = {"names": ["cat", "dog"], "_type": "ClassLabel"}
NAMED = Feature(names=("cat", "dog"))


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"_type": "Image"}, Feature("image")),
        ({"decode": False, "_type": "Image"}, Feature("image")),
        ({"sampling_rate": 16000, "_type": "Audio"}, Feature("audio")),
        ({"dtype": "string", "_type": "Value"}, Feature("text")),
        ({"dtype": "int64", "_type": "Value"}, Feature()),
        (CLASSES, NAMED),
        ({"feature": CLASSES, "length": -1, "_type": "Sequence"}, NAMED),
        ({"feature": CLASSES, "_type": "List"}, NAMED),
        ([CLASSES], NAMED),
        ([{"dtype": "string", "_type": "Value"}], Feature()),
        ({"nested": {"_type": "Image"}}, Feature()),
        ({"names": [1, 2], "_type": "ClassLabel"}, Feature()),
        ("nonsense", Feature()),
        (None, Feature()),
    ],
)
def test_features_are_read(said: object, meant: Feature) -> None:
    assert read_features({"column": said}) == {"column": meant}
    whole = json.dumps({"info": {"features": {"column": said}}}).encode()
    assert features_of({b"huggingface": whole}) == {"column": meant}


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        {b"huggingface": b""},
        {b"huggingface": b"[]"},
        {b"huggingface": b'{"info": 1}'},
        {b"huggingface": b"[" * 100_000},
    ],
)
def test_other_metadata_says_nothing(metadata: dict[bytes, bytes] | None) -> None:
    assert features_of(metadata) == {}
