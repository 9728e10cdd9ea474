"""timm's combined layers as torch's own, which can be traced and fused; the numbers stay what they are."""

from __future__ import annotations

from typing import Any

import torch
from timm.layers import BatchNormAct2d, Conv2dSame
from timm.layers.padding import get_same_padding
from torch import Tensor, nn


def with_plain_layers(model: nn.Module, size: tuple[int, int] | None) -> None:
    """Put torch's own layers in place of timm's that do the same, under the same names.

    A normalisation with its activation becomes two layers in a row; a convolution that pads as TensorFlow does, which
    depends on the size of images, becomes padding and a convolution where that ``size`` is known.
    """
    for name, layer in list(model.named_modules()):
        if type(layer) is BatchNormAct2d and layer.running_mean is not None:
            _put(model, name, _in_a_row([_norm(layer), layer.drop, layer.act]))
    if size and any(type(layer) is Conv2dSame for layer in model.modules()):
        for name, seen in _seen_sizes(model, size).items():
            _put(model, name, _padded(model.get_submodule(name), seen))


def _put(model: nn.Module, name: str, layer: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    if name:
        setattr(model.get_submodule(parent), last, layer)


def _in_a_row(layers: list[nn.Module]) -> nn.Module:
    kept = [layer for layer in layers if not isinstance(layer, nn.Identity)]
    return kept[0] if len(kept) == 1 else nn.Sequential(*kept)


def _norm(layer: BatchNormAct2d) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
    norm.weight, norm.bias = layer.weight, layer.bias
    norm.running_mean, norm.running_var = layer.running_mean, layer.running_var
    return norm


def _padded(layer: nn.Module, size: tuple[int, int]) -> nn.Module:
    given: Any = layer
    kernel, stride, dilation = given.kernel_size, given.stride, given.dilation
    rows, columns = (get_same_padding(size[i], kernel[i], stride[i], dilation[i]) for i in range(2))
    how = {"dilation": dilation, "groups": given.groups, "bias": given.bias is not None, "device": "meta"}
    conv = nn.Conv2d(given.in_channels, given.out_channels, kernel, stride, **how)
    conv.weight, conv.bias = given.weight, given.bias
    pad = nn.ZeroPad2d((columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
    return nn.Sequential(pad, conv)


def _seen_sizes(model: nn.Module, size: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """Return the height and width that each convolution of TensorFlow's padding is given; of a pass that fails, none.

    Whoever runs the network next meets the failure again, and says what of.
    """
    names: dict[nn.Module, str] = {layer: name for name, layer in model.named_modules() if type(layer) is Conv2dSame}
    seen: dict[str, tuple[int, int]] = {}

    def note(layer: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen[names[layer]] = (given[0].shape[-2], given[0].shape[-1])

    handles = [layer.register_forward_pre_hook(note) for layer in names]
    try:
        with torch.no_grad():
            model.eval()(torch.zeros(1, 3, *size))
    except Exception:  # of any model's code, at any size; the layers then stay as they are
        return {}
    finally:
        for handle in handles:
            handle.remove()
    return seen
