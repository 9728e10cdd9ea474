"""Tensors that show that a checkpoint is not the plain weights of a network: it would load, and give other features."""

from __future__ import annotations

import re
from collections.abc import Iterable

from torch import Tensor

from frostline.stages.backbones.checkpoints.parts import Tensors, ten_of
from frostline.stages.errors import ConfigError, listing

_MORE = re.compile(
    r"(^|[._])(lora_|adapters?([._\d]|$))|(^|\.)(register_tokens?|reg_tokens?|SCB|weight_scale(_inv)?|absmax)$"
)
_SHOWN = 10


def check_numbers(own: Tensors, named: Tensors, where: object) -> None:
    """Raise ConfigError, which names some, where integers or complex numbers are given for a network's floats.

    Integers for a network's integers, such as counts of batches, are taken. Names are compared to their ends.
    """
    floats = {name for name, tensor in own.items() if tensor.is_floating_point()}
    wrong = [
        f"{name}: {_type(tensor)} found, {_type(own[mine])} expected"
        for name, tensor in named.items()
        if not tensor.is_floating_point() and (mine := _end(name, floats))
    ]
    if wrong:
        lines = wrong[:_SHOWN] + [f"{len(wrong) - _SHOWN:,} more"] * (len(wrong) > _SHOWN)
        raise ConfigError(
            f"{where} holds numbers of types that a network can't compute with; it is probably quantised:\n"
            f"{listing(lines, len(lines))}\nSave the weights as floating-point numbers, before quantisation."
        )


def check_extra(names: Iterable[str], where: object) -> None:
    """Raise ConfigError where names of tensors that a network has no place for say that more of it was trained."""
    more = [name for name in names if _MORE.search(name)]
    if more:
        lines = ten_of("", more)
        raise ConfigError(
            f"{where} holds weights that this network has no place for, so the features would be different:\n"
            f"{listing(lines, len(lines))}\nMerge adapters into the weights, name the model with register tokens, or "
            "save weights that are not quantised."
        )


def _end(name: str, known: set[str]) -> str:
    """Return the longest end of a dotted name that is known, or nothing."""
    while name not in known:
        _, dot, name = name.partition(".")
        if not dot:
            return ""
    return name


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
