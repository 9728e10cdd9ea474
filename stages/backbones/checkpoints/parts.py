"""The parts of a checkpoint: mappings within mappings, seen as one, each tensor under its whole dotted name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from frostline.stages.errors import ConfigError, counted, listing, printable, shortened

_MAIN = ("state_dict", "model_state_dict", "model")
_DEEPEST = 8
_SMALL = 4  # times as many tensors in another part: what is called the model is a small part of one, as a projection
_SHOWN = 10

Tensors = Mapping[str, Tensor]


def flattened(content: Any, depth: int = 0) -> dict[str, Tensor]:
    """Return all tensors of nested mappings by dotted names; what is no tensor, and has no name, is left out."""
    found: dict[str, Tensor] = {}
    for name, value in content.items() if isinstance(content, Mapping) else ():
        if isinstance(name, str) and isinstance(value, Tensor):
            found[name] = value
        elif isinstance(name, str) and depth < _DEEPEST:
            found |= {f"{name}.{inner}": tensor for inner, tensor in flattened(value, depth + 1).items()}
    return found


def main_part(content: Mapping[Any, Any]) -> tuple[Any, list[str], list[str]]:
    """Return what lies under the usual names of a ``state_dict``, these names, and those of what lies next to them.

    A ``model`` that is small next to another part is not taken: all are returned then.
    """
    taken: list[str] = []
    beside: list[str] = []
    for name in _MAIN:
        inner = content.get(name)
        own = flattened(inner)
        others = {other: len(flattened(value)) for other, value in content.items() if other != name} if own else {}
        small = name == "model" and max(others.values(), default=0) > _SMALL * len(own)
        if isinstance(inner, Mapping) and own and not small:
            beside += [str(other) for other, n in others.items() if 2 * n >= len(own)]
            taken.append(name)
            content = inner
    return content, taken, beside


def part_of(tensors: Tensors, part: str, where: object) -> dict[str, Tensor]:
    """Return the tensors of one part, named within it; ``part``: its dotted name, or the end of that.

    Raises ConfigError that lists the parts where there is none of that name, or several.
    """
    found = {prefix for name in tensors for prefix in _prefixes(name) if f".{prefix}".endswith(f".{part}")}
    top = sorted(prefix for prefix in found if not any(prefix.startswith(f"{other}.") for other in found))
    if len(top) == 1:
        start = f"{top[0]}."
        return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
    what = "several parts" if top else "no part"
    known = top or parts_in(tensors)
    raise ConfigError(f"{where} has {what} called {printable(shortened(part))!r}; expected one of\n{listing(known)}")


def parts_in(tensors: Tensors) -> list[str]:
    """Return the first one and two steps of all names, each with how many tensors it holds; the largest first."""
    counts = Counter(prefix for name in tensors for prefix in [*_prefixes(name)][:2])
    return [f"{prefix} ({counted(n, 'tensor')})" for prefix, n in counts.most_common()]


def patterns(names: Sequence[str]) -> str:
    """Return many names in a line: how they begin, and how many begin so."""
    steps = [(*_prefixes(name), name) for name in names]
    depth = next((i for i, level in enumerate(zip(*steps, strict=False)) if len(set(level)) > 1), 0)
    starts = Counter(own[depth] + ("" if len(own) == depth + 1 else ".*") for own in steps)
    shown = [shortened(start, 80) + (f" ({n:,})" if n > 1 else "") for start, n in starts.most_common(_SHOWN)]
    return ", ".join(shown) + (", …" if len(starts) > _SHOWN else "")


def ten_of(what: str, names: Sequence[str]) -> list[str]:
    """Return ten names, one a line, and the pattern behind the rest."""
    lines = [f"{what}{name}" for name in names[:_SHOWN]]
    rest = names[_SHOWN:]
    return [*lines, f"{what}{len(rest):,} more, {patterns(rest)}"] if rest else lines


def _prefixes(name: str) -> Iterator[str]:
    """Yield the first steps of a dotted name, the shortest first."""
    end = name.find(".")
    for _ in range(_DEEPEST * 2):
        if end < 0:
            return
        yield name[:end]
        end = name.find(".", end + 1)
