"""Checkpoints whose tensors would load and give other features: quantised ones, and those of a network with more."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from frostline.stages.backbones.checkpoints.fit import load_weights
from frostline.stages.backbones.checkpoints.refused import check_extra
from frostline.stages.errors import ConfigError


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))


def state(kind: torch.dtype) -> dict[str, Tensor]:
    return {name: (10 * tensor).to(kind) for name, tensor in network().state_dict().items()}


@pytest.mark.parametrize("kind", [torch.int8, torch.uint8, torch.bool, torch.int64, torch.complex64])
def test_no_integers_and_no_complex_numbers_are_taken_for_weights(kind: torch.dtype) -> None:
    net, name = network(), str(kind).removeprefix("torch.")
    with pytest.raises(
        ConfigError, match=rf"probably quantised:\n  0.weight: {name} found, float32 expected\n"
    ) as error:
        load_weights(net, state(kind), "w.pth")
    assert "num_batches_tracked" not in str(error.value)
    assert all(torch.equal(t, network().state_dict()[n]) for n, t in net.state_dict().items())


def test_one_quantised_layer_is_enough_and_many_are_counted() -> None:
    with pytest.raises(ConfigError, match=r"quantised:\n  3.weight: int8 found, float32 expected\nSave"):
        load_weights(network(), {**state(torch.float32), "3.weight": torch.ones(2, 4, dtype=torch.int8)}, "w.pth")
    many = nn.Sequential(*[nn.Linear(1, 1) for _ in range(9)])
    with pytest.raises(ConfigError, match="\n  8 more\n"):
        load_weights(many, {name: t.to(torch.int8) for name, t in many.state_dict().items()}, "w.pth")


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_floats_of_any_width_are_weights_and_counts_may_be_of_any_kind(kind: torch.dtype) -> None:
    net = network()
    load_weights(net, state(kind) | {"1.num_batches_tracked": torch.tensor(3, dtype=torch.int32)}, "w.pth")
    assert torch.equal(net.state_dict()["0.weight"], state(kind)["0.weight"].float())


@pytest.mark.parametrize(
    "name",
    [
        "blocks.0.attn.qkv.lora_A.weight",
        "base.q.lora_B.default.weight",
        "blocks.0.attn.qkv.SCB",
        "reg_token",
        "embeddings.register_tokens",
        "blocks.1.adapter.down.weight",
        "layer1.0.adapters.3.bias",
        "blocks.1.mlp_adapter.weight",
    ],
)
def test_what_says_that_more_was_trained_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"(?s)weights that this network has no place for.*\n  {name}\n"):
        load_weights(network(), {**state(torch.float32), name: torch.ones(1)}, "w.pth")


def test_names_that_only_look_alike_are_not_more() -> None:
    check_extra(["extra", "head.weight", "explora_tion", "adapted.weight", "reg_tokenizer.weight"], "w.pth")
