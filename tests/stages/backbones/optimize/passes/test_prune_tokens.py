"""Where a network reads one token of many, the others are computed as far as that one depends on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torchvision.models import VisionTransformer

from support.networks import TOKENS, Block, made_faster

pytestmark = pytest.mark.usefixtures("optimizations")
Work = Callable[[Any, Tensor], Tensor]


def tokens_of(model: nn.Module, x: Tensor, layer: str = "end", *, portable: bool = True) -> dict[str, int]:
    """Return how many tokens each module of the network made faster gives; the result is what it was."""
    network = made_faster(model, layer, x, portable=portable)
    assert isinstance(network, fx.GraphModule)
    with torch.no_grad():
        ShapeProp(network).propagate(x)
    nodes = [node for node in network.graph.nodes if node.op == "call_module"]
    shapes = {str(node.target): getattr(node.meta["tensor_meta"], "shape", ()) for node in nodes}
    return {name: shape[1] for name, shape in shapes.items() if len(shape) == 3}


def after_attention(net: Any, x: Tensor) -> Tensor:
    x = x + net.attention(x, x, x, need_weights=False)[0]
    return x + net.second(net.first(x))


@pytest.mark.parametrize(
    ("work", "first", "second"),
    [
        (lambda net, x: net.second(net.first(x))[:, 0], 1, 1),
        (lambda net, x: net.second(net.first(x)), 5, 5),
        (lambda net, x: net.second(net.first(x))[:, 1], 5, 5),
        (lambda net, x: net.second(net.first(x)).mean(1), 5, 5),
        (lambda net, x: (y := net.first(x))[:, 0] + net.second(y).mean(1), 5, 5),
        (lambda net, x: net.second(net.first(x).flip(1))[:, 0], 5, 1),
        (lambda net, x: after_attention(net, x)[:, 0], 1, 1),
        (lambda net, x: after_attention(net, net.second(x))[:, 0], 1, 1),
        (lambda net, x: (net.second(net.first(x)) + net.shift)[:, 0], 5, 5),
        (lambda net, x: torch.add(net.first(x), net.second(x))[:, 0], 1, 1),
        (lambda net, x: net.second(net.first(x) * net.attention.out_proj.bias)[:, 0, :], 1, 1),
        (lambda net, x: net.second(net.first(x) * net.shift[0])[:, 0], 5, 5),  # whose first axis is not the batch
    ],
)
def test_what_only_the_first_token_is_read_of_computes_no_other(work: Work, first: int, second: int) -> None:
    found = tokens_of(Block(work), TOKENS)
    assert (found["model.first"], found["model.second"]) == (first, second)


@pytest.mark.parametrize("portable", [True, False])
def test_the_last_block_of_a_vision_transformer_computes_the_class_token_alone(portable: bool) -> None:
    torch.manual_seed(0)
    model = VisionTransformer(32, 8, 3, 4, 32, 64, num_classes=10).eval().requires_grad_(False)
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(4, 3, 32, 32)).astype(np.float32))
    found = tokens_of(model, x, "heads.head:input", portable=portable)
    pruned = {name for name, tokens in found.items() if tokens == 1}
    last = {name for name in found if "layer_2" in name and "ln_1" not in name}
    assert pruned == {*last, "model.encoder.ln"} and len(last) >= 3


def test_rows_of_features_are_not_taken_for_tokens() -> None:
    model = Block(lambda net, x: net.second(net.first(x))[:, 0])
    network = made_faster(model, "end", TOKENS[:, 0].contiguous(), portable=True)
    assert isinstance(network, fx.GraphModule)  # all else is done nevertheless
