"""A network made faster, if it still gives what it gave; else as it is written, and the reason is said."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, fx, nn

from frostline.stages.backbones.network.cut import Cut
from frostline.stages.backbones.optimize.allocator import keep_freed_memory
from frostline.stages.backbones.optimize.operations import fusing_obstacle
from frostline.stages.backbones.optimize.passes.drop_idle import drop_idle
from frostline.stages.backbones.optimize.passes.fold_norms import fold_norms
from frostline.stages.backbones.optimize.passes.fuse_attention import fuse_attention
from frostline.stages.backbones.optimize.passes.fuse_convolutions import fuse_convolutions
from frostline.stages.backbones.optimize.passes.fuse_cudnn import fuse_cudnn
from frostline.stages.backbones.optimize.passes.fuse_linear import fuse_linear
from frostline.stages.backbones.optimize.passes.prune_tokens import prune_tokens
from frostline.stages.backbones.optimize.trace import has_hooks, traced
from frostline.stages.errors import shortened

log = logging.getLogger("frostline")
_TOLERANCE = 1e-5
_FUSIBLE = (nn.Conv2d, nn.Linear)
_LONGEST = 120  # letters of what someone's code says
Pass = Callable[[fx.GraphModule], None]
_ON_A_CPU: tuple[Pass, ...] = (fuse_convolutions, fuse_attention, fuse_linear)


class _AsWritten(Exception):
    """Why a network can't be made faster."""


def optimized(cut: Cut, expected: Tensor, batch: Tensor, *, device: str, portable: bool) -> nn.Module:
    """Return the network up to its layer, faster where that is possible.

    Batch normalisation is folded into the convolution before it, and tokens that nobody reads are not computed. On a
    CPU, unless it is to be ``portable``, convolutions, linear layers and attention are also fused with additions and
    activations after them; for a GPU, convolutions with ReLU get ready for that, see ``settle``. A network that has
    hooks, whose code can't be traced, or that does not give ``expected`` on ``batch`` any more, to 1e-5 of its largest
    value, is returned as it is. What can't be done is logged. The
    weights of ``cut`` are shared.
    """
    keep_freed_memory()
    wanted = device == "cpu" and not portable
    obstacle = fusing_obstacle()
    fusing = (_ON_A_CPU if obstacle is None else ()) if device == "cpu" else (fuse_cudnn,)
    try:
        graph = _verified(cut, expected, batch, () if portable else fusing)
    except _AsWritten as reason:
        log.info("the network runs unoptimised: %s", reason)
        return cut
    if wanted and obstacle and any(isinstance(module, _FUSIBLE) for module in graph.modules()):
        log.info("the network's layers are not fused: %s", obstacle)
    return graph


def _verified(cut: Cut, expected: Tensor, batch: Tensor, fusing: tuple[Pass, ...]) -> fx.GraphModule:
    if has_hooks(cut):
        raise _AsWritten("it has hooks")
    fault = None
    for pruned in (True, False):  # what is taken for tokens may be something else
        graph = _rewritten(cut, fusing, pruned=pruned)
        fault = _fault(graph, expected, batch)
        if fault is None:
            return graph
    raise _AsWritten(fault)


def _rewritten(cut: Cut, fusing: tuple[Pass, ...], *, pruned: bool) -> fx.GraphModule:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            graph = traced(cut)
        except Exception as error:
            raise _AsWritten(f"its code can't be traced ({_message(error)})") from error
        try:
            _rewrite(graph, fusing, pruned=pruned)
        except Exception as error:  # a graph that torch makes otherwise than the releases known
            raise _AsWritten(
                f"its graph can't be rewritten with torch {torch.__version__} ({_message(error)})"
            ) from error
    return graph.eval()


def _rewrite(graph: fx.GraphModule, fusing: tuple[Pass, ...], *, pruned: bool) -> None:
    for rewrite in (drop_idle, *((prune_tokens,) if pruned else ()), fold_norms, *fusing):
        rewrite(graph)
    graph.delete_all_unused_submodules()
    graph.recompile()


@torch.inference_mode()
def _fault(graph: fx.GraphModule, expected: Tensor, batch: Tensor) -> str | None:
    """Return in what a graph's result differs from what is expected, None if in nothing that counts."""
    try:
        difference, scale = (graph(batch) - expected).abs().max(), expected.abs().max()
    except Exception as error:
        return f"optimised, it fails in torch {torch.__version__} ({_message(error)})"
    if difference <= _TOLERANCE * scale:
        return None
    return f"optimised, its values differ by {float(difference / scale):.0e} of the largest"


def _message(error: Exception) -> str:
    return shortened(f"{type(error).__name__}: {error}".partition("\n")[0], _LONGEST)
