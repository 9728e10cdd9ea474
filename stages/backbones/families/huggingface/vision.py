"""What a transformers model gives of images: its pooled output alone, or its tokens, as one tensor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from inspect import signature
from math import isqrt
from typing import Any

import torch
from torch import Tensor, nn

from frostline.stages.errors import ConfigError

PROJECTION = "projection"
_EMBEDDINGS = "embeddings."
_CLASS_TOKENS = ("cls_token", "class_token", "class_embedding", "distillation_token")


@dataclass(frozen=True)
class Ask:
    """How a model is called. ``tokens``: its last hidden state is expected, whatever it pools.

    ``swapped``: it takes blue, green and red. ``size``: height and width of the images that it was trained on, if its
    configuration says it, and ``patch`` those of a patch, if it attends to patches. ``interpolates``: it fits its
    position embeddings to other images where it is told to.
    """

    tokens: bool
    swapped: bool
    size: tuple[int, int] | None
    patch: tuple[int, int] | None
    interpolates: bool


def ask_of(model: Any, *, tokens: bool, swapped: bool) -> Ask:
    """Return how a transformers model is called, or of one of images and texts, its vision tower."""
    model = model.vision_model if is_two_towers(model) else model
    size, patch = (_pair(getattr(model.config, name, None)) for name in ("image_size", "patch_size"))
    interpolates = "interpolate_pos_encoding" in signature(type(model).forward).parameters
    return Ask(tokens, swapped, size, patch if model._supports_sdpa else None, interpolates)


class Pooled(nn.Module):
    """Comes before a transformers model's own class: (batch, 3, height, width) to one tensor.

    That is ``pooler_output``, (batch, d) whatever the model's shape, or where there is none, or ``ask`` says so,
    ``last_hidden_state``. The model's modules keep their names.
    """

    ask: Ask
    first_of_several = True

    def forward(self, batch: Tensor) -> Tensor:
        return _chosen(self.ask, super().forward(**_arguments(self.ask, batch)))


class Tower(nn.Module):
    """The vision tower of a model of images and texts: its pooled output, projected to where the texts' features are.

    The input of ``projection`` is the pooled output itself.
    """

    first_of_several = True

    def __init__(self, vision_model: nn.Module, projection: nn.Module | None, ask: Ask) -> None:
        super().__init__()
        self.vision_model, self.projection, self.ask = vision_model, projection, ask

    def forward(self, batch: Tensor) -> Tensor:
        given = _chosen(self.ask, self.vision_model(**_arguments(self.ask, batch)))
        return given if self.ask.tokens or self.projection is None else self.projection(given)

    def ending_at(self, layer: str) -> nn.Module | None:
        """Return the tower up to a layer, None for layers within it."""
        ends = {PROJECTION: self.projection, f"{PROJECTION}:input": None}
        return Tower(self.vision_model, ends[layer], self.ask) if layer in ends else None


def is_two_towers(model: nn.Module) -> bool:
    """Whether a model has a tower for images and one for texts."""
    return hasattr(model, "vision_model") and hasattr(model, "get_image_features")


def pooled(model: nn.Module, ask: Ask) -> nn.Module:
    """Return the model itself, which is called as ``Pooled`` from now on."""
    kind = type(model)
    # The name is the same, for transformers looks models up by what their class prints as
    model.__class__ = type(kind.__name__, (Pooled, kind), {"__module__": kind.__module__})
    model.ask = ask  # type: ignore[assignment]
    return model


def unwrapped(model: Any, size: tuple[int, int] | None) -> nn.Module | None:
    """Return the model of timm that a model wraps, if any: its output is the same pooled output, its names are timm's.

    ``size``: height and width of the images, if they are known.
    """
    found = getattr(model, "timm_model", None)
    if not isinstance(found, nn.Module) or not model.config.do_pooling:
        return None
    from frostline.stages.backbones.families.timm_models.plain_layers import with_plain_layers

    with_plain_layers(found, size)
    return found


def prefix_tokens(model: nn.Module, size: tuple[int, int] | None) -> int | None:
    """Return how many tokens come before those of the patches, None where that is not known.

    ``size``: height and width of the images, if they are known. What the parameters' names say counts only where there
    are as many tokens as patches next to it, or as patches merged by k x k.
    """
    of_timm = getattr(getattr(model, "timm_model", model), "num_prefix_tokens", None)
    if isinstance(of_timm, int):
        return of_timm
    own = {name.rpartition(_EMBEDDINGS)[2]: p for name, p in model.named_parameters() if _EMBEDDINGS in name}
    registers = own.get("register_tokens")
    known = sum(name in own for name in _CLASS_TOKENS) + (0 if registers is None else registers.shape[1])
    patches, tokens = _patches(model, size), _token_count(model, size)
    if patches is None or tokens is None or tokens <= known:
        return None
    merged, rest = divmod(patches, tokens - known)
    return None if rest or isqrt(merged) ** 2 != merged else known


def _patches(model: Any, size: tuple[int, int] | None) -> int | None:
    """Return how many patches an image is divided into, None where the configuration does not say it."""
    config = getattr(getattr(model, "vision_model", model), "config", None)
    side, patch = size or _pair(getattr(config, "image_size", None)), _pair(getattr(config, "patch_size", None))
    return None if side is None or patch is None else (side[0] // patch[0]) * (side[1] // patch[1])


@torch.no_grad()
def _token_count(model: Any, size: tuple[int, int] | None) -> int | None:
    """Return how many tokens the last hidden state has, None where it has none or the network can't be asked."""
    ask: Ask | None = getattr(model, "ask", None)
    if ask is None or (side := size or ask.size) is None:
        return None
    model.ask, training = replace(ask, tokens=True), model.training
    try:
        given = model.eval()(torch.zeros(1, 3, *side))
    except Exception:  # whatever code of any model raises at sizes it is not for; what can't run is said where it runs
        return None
    finally:
        model.train(training).ask = ask
    return given.shape[1] if given.ndim == 3 else None


def _arguments(ask: Ask, batch: Tensor) -> dict[str, Any]:
    pixels = batch.flip(1) if ask.swapped else batch
    if ask.interpolates and ask.size and tuple(batch.shape[-2:]) != ask.size:
        return {"pixel_values": pixels, "interpolate_pos_encoding": True}
    return {"pixel_values": pixels}


def _chosen(ask: Ask, given: Any) -> Tensor:
    hidden: Tensor | None = getattr(given, "last_hidden_state", None)
    if hidden is None:
        named = ", ".join(given) or "nothing"
        raise ConfigError(
            f"this model returns {named} for images; expected last_hidden_state. Choose a layer with --layer"
        )
    found: Tensor | None = None if ask.tokens else getattr(given, "pooler_output", None)
    return hidden if found is None else found.flatten(1)


def _pair(found: Any) -> tuple[int, int] | None:
    if isinstance(found, int) and found > 0:
        return found, found
    return (int(found[0]), int(found[1])) if isinstance(found, list | tuple) and len(found) == 2 else None
