"""Tensors into a network, only if every name and shape fits."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from frostline.stages.backbones.checkpoints.parts import Tensors, patterns, ten_of
from frostline.stages.backbones.checkpoints.prefixes import under_prefix
from frostline.stages.backbones.checkpoints.refused import check_extra, check_numbers
from frostline.stages.backbones.checkpoints.unloaded import leave_unloaded
from frostline.stages.errors import ConfigError, listing, printable

log = logging.getLogger("frostline")
_PROFILED = ("total_ops", "total_params")  # what a count of operations leaves in a network
_COUNTER = "num_batches_tracked"
_TRAINING = {"projector", "projection_head", "predictor", "prototypes", "queue", "queue_ptr", "criterion", "n_averaged"}


@dataclass(frozen=True)
class _Faults:
    """How tensors differ from a network's own: names that are missing or unexpected, and those of another shape."""

    missing: list[str]
    unexpected: list[str]
    shapes: list[str]


def load_weights(model: nn.Module, tensors: Tensors, where: object) -> None:
    """Copy the tensors into the model, from under whatever prefix they share.

    Counters of seen batches may be missing, and so may a classifier, whole, or have another number of classes; it
    then gives NaN, for its weights are not needed for its input. What profilers and training heads left is left out,
    and said. Raises ConfigError that lists names that are missing or unexpected and shapes that differ, ten of each;
    and where integers are given for weights.
    """
    own = model.state_dict()
    named = under_prefix(own, tensors, where)
    check_numbers(own, named, where)
    faults = _compared(own, named)
    lost = _cut_off(model, faults)
    below = f"{lost}."
    left = [n for n in faults.unexpected if _is_leftover(n, own) or (lost and n.startswith(below))]
    remaining = sorted(set(faults.unexpected) - set(left), key=faults.unexpected.index)
    check_extra(remaining, where)
    if remaining or (lost is None and (faults.missing or faults.shapes)):
        raise _misfit(own, named, _Faults(faults.missing, remaining, faults.shapes), where)
    if left:
        log.info("%s: %s not used", where, printable(patterns(left)))
    wrong = {*faults.shapes, *faults.unexpected}
    model.load_state_dict({name: tensor for name, tensor in named.items() if name not in wrong}, strict=False)
    if lost:
        log.info("%s has no weights for %s. They are not needed: features are taken before that layer", where, lost)
        leave_unloaded(model, lost)


def _compared(own: Tensors, named: Tensors) -> _Faults:
    return _Faults(
        [n for n in own if n not in named and not n.endswith(_COUNTER)],
        [n for n in named if n not in own],
        [n for n, tensor in own.items() if n in named and named[n].shape != tensor.shape],
    )


def _is_leftover(name: str, own: Tensors) -> bool:
    first = name.partition(".")[0]
    has_own = any(n == first or n.startswith(f"{first}.") for n in own)
    return name.rpartition(".")[2] in _PROFILED or (first in _TRAINING and not has_own)


def _cut_off(model: nn.Module, faults: _Faults) -> str | None:
    """Return the last layer, if all is about it that is missing or has another shape, and nothing of it was loaded."""
    names = {*faults.missing, *faults.shapes}
    layer = _common([name.rpartition(".")[0] for name in names])
    own = [n for n in model.state_dict() if not n.endswith(_COUNTER)]
    before, last = own[: len(own) - len(names)], own[len(own) - len(names) :]
    if not layer or not before or set(last) != names or any(n.startswith(f"{layer}.") for n in before):
        return None
    if faults.shapes and not isinstance(model.get_submodule(layer), nn.Linear | nn.Conv2d):
        return None
    return layer


def _common(layers: Sequence[str]) -> str:
    """Return the innermost layer that holds all of some."""
    steps: list[str] = []
    for at in zip(*(layer.split(".") for layer in layers), strict=False):
        if len(set(at)) > 1:
            break
        steps.append(at[0])
    return ".".join(steps)


def _misfit(own: Tensors, named: Tensors, faults: _Faults, where: object) -> ConfigError:
    shapes = [f"{n}: {_shape(named[n])} found, {_shape(own[n])} expected" for n in faults.shapes]
    lines = [
        *ten_of("missing: ", faults.missing),
        *ten_of("unexpected: ", faults.unexpected),
        *ten_of("shape of ", shapes),
    ]
    hint = _hint(own, named) or _early_layer(own, faults)
    return ConfigError(f"the weights {where} don't fit the model:\n{listing(lines, len(lines))}{hint}")


def _early_layer(own: Tensors, faults: _Faults) -> str:
    """Return what may be meant where one linear layer alone is missing or has other shapes, but is not the last."""
    layer = _common([name.rpartition(".")[0] for name in (*faults.missing, *faults.shapes)])
    weight = own.get(f"{layer}.weight")
    if faults.unexpected or weight is None or weight.ndim != 2:
        return ""
    return (
        f"\nEverything else matches. The classifier may be missing or have other classes, but {layer} comes before "
        "other layers in the network's __init__. If it is the classifier, let __init__ create it last."
    )


def _hint(own: Tensors, named: Tensors) -> str:
    if own.keys() & named.keys():
        return ""
    theirs, found = (printable(patterns(list(names))) for names in (own, named))
    return (
        f"\nNo name matches: the network's names begin with {theirs}, those of the file with {found}. The "
        "file is probably for another architecture, or from another library."
    )


def _shape(tensor: torch.Tensor) -> tuple[int, ...]:
    return tuple(tensor.shape)
