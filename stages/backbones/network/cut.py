"""A forward pass under watch: where the final classifier is, and what a layer gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from frostline.stages.errors import ConfigError, listing, unknown_name

INPUT = ":input"
_MAKER = "_frostline_maker"  # an attribute of tensors: who made it, and its version then


@dataclass(frozen=True)
class Trace:
    """One forward pass: the leaf modules called, by name and in order, and what the pass gave.

    ``last``: the leaf that made the output, if it is the output as it was.
    """

    calls: list[tuple[str, nn.Module]]
    output: Any
    last: str | None


@torch.no_grad()
def watch(model: nn.Module, batch: Tensor) -> Trace:
    """Return the trace of a model over a batch; no activation is kept but the output."""
    calls: list[tuple[str, nn.Module]] = []

    def leave(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, _args: Any, output: Any) -> None:
            calls.append((name, module))
            if isinstance(output, Tensor):
                setattr(output, _MAKER, (name, output._version))

        return hook

    leaves = [(n, m) for n, m in model.named_modules() if not any(m.children())]
    handles = [m.register_forward_hook(leave(n)) for n, m in leaves]
    try:
        output = model(batch)
    finally:
        for handle in handles:
            handle.remove()
    name, version = getattr(output, _MAKER, (None, None))
    return Trace(calls, output, name if name and output._version == version else None)


def classifier_of(model: nn.Module, trace: Trace) -> str:
    """Return the name of the final classifier: the linear map that gives the model's output.

    A linear layer or a 1 x 1 convolution with as many outputs as the model; if the output
    is not exactly what such a layer gave, the last that was called. Raises ConfigError if
    the model has none.
    """
    output = trace.output
    if isinstance(output, Tensor) and output.ndim == 2:
        fitting = [name for name, module in trace.calls if _gives(module, output.shape[1])]
        if fitting:
            return trace.last if trace.last in fitting else fitting[-1]
    names = [name for name, _ in model.named_modules() if name]
    raise ConfigError(
        f"can't find the final classifier: the output is {_describe(output)} and no linear layer gives it; "
        f"name a layer with --layer. The layers are:\n{listing(names, 60)}"
    )


def _gives(module: nn.Module, outputs: int) -> bool:
    if isinstance(module, nn.Conv2d):
        return module.kernel_size == (1, 1) and module.out_channels == outputs
    return isinstance(module, nn.Linear) and module.out_features == outputs


def module_of(model: nn.Module, layer: str) -> nn.Module:
    """Return the module that a layer's name means. Raises ConfigError with the nearest names."""
    modules: dict[str, nn.Module] = dict(model.named_modules())
    name = layer.removesuffix(INPUT)
    if not name or name not in modules:
        raise unknown_name("layer", name, [n for n in modules if n])
    return modules[name]


class _Reached(BaseException):
    """Ends a forward pass at the layer; no Exception, which the model's own code might catch."""


class Cut(nn.Module):
    """A model up to a layer: a batch to what the layer gives; nothing after it is run.

    Where a layer is called more than once in a pass, its first call counts. Raises
    ConfigError, when made, if there is no such layer; when called, if the layer isn't
    reached or gives anything but one tensor.
    """

    def __init__(self, model: nn.Module, layer: str) -> None:
        super().__init__()
        self.model, self.layer = model, layer
        self._taken: list[Any] = []
        module_of(model, layer)

    def forward(self, batch: Tensor) -> Tensor:
        self._taken.clear()
        with self._hooked(), suppress(_Reached):
            self.model(batch)
        value = self._taken.pop() if self._taken else "nothing, it is never called"
        if isinstance(value, Tensor | fx.Proxy):
            return cast(Tensor, value)
        found = value if isinstance(value, str) else _describe(value)
        raise ConfigError(f"layer {self.layer!r} gives {found}; wanted a tensor, choose another with --layer")

    def reach(self, value: Any) -> None:
        """End the forward pass with what the layer gives."""
        self._taken.append(value)
        raise _Reached

    def _before(self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.reach(next(iter([*args, *kwargs.values()]), None))

    @contextmanager
    def _hooked(self) -> Iterator[None]:
        module = module_of(self.model, self.layer)
        if self.layer.endswith(INPUT):
            hook = module.register_forward_pre_hook(self._before, with_kwargs=True)
        else:
            hook = module.register_forward_hook(lambda _, _args, output: self.reach(output))
        try:
            yield
        finally:
            hook.remove()


def _describe(value: Any) -> str:
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
