"""A network of one's own: the CIFAR ResNet-20 of He et al. (arXiv:1512.03385), as its user would write it.

    frostline run --dataset folder:cifar10 --backbone examples/resnet20.py:resnet20 --weights resnet20-cifar10.th \
        --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225
"""

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Two convolutions; the shortcut slices and pads with zero channels (option A)."""

    def __init__(self, width_in: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.stride, self.pad = stride, (width - width_in) // 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        shortcut = functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.pad, self.pad))
        return torch.relu(y + shortcut)


class ResNet20(nn.Module):
    """16, 32, 64 channels, three blocks each; 64 features before ``linear``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(Block(16, 16, 1), Block(16, 16, 1), Block(16, 16, 1))
        self.layer2 = nn.Sequential(Block(16, 32, 2), Block(32, 32, 1), Block(32, 32, 1))
        self.layer3 = nn.Sequential(Block(32, 64, 2), Block(64, 64, 1), Block(64, 64, 1))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.layer3(self.layer2(self.layer1(torch.relu(self.bn1(self.conv1(x))))))
        result: torch.Tensor = self.linear(x.mean((2, 3)))
        return result


def resnet20() -> nn.Module:
    """Return the network, untrained."""
    return ResNet20()
