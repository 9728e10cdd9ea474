"""One forward pass under watch: where the final classifier is, what can be folded, what a layer gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from stages.errors import ConfigError, listing, unknown_name

INPUT = ":input"


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a leaf module: its input and output, and how often each had been written to."""

    name: str
    module: nn.Module
    input: Tensor
    input_version: int
    output: Tensor
    output_version: int


@torch.no_grad()
def watch(model: nn.Module, batch: Tensor) -> tuple[list[Call], Any]:
    """Return the calls of all leaf modules with one tensor in and out, in order, and the output."""
    calls: list[Call] = []
    before: dict[nn.Module, tuple[Tensor, int]] = {}

    def enter(module: nn.Module, args: tuple[Any, ...]) -> None:
        if args and isinstance(args[0], Tensor):
            before[module] = args[0], args[0]._version

    def leave(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, args: Any, output: Any) -> None:
            if module in before and isinstance(output, Tensor):
                calls.append(Call(name, module, *before.pop(module), output, output._version))

        return hook

    leaves = [(n, m) for n, m in model.named_modules() if not any(m.children())]
    handles = [m.register_forward_pre_hook(enter) for _, m in leaves]
    handles += [m.register_forward_hook(leave(n)) for n, m in leaves]
    try:
        return calls, model(batch)
    finally:
        for handle in handles:
            handle.remove()


def classifier_of(model: nn.Module, calls: list[Call], output: Any) -> Call:
    """Return the call of the final classifier: the last linear map with as many outputs as the model.

    A linear layer or a 1 x 1 convolution. Raises ConfigError if the model has none.
    """
    if isinstance(output, Tensor) and output.ndim == 2:
        for call in reversed(calls):
            if _is_linear(call.module) and call.module.weight.shape[0] == output.shape[1]:
                return call
    names = [name for name, _ in model.named_modules() if name]
    raise ConfigError(
        f"can't find the final classifier: the output is {_describe(output)} and no linear layer gives it; "
        f"name a layer with --layer. The layers are:\n{listing(names, 60)}"
    )


def _is_linear(module: nn.Module) -> bool:
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1))


def module_of(model: nn.Module, layer: str) -> nn.Module:
    """Return the module that a layer's name means. Raises ConfigError with the nearest names."""
    modules = dict(model.named_modules())
    name = layer.removesuffix(INPUT)
    if not name or name not in modules:
        raise unknown_name("layer", name, [n for n in modules if n])
    return modules[name]


class _Reached(Exception):
    """Ends a forward pass at the layer."""


@contextmanager
def tapped(model: nn.Module, layer: str) -> Iterator[Callable[[Tensor], Tensor]]:
    """Yield a function from a batch to what the layer gives; nothing after the layer is run.

    Where a layer is called more than once in a pass, its first call counts.
    """
    taken: list[Any] = []

    def before(module: nn.Module, args: tuple[Any, ...]) -> None:
        taken.append(args[0] if args else None)
        raise _Reached

    def after(module: nn.Module, args: Any, output: Any) -> None:
        taken.append(output)
        raise _Reached

    def run(batch: Tensor) -> Tensor:
        taken.clear()
        try:
            model(batch)
        except _Reached:
            pass
        if not taken or not isinstance(taken[0], Tensor):
            found = _describe(taken[0]) if taken else "nothing, it is never called"
            raise ConfigError(f"layer {layer!r} gives {found}; wanted a tensor, choose another with --layer")
        tensor: Tensor = taken[0]
        return tensor

    module = module_of(model, layer)
    hook = module.register_forward_pre_hook(before) if layer.endswith(INPUT) else module.register_forward_hook(after)
    try:
        yield run
    finally:
        hook.remove()


def _describe(value: Any) -> str:
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
