"""Whether what a layer gives are the tokens whose first ones a network's family knows."""

from __future__ import annotations

from torch import Tensor, nn

from frostline.stages.backbones.network.cut import watch
from frostline.stages.backbones.spec import OUTPUT
from frostline.stages.errors import ConfigError

_BY_PLACE: tuple[str, ...] = ("cls", "mean", "cls+mean")


def check_tokens(
    model: nn.Module, layer: str, given: Tensor, how: str, prefix_tokens: int | None, batch: Tensor
) -> None:
    """Raise ConfigError where a pooling takes tokens by their place, and a layer has others than the network's last.

    ``given``: (batch, tokens, d), what the layer gives of ``batch``. ``prefix_tokens``: how many of the network's last
    tokens come before those of the patches. Some layers come before the class token is put there.
    """
    if how not in _BY_PLACE or not prefix_tokens or given.ndim != 3 or layer == OUTPUT:
        return
    count, wanted = given.shape[1], _counts(model, batch, prefix_tokens)
    if count not in wanted:
        expected = " or ".join(map(str, sorted(wanted))) or "unknown"
        raise ConfigError(
            f"pool {how!r}: layer {layer!r} gives {count} tokens for an image, but {prefix_tokens} tokens before "
            f"the patches would make {expected}. It is not known which tokens are patches; expected tokens (the "
            "mean of all)"
        )


def check_class_token(layer: str, how: str) -> None:
    """Raise ConfigError where a class token is asked for, of a network whose first tokens are registers alone."""
    pools = [how] if how != "none" else [one.partition("@")[2] for one in layer.split(",")]
    asked = [pool for pool in pools if pool in ("cls", "cls+mean")]
    if asked:
        raise ConfigError(f"pool {asked[0]!r}: this network has registers and no class token; expected mean")


def _counts(model: nn.Module, batch: Tensor, prefix_tokens: int) -> set[int]:
    """Return how many tokens there are with those before the patches: a grid's and these, and the network's last."""
    shapes = watch(model, batch).shapes
    tokens = [place for place, (_, shape) in enumerate(shapes) if len(shape) == 3]
    if not tokens:
        return set()
    grids = [s[2] * s[3] for n, s in shapes[: tokens[0]] if isinstance(model.get_submodule(n), nn.Conv2d)]
    counts = {shapes[tokens[-1]][1][1], *(grid + prefix_tokens for grid in grids[-1:])}
    return {count for count in counts if count > prefix_tokens}
