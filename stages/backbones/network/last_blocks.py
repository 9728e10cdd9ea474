"""``last4``: the last blocks of a transformer, by how many."""

from __future__ import annotations

import re
from collections import Counter

from torch import nn

from frostline.stages.errors import ConfigError

_LAST = re.compile(r"last([1-9]\d?)(@[a-z+]+)?")


def named_blocks(model: nn.Module, layer: str) -> str:
    """Return a layer's name; of ``last4`` and ``last4@cls`` those of the last four blocks, by commas.

    Blocks are all modules of one class that lie in one row, as a vision transformer's do. The row is taken as it is:
    what the network does after its last block, such as a norm, is not done. Raises ConfigError for a network without
    such a row, or one of fewer blocks.
    """
    match = _LAST.fullmatch(layer)
    if match is None or layer in dict(model.named_modules()):
        return layer
    count, pooling, blocks = int(match[1]), match[2] or "", _row(model)
    if len(blocks) < count:
        found = f"a sequence of {len(blocks)} blocks" if blocks else "no sequence of blocks of one class"
        raise ConfigError(
            f"layer {layer!r}: found {found}; expected {count} or more. You can also give layers by name with --layer"
        )
    return ",".join(f"{name}{pooling}" for name in blocks[-count:])


def _row(model: nn.Module) -> list[str]:
    """Return the names of the blocks of the longest row that has all modules of its class."""
    counts = Counter(type(module) for module in model.modules())
    rows = [
        [f"{name}.{child}" for child, _ in row.named_children()]
        for name, row in model.named_modules()
        if isinstance(row, nn.ModuleList | nn.Sequential) and _is_whole(row, counts)
    ]
    return max(rows, key=len, default=[])


def _is_whole(row: nn.ModuleList | nn.Sequential, counts: Counter[type[nn.Module]]) -> bool:
    kinds = {type(block) for block in row}
    return len(row) > 1 and len(kinds) == 1 and counts[kinds.pop()] == len(row)
