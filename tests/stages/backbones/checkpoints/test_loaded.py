"""Backbones from checkpoints as they are saved, and what keys say of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

from frostline.stages.backbones import BackboneRequest, fingerprint, load_backbone
from frostline.stages.backbones.describe.source_classifier import source_classifier
from frostline.stages.backbones.inference.backbone import Backbone
from frostline.stages.errors import ConfigError
from frostline.stages.records.sealed import digest, file_digest
from support.pictures import picture

QUICK = "shufflenet_v2_x0_5"
PIXELS = np.random.default_rng(1).integers(0, 256, (2, 64, 64, 3), np.uint8)


def asked(weights: object, **more: Any) -> BackboneRequest:
    return BackboneRequest(QUICK, str(weights), preprocessing={"resize": (64, 64), "crop": None}, **more)


def loaded(weights: object, **more: Any) -> Backbone:
    return load_backbone(asked(weights, **more), picture(0, (64, 64)))


def state(seed: int, classes: int = 1000) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return torchvision.models.get_model(QUICK, num_classes=classes).state_dict()


def saved(content: Any, file: Path) -> Path:
    torch.save(content, file)
    return file


def test_own_classes_are_counted_under_any_prefix(tmp_path: Path) -> None:
    plain = saved(state(0, 7), tmp_path / "plain.pth")
    parallel = saved({"state_dict": {f"module.net.{n}": t for n, t in state(0, 7).items()}}, tmp_path / "parallel.pth")
    assert np.array_equal(loaded(plain).embed({"pixels": PIXELS}), loaded(parallel).embed({"pixels": PIXELS}))
    found = source_classifier(asked(parallel), "fc:input")
    assert found is not None and found[0].shape == (7, 1024)


def test_a_classifier_that_was_cut_off_is_needed_for_nothing_before_it(tmp_path: Path) -> None:
    whole = saved(state(0), tmp_path / "whole.pth")
    cut = saved({n: t for n, t in state(0).items() if not n.startswith("fc.")}, tmp_path / "cut.pth")
    assert np.array_equal(loaded(whole).embed({"pixels": PIXELS}), loaded(cut).embed({"pixels": PIXELS}))
    assert source_classifier(asked(cut), "fc:input") is None
    for layer in ("output", "fc"):
        with pytest.raises(ConfigError, match=f"layer '{layer}' needs the weights of fc, .* --layer fc:input"):
            loaded(cut, layer=layer)


@pytest.mark.parametrize("layer", ["conv1.", "conv1.1", "stage3.0.branch1", "conv5."])
def test_a_layer_that_is_missing_before_others_that_are_not_is_an_error_that_names_it(
    tmp_path: Path, layer: str, caplog: pytest.LogCaptureFixture
) -> None:
    cut = saved({n: t for n, t in state(0).items() if not n.startswith(layer)}, tmp_path / "cut.pth")
    with pytest.raises(ConfigError, match=rf"don't fit the model:\n  missing: {layer}"):
        loaded(cut)
    assert "need none" not in caplog.text


def test_a_first_layer_of_one_channel_is_an_error_that_says_both_shapes(tmp_path: Path) -> None:
    grey = saved(state(0) | {"conv1.0.weight": torch.ones(24, 1, 3, 3)}, tmp_path / "grey.pth")
    with pytest.raises(ConfigError, match=r"shape of conv1.0.weight: \(24, 1, 3, 3\) found, \(24, 3, 3, 3\) expected"):
        loaded(grey)


def test_a_part_that_is_named_is_in_the_key_and_what_is_taken_by_itself_is_not(tmp_path: Path) -> None:
    file = saved({"state_dict": state(0), "state_dict_ema": state(1)}, tmp_path / "w.pth")
    usual, ema = loaded(file), loaded(f"{file}#state_dict_ema")
    assert usual.spec.weights == file_digest(file)
    assert (
        ema.spec.weights
        == digest([file_digest(file), "state_dict_ema"])
        == asked(f"{file}#state_dict_ema").weights_digest
    )
    alone = loaded(saved(state(1), tmp_path / "ema.pth"))
    assert np.array_equal(ema.embed({"pixels": PIXELS}), alone.embed({"pixels": PIXELS}))
    assert not np.array_equal(usual.embed({"pixels": PIXELS}), ema.embed({"pixels": PIXELS}))
    marks = [fingerprint(asked(f"{file}{part}")) for part in ("", "#state_dict_ema", "#state_dict")]
    assert len({digest(mark) for mark in marks}) == 3


def test_a_files_own_name_may_have_the_mark_of_a_part(tmp_path: Path) -> None:
    file = saved(state(0), tmp_path / "run#3.pth")
    assert asked(file).weights_file == file and asked(file).weights_part == ""
    again = asked(f"{file}#net")
    assert (again.weights_file, again.weights_part) == (file, "net")
    for name in ("nowhere.pth#net", "no/where#net"):
        with pytest.raises(ConfigError, match="no weights file"):
            asked(tmp_path / name).weights_file  # noqa: B018
