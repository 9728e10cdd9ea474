"""Linear layers and attention with what follows them: fused where that changes nothing, and only there."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn
from torchvision.models import VisionTransformer

from frostline.stages.backbones.optimize.layers.attention import FusedAttention
from frostline.stages.backbones.optimize.layers.linear import FusedLinear
from support.networks import TOKENS, Block, made_faster

pytestmark = pytest.mark.usefixtures("fusing")
ACTIVATIONS = [nn.GELU(), nn.GELU("tanh"), nn.ReLU(), nn.SiLU(), nn.Hardswish(), nn.functional.relu6]


def fused(model: nn.Module, layer: str = "end", x: Tensor = TOKENS) -> fx.GraphModule:
    """Return the network made faster, which gives what it gave before."""
    network = made_faster(copy.deepcopy(model), layer, x)
    assert isinstance(network, fx.GraphModule)
    return network


def calls(network: fx.GraphModule, kind: type[nn.Module]) -> list[fx.Node]:
    nodes = [node for node in network.graph.nodes if node.op == "call_module"]
    return [node for node in nodes if isinstance(network.get_submodule(str(node.target)), kind)]


def additions(network: fx.GraphModule) -> int:
    kinds = (FusedLinear, FusedAttention)
    return sum(len(node.args) == 2 for kind in kinds for node in calls(network, kind))


@pytest.mark.parametrize("act", ACTIVATIONS, ids=lambda act: getattr(act, "__name__", str(act)))
def test_an_activation_after_a_linear_layer_is_the_same_number_fused(act: Any) -> None:
    model = Block(lambda net, x: net.second(net.act(net.first(x * 9))))
    model.act = act
    network = fused(model)
    assert not any(node.target is act or str(node.target).endswith("act") for node in network.graph.nodes)


def _changed_between(net: Any, x: Tensor) -> Tensor:
    y, z = net.second(x), net.first(x)
    y.add_(1)
    return z + y


def _both(net: Any, x: Tensor) -> Tensor:
    y = net.first(x)
    return y + y


@pytest.mark.parametrize(
    ("work", "fused_sums"),
    [
        (lambda net, x: x + net.first(x), 1),
        (lambda net, x: torch.add(net.first(x), x), 1),
        (lambda net, x: net.second(net.first(x) + x) + x, 2),
        (lambda net, x: net.shift + net.first(x), 1),
        (lambda net, x: torch.add(x, net.first(x), alpha=2), 0),
        (lambda net, x: torch.relu(net.first(x)) + x, 0),
        (lambda net, x: net.first(x) + 1, 0),
        (_changed_between, 0),
        (_both, 0),
    ],
)
def test_a_sum_is_fused_into_a_linear_layer_only_where_it_comes_next(work: Any, fused_sums: int) -> None:
    assert additions(fused(Block(work))) == fused_sums


def test_what_is_added_to_a_linear_layer_is_not_written_over() -> None:
    network = fused(Block(lambda net, x: net.second(x + net.first(x)) + x))
    given = TOKENS.clone()
    network(given)
    assert additions(network) == 2 and torch.equal(given, TOKENS)


@pytest.mark.parametrize(
    ("work", "attentions", "fused_sums"),
    [
        (lambda net, x: net.attention(x, x, x, need_weights=False)[0], 1, 0),
        (lambda net, x: x + net.attention(x, x, x)[0], 1, 1),
        (lambda net, x: net.attention(x, x, net.first(x), need_weights=False)[0], 0, 0),
        (lambda net, x: net.attention(x, x, x, attn_mask=net.mask, need_weights=False)[0], 0, 0),
        (lambda net, x: net.attention(x, x, x)[1] @ x, 0, 0),
    ],
)
def test_attention_is_rewritten_where_it_is_of_a_value_to_itself(work: Any, attentions: int, fused_sums: int) -> None:
    model = Block(work)
    model.register_buffer("mask", torch.full((5, 5), -9.0).triu(1))
    network = fused(model)
    assert (len(calls(network, FusedAttention)), additions(network)) == (attentions, fused_sums)


@pytest.mark.parametrize("how", [{"batch_first": False}, {"add_bias_kv": True}, {"add_zero_attn": True}], ids=str)
def test_attention_of_another_kind_stays_as_it_is(how: dict[str, bool]) -> None:
    network = fused(Block(lambda net, x: net.attention(x, x, x, need_weights=False)[0], **how))
    assert not calls(network, FusedAttention)


def vision_transformer() -> tuple[VisionTransformer, Tensor]:
    torch.manual_seed(0)
    model = VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=10).eval().requires_grad_(False)
    return model, torch.from_numpy(np.random.default_rng(1).normal(size=(8, 3, 32, 32)).astype(np.float32))


def test_a_vision_transformer_keeps_no_plain_linear_layer_attention_or_sum_of_a_block() -> None:
    model, x = vision_transformer()
    network = fused(model, "heads.head:input", x)
    assert not calls(network, nn.Linear) and not calls(network, nn.MultiheadAttention)
    assert (len(calls(network, FusedLinear)), len(calls(network, FusedAttention)), additions(network)) == (4, 2, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_an_images_features_are_the_same_bits_wherever_it_stands_in_a_batch(dtype: torch.dtype) -> None:
    model, x = vision_transformer()
    network, x = fused(model, "heads.head:input", x).to(dtype), x.to(dtype)
    order = torch.randperm(8)
    assert torch.equal(network(x[order]), network(x)[order])
    assert torch.equal(network(torch.cat([x[:1], -x[1:]]))[0], network(x)[0])


def test_bf16_points_where_fp32_does() -> None:
    model, x = vision_transformer()
    network = fused(model, "heads.head:input", x)
    exact = network(x)
    rough = copy.deepcopy(network).to(torch.bfloat16)(x.bfloat16()).float()
    assert not torch.equal(exact, rough) and torch.cosine_similarity(exact, rough).min() > 0.999
