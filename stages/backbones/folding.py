"""Fold batch normalisation into the convolution before it (inference only)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from stages.backbones.tracing import Trace, tapped

_TOLERANCE = 1e-5


def fold(model: nn.Module, layer: str, trace: Trace, batch: Tensor) -> int:
    """Fold in place what ``trace``, a pass over ``batch`` up to ``layer``, shows to be foldable; return how many.

    A pair is folded where the convolution's output goes, untouched, to the normalisation
    and to no other module. What comes out at ``layer`` must stay the same to 1e-5 of its
    largest value: code between the modules may use what was folded away, and hooks can't
    see that. If it does not, nothing is folded.
    """
    undo = [_fold(model, conv, norm) for conv, norm in _pairs(trace)]
    if undo and not _agrees(model, layer, trace.output, batch):
        for step in reversed(undo):
            step()
        return 0
    return len(undo)


def _agrees(model: nn.Module, layer: str, expected: Tensor, batch: Tensor) -> bool:
    try:
        with torch.no_grad(), tapped(model, layer) as run:
            return bool((run(batch) - expected).abs().max() <= _TOLERANCE * expected.abs().max())
    except Exception:  # the model's code may reach for what is no longer there
        return False


def _pairs(trace: Trace) -> list[tuple[str, str]]:
    """Return the names of the convolutions and the normalisations after them."""
    times = Counter(call.name for call in trace.calls)
    once = {call.name: call for call in trace.calls if times[call.name] == 1}
    norms = [call for call in once.values() if _is_norm(call.module) and call.source in once]
    pairs = [(call.source, call.name) for call in norms if call.source is not None and trace.uses[call.source] == 1]
    return [(conv, norm) for conv, norm in pairs if _is_conv(once[conv].module)]


def _is_conv(module: nn.Module) -> bool:
    return type(module) is nn.Conv2d and isinstance(module.weight, nn.Parameter)


def _is_norm(module: nn.Module) -> bool:
    return type(module) is nn.BatchNorm2d and module.running_mean is not None and not module.training


def _fold(model: nn.Module, conv_name: str, norm_name: str) -> Callable[[], None]:
    """Fold one pair; return what undoes it."""
    conv, norm = model.get_submodule(conv_name), model.get_submodule(norm_name)
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None and norm.running_var is not None
    before = conv.weight, conv.bias
    conv.weight, conv.bias = fuse_conv_bn_weights(
        conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    model.set_submodule(norm_name, nn.Identity())

    def undo() -> None:
        conv.weight, conv.bias = before
        model.set_submodule(norm_name, norm)

    return undo
