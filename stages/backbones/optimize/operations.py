"""The oneDNN operations that ``torch.compile`` calls, without its minute of compiling: are they there."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter

import torch

_KNOWN = "2.10 to 2.14"  # releases of torch that take these operations as they are called here
OPERATIONS = (
    "_convolution_pointwise",
    "_convolution_pointwise_.binary",
    "_reorder_convolution_weight",
    "_linear_pointwise",
    "_linear_pointwise.binary",
    "_reorder_linear_weight",
    "_is_mkldnn_bf16_supported",
    "_is_mkldnn_fp16_supported",
)


def fusing_obstacle() -> str | None:
    """Return why this torch can't fuse, None if it can."""
    has_onednn: Callable[[], bool] = torch.backends.mkldnn.is_available
    if not has_onednn():
        return "this build of torch has no oneDNN"
    missing = [name for name in OPERATIONS if not _is_there(name)]
    if missing:
        return f"torch {torch.__version__} has no mkldnn.{missing[0]} (fusing needs torch {_KNOWN})"
    return None


def _is_there(name: str) -> bool:
    try:
        attrgetter(name)(torch.ops.mkldnn)
    except AttributeError:
        return False
    return True
