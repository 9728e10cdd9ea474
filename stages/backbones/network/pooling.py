"""What a layer gives, made one vector per image."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from frostline.stages.backbones.spec import Pooling
from frostline.stages.errors import ConfigError

_POOLS: dict[Pooling, tuple[tuple[int, ...], Callable[[Tensor], Tensor]]] = {
    "none": ((2,), lambda t: t),
    "avg": ((4,), lambda t: t.mean((2, 3))),
    "max": ((4,), lambda t: t.amax((2, 3))),
    "cls": ((3,), lambda t: t[:, 0]),
    "tokens": ((3, 4), lambda t: t.flatten(1, -2).mean(1)),
    "flatten": ((2, 3, 4), lambda t: t.flatten(1)),
}


def pool(tensor: Tensor, how: Pooling) -> Tensor:
    """Return (batch, d) from what a layer gives.

    ``none``: (batch, d) as it is. ``avg``, ``max``: over height and width of (batch,
    channels, height, width). ``cls``: the first of (batch, tokens, d). ``tokens``: the mean
    over all axes between the first and the last, so also for (batch, height, width,
    channels). ``flatten``: all values. Raises ConfigError where the shape does not fit.
    """
    if how not in _POOLS:
        raise ConfigError(f"unknown pool {how!r}; wanted one of {', '.join(_POOLS)}")
    dims, apply = _POOLS[how]
    if tensor.ndim not in dims:
        fitting = ", ".join(name for name, (d, _) in _POOLS.items() if tensor.ndim in d)
        raise ConfigError(f"pool {how!r} does not fit a layer of shape {_shape(tensor)}; fitting: {fitting or 'none'}")
    return apply(tensor)


def default_pool(tensor: Tensor, height: int, width: int) -> Pooling:
    """Return ``none`` for vectors and ``avg`` for maps of images of ``height`` x ``width``.

    Raises ConfigError where that is a guess: for tokens, and for maps whose last two axes
    don't have the image's proportions, or whose first two have them as well.
    """
    if tensor.ndim == 2:
        return "none"
    if tensor.ndim == 4:
        first, second, third = tensor.shape[1:]
        if _alike(second, third, height, width) and not _alike(first, second, height, width):
            return "avg"
    choices = {3: "cls, tokens or flatten", 4: "tokens (channels last), avg (channels first) or flatten"}
    if tensor.ndim not in choices:
        raise ConfigError(f"a layer of shape {_shape(tensor)} can't be pooled; choose another with --layer")
    raise ConfigError(
        f"a layer of shape {_shape(tensor)} can be pooled in several ways; choose --pool {choices[tensor.ndim]}"
    )


def _alike(rows: int, columns: int, height: int, width: int) -> bool:
    """Whether rows : columns is height : width, to a row or a column where they differ."""
    if height == width:
        return rows == columns
    return abs(rows - columns * height / width) <= 1 or abs(columns - rows * width / height) <= 1


def _shape(tensor: Tensor) -> str:
    return f"(batch, {', '.join(map(str, tensor.shape[1:]))})"
