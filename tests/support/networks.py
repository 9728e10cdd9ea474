"""Small networks for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

TOKENS = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 5, 8)).astype(np.float32))


class Block(nn.Module):
    """Two linear layers and attention, put together as ``work`` does; ``end`` is the layer."""

    def __init__(self, work: Callable[[Any, Tensor], Tensor], **attention: Any) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(8, 8), nn.Linear(8, 8, bias=False)
        self.attention = nn.MultiheadAttention(8, 2, **{"batch_first": True, **attention})
        nn.init.normal_(self.attention.in_proj_bias)
        self.shift, self.end, self.work = nn.Parameter(torch.randn(1, 5, 8)), nn.Softsign(), work
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.work(self, x))
