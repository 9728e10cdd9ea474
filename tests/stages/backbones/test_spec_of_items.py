"""A backbone of another modality than images: recorded by the modality's name, without an image's size."""

from __future__ import annotations

import json

import pytest

from frostline.stages.backbones.spec import BackboneSpec, read_spec
from frostline.stages.errors import ConfigError
from frostline.stages.modalities import registry
from frostline.stages.modalities.image.spec import Preprocessing
from frostline.stages.modalities.registry import check_taken
from frostline.stages.plugins import Door
from frostline.stages.store.key import NAMES, FeatureKey
from support.letters import Letters, Spelled

OF_IMAGES = BackboneSpec("net", "", "f" * 64, "fc", "none", Preprocessing((8, 8)), (8, 8))
OF_LETTERS = BackboneSpec("mean", "", "f" * 64, "letters", "mean", Spelled(longest=9))


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> None:
    known = registry.MODALITIES
    door = Door(known.kind, known.group, {**known._built_in, "letters": Letters()})
    monkeypatch.setattr(registry, "MODALITIES", door)
    monkeypatch.setattr("frostline.stages.backbones.spec.MODALITIES", door)


@pytest.mark.parametrize("spec", [OF_IMAGES, OF_LETTERS])
def test_a_spec_is_read_as_it_was_written(spec: BackboneSpec) -> None:
    assert read_spec(json.loads(json.dumps(spec.fields()))) == spec


def test_the_modality_is_recorded_where_it_is_not_the_images_which_alone_has_a_size() -> None:
    assert {"modality", "size"} & set(OF_IMAGES.fields()) == {"size"}
    assert {"modality", "size"} & set(OF_LETTERS.fields()) == {"modality"}
    key = FeatureKey("content", OF_LETTERS, "UTF-8").fields()
    assert (key["modality"], key["longest"], key["layer"], key["pool"]) == ("letters", 9, "letters", "mean")
    assert {*FeatureKey("content", OF_IMAGES, "").fields(), *key} - NAMES == {
        "resize", "crop", "interpolation", "mean", "std", "longest",
    }  # fmt: skip


def test_a_transform_whose_field_is_called_as_one_of_the_keys_is_refused() -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Clash(Spelled):
        weights: str = "mine"

    spec = BackboneSpec("mean", "", "f" * 64, "letters", "mean", Clash())
    with pytest.raises(ConfigError, match="fields called weights"):
        FeatureKey("content", spec, "UTF-8").fields()


def test_a_modality_that_is_not_there_any_more_is_named() -> None:
    with pytest.raises(ConfigError, match="modality 'smell'"):
        read_spec({**OF_LETTERS.fields(), "modality": "smell"})


def test_samples_of_another_modality_are_refused_and_both_are_named() -> None:
    check_taken("net", "image", "image")
    with pytest.raises(ConfigError, match=r"net takes images, but the samples are texts; .*--backbone for texts"):
        check_taken("net", "image", "letters")
