"""Several layers of a network as one feature: each pooled to a vector, side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, cast, get_args

import torch
from torch import Tensor, fx, nn

from frostline.stages.backbones.network.cut import INPUT, Cut, Reached, module_of
from frostline.stages.backbones.network.pooling import default_pool, pool
from frostline.stages.backbones.network.tokens import check_tokens
from frostline.stages.backbones.spec import Pooling
from frostline.stages.errors import ConfigError, unknown_name

_MARK = "@"


def is_joined(layer: str) -> bool:
    """Whether a layer's name means several side by side, ``layer2,layer3``."""
    return "," in layer


def names_of(layer: str) -> list[str]:
    """Return the layers that a name means, without their pooling.

    >>> names_of("layer2@avg,layer3@max"), names_of("fc:input")
    (['layer2', 'layer3'], ['fc:input'])
    """
    return [one.strip().partition(_MARK)[0] for one in layer.split(",")]


def joined(
    model: nn.Module, layer: str, usual: str | None, batch: Tensor, prefix_tokens: int | None
) -> tuple[Joined, str]:
    """Return what gives the layers that a name means side by side, and that name with each one's pooling.

    ``layer``: by commas, as ``layer2,layer3@max``: each pooled as ``@`` says, or ``usual``, or as its shape says.
    Raises ConfigError: no such layer or pooling, a pooling that does not fit or that must be said.
    """
    parts = [_part(model, one.strip(), usual, batch, prefix_tokens) for one in layer.split(",")]
    return Joined(model, parts, prefix_tokens), ",".join(f"{name}{_MARK}{how}" for name, how in parts)


def _part(model: nn.Module, named: str, usual: str | None, batch: Tensor, prefix_tokens: int | None) -> tuple[str, str]:
    name, _, how = named.partition(_MARK)
    if how and how not in get_args(Pooling):
        raise unknown_name("pool", how, get_args(Pooling))
    given = Cut(model, name).eval()(batch)
    pooling = how or usual or default_pool(given, *batch.shape[2:])
    check_tokens(model, name, given, pooling, prefix_tokens, batch)
    return name, pooling


class Joined(nn.Module):
    """A model up to the last of several layers, in one pass: a batch to their pooled vectors, (batch, sum of widths).

    Of a layer that is called more than once the first call counts, as for ``Cut``.
    """

    def __init__(self, model: nn.Module, parts: Sequence[tuple[str, str]], prefix_tokens: int | None) -> None:
        super().__init__()
        self.model, self.parts, self._prefix = model, list(parts), prefix_tokens
        self._taken: dict[str, Any] = {}

    def forward(self, batch: Tensor) -> Tensor:
        self._taken.clear()
        with self._hooked(), suppress(Reached):
            self.model(batch)
        vectors = [pool(self._tensor(name), how, self._prefix) for name, how in self.parts]
        return torch.cat(vectors, 1)

    def _tensor(self, name: str) -> Tensor:
        value = self._taken.get(name, "nothing, because it is never called")
        if getattr(self.model, "first_of_several", False) and isinstance(value, tuple) and value:
            value = value[0]
        if not isinstance(value, Tensor | fx.Proxy):
            raise ConfigError(f"layer {name!r} gives {value if isinstance(value, str) else type(value).__name__}")
        return cast(Tensor, value)

    def _take(self, name: str) -> Callable[[Any], None]:
        def take(value: Any) -> None:
            self._taken.setdefault(name, value)
            if len(self._taken) == len({one for one, _ in self.parts}):
                raise Reached

        return take

    @contextmanager
    def _hooked(self) -> Iterator[None]:
        with ExitStack() as hooks:
            for name in dict.fromkeys(name for name, _ in self.parts):
                hooks.callback(self._hook(name, self._take(name)).remove)
            yield

    def _hook(self, name: str, take: Callable[[Any], None]) -> torch.utils.hooks.RemovableHandle:
        module = module_of(self.model, name)
        if name.endswith(INPUT):
            return module.register_forward_pre_hook(
                lambda _, args, kwargs: take(next(iter([*args, *kwargs.values()]), None)), with_kwargs=True
            )
        return module.register_forward_hook(lambda _, _args, output: take(output))
