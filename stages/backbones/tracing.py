"""A forward pass under watch: where the final classifier is, what can be folded, what a layer gives."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from stages.errors import ConfigError, listing, unknown_name

INPUT = ":input"
_MAKER = "_frostline_maker"  # an attribute of tensors: who made it, and its version then


@dataclass(frozen=True)
class Call:
    """One call of a leaf module. ``source``: the leaf whose output it was given, untouched, if any."""

    name: str
    module: nn.Module
    source: str | None


@dataclass
class Trace:
    """The calls of leaf modules in one forward pass, in order, and what the pass gave.

    ``last``: the leaf that made the output, if it is the output as it was. ``uses``: how
    many calls took each leaf's output.
    """

    calls: list[Call] = field(default_factory=list)
    uses: Counter[str] = field(default_factory=Counter)
    output: Any = None
    last: str | None = None


@torch.no_grad()
def watch(model: nn.Module, run: Callable[[Tensor], Any], batch: Tensor) -> Trace:
    """Return the trace of ``run(batch)``, which calls the model; no activation is kept but the output."""
    trace = Trace()

    def enter(name: str) -> Callable[[nn.Module, Any], None]:
        def hook(module: nn.Module, args: Any) -> None:
            source = _maker(args[0]) if args else None
            trace.calls.append(Call(name, module, source))
            trace.uses.update([source] if source else [])

        return hook

    def leave(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            if isinstance(output, Tensor):
                setattr(output, _MAKER, (name, output._version))

        return hook

    leaves = [(n, m) for n, m in model.named_modules() if not any(m.children())]
    handles = [m.register_forward_pre_hook(enter(n)) for n, m in leaves]
    handles += [m.register_forward_hook(leave(n)) for n, m in leaves]
    try:
        trace.output = run(batch)
    finally:
        for handle in handles:
            handle.remove()
    trace.last = _maker(trace.output)
    return trace


def _maker(value: Any) -> str | None:
    name, version = getattr(value, _MAKER, (None, None))
    return name if name is not None and value._version == version else None


def classifier_of(model: nn.Module, trace: Trace) -> str:
    """Return the name of the final classifier: the linear map that gives the model's output.

    A linear layer or a 1 x 1 convolution with as many outputs as the model; if the output
    is not exactly what such a layer gave, the last that was called. Raises ConfigError if
    the model has none.
    """
    output = trace.output
    if isinstance(output, Tensor) and output.ndim == 2:
        fitting = [call.name for call in trace.calls if _gives(call.module, output.shape[1])]
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


@contextmanager
def tapped(model: nn.Module, layer: str) -> Iterator[Callable[[Tensor], Tensor]]:
    """Yield a function from a batch to what the layer gives; nothing after the layer is run.

    Where a layer is called more than once in a pass, its first call counts. The function
    raises ConfigError if the layer isn't called, or gives anything but one tensor.
    """
    taken: list[Any] = []

    def before(_module: nn.Module, args: tuple[Any, ...]) -> None:
        taken.append(args[0] if args else None)
        raise _Reached

    def after(_module: nn.Module, _args: Any, output: Any) -> None:
        taken.append(output)
        raise _Reached

    def run(batch: Tensor) -> Tensor:
        taken.clear()
        with suppress(_Reached):
            model(batch)
        if not taken or not isinstance(taken[0], Tensor):
            found = _describe(taken[0]) if taken else "nothing, it is never called"
            raise ConfigError(f"layer {layer!r} gives {found}; wanted a tensor, choose another with --layer")
        return taken[0]

    module = module_of(model, layer)
    hook = module.register_forward_pre_hook(before) if layer.endswith(INPUT) else module.register_forward_hook(after)
    try:
        yield run
    finally:
        hook.remove()


def _describe(value: Any) -> str:
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
