"""Small networks for tests, and what they take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from frostline.stages.backbones.network.cut import Cut
from frostline.stages.backbones.optimize import optimized

IMAGES = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, 16, 16)).astype(np.float32))
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


class Net(nn.Module):
    """conv - norm - relu - conv - norm - mean - fc, and whatever ``extra`` does with the first convolution's output."""

    def __init__(self, extra: Callable[[Net, Tensor], Tensor | float] = lambda net, y: 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv1, self.norm1 = nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6)
        self.conv2, self.norm2 = nn.Conv2d(6, 8, 3, bias=False), nn.BatchNorm2d(8, affine=False)
        self.other, self.unused, self.pair = nn.Conv2d(6, 6, 1), nn.Linear(2, 2), Pair()
        self.fc = nn.Linear(8, 4)
        self.extra = extra
        for norm in (self.norm1, self.norm2):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(x)
        z = torch.relu(self.norm1(y) + self.extra(self, y))
        return self.fc(self.pair(self.norm2(self.conv2(z)))[0].mean((2, 3)))


class Pair(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, x


class Sum(nn.Module):
    """Adds up two convolutions' outputs in one of many ways."""

    def __init__(self, add: Callable[[Sum, Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.third = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(3))
        self.idle, self.relu, self.add = nn.Identity(), nn.ReLU(inplace=True), add
        self.eval().requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.idle(self.add(self, x))


def made_faster(
    model: nn.Module, layer: str, x: Tensor = IMAGES, *, portable: bool = False, device: str = "cpu"
) -> nn.Module:
    """Return the network up to a layer made faster for a device, or as it is; the layer gives what it gave."""
    cut = Cut(model, layer)
    with torch.no_grad():
        expected = cut(x.clone()).clone()
        network = optimized(cut, expected, x.clone(), device=device, portable=portable)
        torch.testing.assert_close(network(x.clone()), expected, rtol=1e-5, atol=1e-5)
    return network


def count(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in network.modules())
