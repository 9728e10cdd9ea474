"""``last4`` names the last blocks of a network whose blocks are one row."""

from __future__ import annotations

import pytest
import torchvision
from torch import nn

from frostline.stages.backbones.network.last_blocks import named_blocks
from frostline.stages.errors import ConfigError


def test_the_last_blocks_of_a_vision_transformer_are_named_with_their_pooling() -> None:
    model = torchvision.models.VisionTransformer(32, 8, 6, 2, 16, 32)
    row = "encoder.layers.encoder_layer_"
    assert named_blocks(model, "last2@cls") == f"{row}4@cls,{row}5@cls"
    assert named_blocks(model, "last1") == f"{row}5"
    assert named_blocks(model, "encoder.ln") == "encoder.ln"


def test_more_blocks_than_there_are_is_an_error_with_how_many() -> None:
    with pytest.raises(ConfigError, match="found a sequence of 3 blocks; expected 4 or more"):
        named_blocks(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)), "last4")


def test_blocks_in_several_rows_are_not_guessed() -> None:
    with pytest.raises(ConfigError, match="no sequence of blocks of one class"):
        named_blocks(torchvision.models.resnet50(), "last4")


def test_a_layer_of_that_name_is_meant_itself() -> None:
    model = nn.ModuleDict({"last4": nn.Linear(2, 2), "row": nn.Sequential(*[nn.ReLU() for _ in range(5)])})
    assert named_blocks(model, "last4") == "last4"
