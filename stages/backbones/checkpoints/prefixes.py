"""Under which prefix of a checkpoint the tensors of a network lie: ``module.``, ``teacher.backbone.``, any."""

from __future__ import annotations

import logging
import re
from collections import Counter

from torch import Tensor

from frostline.stages.backbones.checkpoints.parts import Tensors, patterns
from frostline.stages.errors import ConfigError, listing, printable, shortened

log = logging.getLogger("frostline")
_DEEP = 24  # steps of a network's own names; a stranger's name may have any number
_SECOND = {"ema", "avg", "average", "averaged", "swa", "momentum", "target", "student", "k", "key", "old"}


def under_prefix(own: Tensors, tensors: Tensors, where: object) -> dict[str, Tensor]:
    """Return the tensors of the part whose names and shapes are most like a network's ``own``, named as those.

    All, as they are, where no prefix helps. Of parts that fit alike the one is taken that is no average, momentum or
    student of another. What was taken off, and what is left, is logged. Raises ConfigError where there are several.
    """
    around = _around(own)
    prefix = _best({name.removeprefix(around): tensor for name, tensor in own.items()}, tensors, around, where)
    if prefix in (None, around):
        return dict(tensors)
    taken = {around + name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    _tell(prefix, [name for name in tensors if not name.startswith(prefix)], where)
    return taken


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
        log.info("%s: took the part %s; left out %s", where, printable(prefix.rstrip(".")), printable(patterns(left)))
        log.info("  another is taken by name: --weights %s#PART", where)
    elif prefix:
        log.info("%s: all names begin with %s, which was taken off", where, printable(prefix))


def _best(own: Tensors, tensors: Tensors, around: str, where: object) -> str | None:
    """Return the prefix that fits best; None where none does. ``around``, then none, are preferred to others."""
    counts = _counted(own, tensors)
    most = max(counts.values(), default=0)
    if most < len(own):  # half of them, in shape
        return None
    best = [prefix for prefix, n in counts.items() if n == most]
    usual = [prefix for prefix in (around, "") if prefix in best]
    first = usual or [p for p in best if not _SECOND & set(re.split(r"[._]", p.lower()))] or best
    if usual or len(first) == 1:
        return first[0]
    raise ConfigError(
        f"{where} holds several networks that fit; name one of these parts, as --weights {where}#PART:\n"
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
