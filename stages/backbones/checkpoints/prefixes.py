"""Under which prefix of a checkpoint the tensors of a network lie: ``module.``, ``teacher.backbone.``, any."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Mapping

from torch import Tensor

from frostline.stages.backbones.checkpoints.parts import Tensors, patterns
from frostline.stages.errors import ConfigError, listing, printable, shortened

log = logging.getLogger("frostline")
_DEEP = 24  # steps of a network's own names; a stranger's name may have any number
_SECOND = {"ema", "avg", "average", "averaged", "swa", "momentum", "target", "student", "k", "key", "old"}


def under_prefix(own: Tensors, tensors: Tensors, where: object) -> dict[str, Tensor]:
    """Return the tensors of the part whose names and shapes are most like a network's ``own``, named as those.

    All, as they are, where no prefix helps, but for those under another that fits, too. Of parts that fit alike the
    one is taken that is no average, momentum or student of another. What was taken off, and what is left, is logged.
    Raises ConfigError where there are several.
    """
    around = _around(own)
    bare = {name.removeprefix(around): tensor for name, tensor in own.items()}
    fitting = _fitting(bare, tensors)
    if not fitting:
        return dict(tensors)
    prefix = _best(fitting, around, where)
    inside, named = ("", own) if prefix == around else (prefix, bare)
    second = _within(inside, fitting, named)
    kept = {n: tensor for n, tensor in tensors.items() if n.startswith(inside) and not n.startswith(second)}
    _tell(inside, [name for name in tensors if name not in kept], where)
    return kept if prefix == around else {around + n.removeprefix(prefix): tensor for n, tensor in kept.items()}


def _around(own: Tensors) -> str:
    """Return what all names of a network begin with that holds another network and nothing else."""
    around = ""
    while True:
        layers = {name.removeprefix(around).rpartition(".")[0] for name in own}
        first = {layer.partition(".")[0] for layer in layers}
        if len(layers) < 2 or len(first) > 1:
            return around
        around += f"{first.pop()}."


def _tell(prefix: str, left: list[str], where: object) -> None:
    if left:
        part = f"the part {printable(prefix.rstrip('.'))}" if prefix else "the names without a prefix"
        log.info("%s: using %s; not using %s", where, part, printable(patterns(left)))
        log.info("  choose another part with --weights %s#PART", where)
    elif prefix:
        log.info("%s: all names begin with %s, which was removed", where, printable(prefix))


def _fitting(own: Tensors, tensors: Tensors) -> dict[str, int]:
    """Return the prefixes under which half of a network's own tensors lie, in shape, and how well each fits."""
    return {prefix: n for prefix, n in _counted(own, tensors).items() if n >= len(own)}


def _within(prefix: str, fitting: Mapping[str, int], own: Tensors) -> tuple[str, ...]:
    """Return how the names begin of what fits, too, and lies inside the part that is taken but is none of its own."""
    inner = [other.removeprefix(prefix) for other in fitting if other.startswith(prefix) and other != prefix]
    first = {f"{name.partition('.')[0]}." for name in inner}
    return tuple(prefix + step for step in sorted(first) if not any(name.startswith(step) for name in own))


def _best(fitting: Mapping[str, int], around: str, where: object) -> str:
    """Return the prefix that fits best. ``around``, then none, are preferred to others."""
    highest = max(fitting.values())
    best = [prefix for prefix, n in fitting.items() if n == highest]
    usual = [prefix for prefix in (around, "") if prefix in best]
    first = usual or [p for p in best if not _SECOND & set(re.split(r"[._]", p.lower()))] or best
    if usual or len(first) == 1:
        return first[0]
    raise ConfigError(
        f"{where} holds several matching networks; choose one of these parts with --weights {where}#PART:\n"
        + listing([shortened(prefix.rstrip(".")) for prefix in first])
    )


def _counted(own: Tensors, tensors: Tensors) -> Counter[str]:
    """Return how many of a network's own tensors lie under each prefix, counted twice where the shape is theirs."""
    counts: Counter[str] = Counter()
    for name, tensor in tensors.items():
        steps = name.rsplit(".", _DEEP)
        for i in range(len(steps)):
            suffix = ".".join(steps[i:])
            if suffix in own:
                counts[name[: len(name) - len(suffix)]] += 1 + (own[suffix].shape == tensor.shape)
    return counts
