"""Fold batch normalisation into the convolution before it (inference only)."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from stages.backbones.tracing import INPUT, Call, tapped, watch

_TOLERANCE = 1e-4


def folded(model: nn.Module, layer: str, batch: Tensor) -> nn.Module:
    """Return a copy of the model with every foldable normalisation folded, or the model itself.

    A pair is folded where the convolution's output goes, untouched, to the normalisation
    and is not what ``layer`` takes. The copy must agree with the model at ``layer``, on
    ``batch``, to 1e-4 of the largest value: code between the modules may use what was
    folded away, and hooks can't see that.
    """
    calls, _ = watch(model, batch)
    pairs = [pair for pair in _pairs(calls) if layer not in (pair[0].name, pair[1].name + INPUT)]
    if not pairs:
        return model
    copied = copy.deepcopy(model)
    for conv, norm in pairs:
        _fold(copied, conv.name, norm.name)
    with torch.no_grad(), tapped(model, layer) as plain, tapped(copied, layer) as fast:
        expected, got = plain(batch).clone(), fast(batch)
    agrees = bool((expected - got).abs().max() <= _TOLERANCE * expected.abs().max())
    return copied if agrees else model


def _pairs(calls: list[Call]) -> list[tuple[Call, Call]]:
    seen: dict[str, int] = {}
    for call in calls:
        seen[call.name] = seen.get(call.name, 0) + 1
    convs = [c for c in calls if type(c.module) is nn.Conv2d and seen[c.name] == 1]
    norms = [c for c in calls if type(c.module) is nn.BatchNorm2d and seen[c.name] == 1 and _usable(c.module)]
    made = {id(c.output): c for c in convs}
    return [
        (made[id(n.input)], n)
        for n in norms
        if id(n.input) in made and made[id(n.input)].output_version == n.input_version
    ]


def _usable(norm: nn.Module) -> bool:
    return isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and not norm.training


def _fold(model: nn.Module, conv_name: str, norm_name: str) -> None:
    conv, norm = model.get_submodule(conv_name), model.get_submodule(norm_name)
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None and norm.running_var is not None
    conv.weight, conv.bias = fuse_conv_bn_weights(  # type: ignore[assignment]
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    parent, _, name = norm_name.rpartition(".")
    setattr(model.get_submodule(parent), name, nn.Identity())
