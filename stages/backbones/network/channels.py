"""What to do about a network that does not take the three channels of an RGB image."""

from __future__ import annotations

from torch import nn

_RGB = 3


def size_hint(model: nn.Module) -> str:
    """Return what to change where a network can't take an image: its channels, where those differ, or the size."""
    first = next((layer for layer in model.modules() if isinstance(layer, nn.Conv2d)), None)
    if first is None or first.in_channels == _RGB:
        return "see --resize, --crop"
    if first.in_channels == 1:
        return (
            "its first layer takes 1 channel, images have 3; start its forward method with x = x.mean(1, keepdim=True)"
        )
    return f"its first layer takes {first.in_channels} channels, images have 3; expected a network of RGB images"
