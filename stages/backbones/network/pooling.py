"""What a layer gives, made one vector per image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from frostline.stages.errors import ConfigError

_POOLS: dict[str, tuple[tuple[int, ...], Callable[[Tensor], Tensor]]] = {
    "none": ((2,), lambda t: t),
    "avg": ((4,), lambda t: t.mean((2, 3))),
    "max": ((4,), lambda t: t.amax((2, 3))),
    "cls": ((3,), lambda t: t[:, 0]),
    "tokens": ((3, 4), lambda t: t.flatten(1, -2).mean(1)),
    "flatten": ((2, 3, 4), lambda t: t.flatten(1)),
}
_OF_PATCHES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "mean": lambda t, prefix: t[:, prefix:].mean(1),
    "cls+mean": lambda t, prefix: torch.cat([t[:, 0], t[:, prefix:].mean(1)], 1),
}


def pool(tensor: Tensor, how: str, prefix_tokens: int | None = None) -> Tensor:
    """Return (batch, d) from what a layer gives.

    ``none``: (batch, d) as it is. ``avg``, ``max``: over height and width of (batch,
    channels, height, width). ``cls``: the first of (batch, tokens, d). ``tokens``: the mean
    over all axes between the first and the last, so also for (batch, height, width,
    channels). ``flatten``: all values. ``mean``: that of the patches' tokens, of (batch, tokens,
    d), without the ``prefix_tokens`` before them; ``cls+mean``: (batch, 2 d), the first token and
    that. Raises ConfigError where the shape does not fit, where there is no class token, or where it is not known which
    tokens are patches'.
    """
    if how in _OF_PATCHES:
        return _OF_PATCHES[how](tensor, _prefix(tensor, how, prefix_tokens))
    if how not in _POOLS:
        raise ConfigError(f"unknown pool {how!r}; expected one of {', '.join((*_POOLS, *_OF_PATCHES))}")
    dims, apply = _POOLS[how]
    if tensor.ndim not in dims:
        raise _unmatched(how, tensor)
    if how == "cls":
        _check_class_token(how, prefix_tokens)
    return apply(tensor)


def _prefix(tensor: Tensor, how: str, known: int | None) -> int:
    """Return how many tokens come before the patches'. Raises ConfigError where that is not known, or none does."""
    if tensor.ndim != 3:
        raise _unmatched(how, tensor)
    if known is None:
        raise ConfigError(
            f"pool {how!r}: it is not known which tokens of this network are patches; expected cls or tokens"
        )
    if how == "cls+mean":
        _check_class_token(how, known)
    return known


def _check_class_token(how: str, prefix_tokens: int | None) -> None:
    if prefix_tokens == 0:
        raise ConfigError(f"pool {how!r}: this network has no class token; expected mean")


def _unmatched(how: str, tensor: Tensor) -> ConfigError:
    matching = ", ".join(name for name, (dims, _) in _POOLS.items() if tensor.ndim in dims)
    wanted = f"expected one of: {matching}" if matching else "no pool does; choose another layer with --layer"
    return ConfigError(f"pool {how!r} does not match a layer of shape {_shape(tensor)}; {wanted}")


def default_pool(tensor: Tensor, height: int, width: int) -> str:
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
    choices = {
        3: "cls, tokens, mean, cls+mean or flatten",
        4: "tokens (channels last), avg (channels first) or flatten",
    }
    if tensor.ndim not in choices:
        raise ConfigError(f"a layer of shape {_shape(tensor)} can't be pooled; choose another layer with --layer")
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
