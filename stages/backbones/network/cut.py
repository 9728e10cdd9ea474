"""A forward pass under watch: where the final classifier is, and what a layer gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from frostline.stages.backbones.spec import OUTPUT
from frostline.stages.errors import ConfigError, listing, unknown_name

INPUT = ":input"
_MAKER = "_frostline_maker"  # an attribute of tensors: who made it, and its version then
_LAST = 12  # layers that a message lists


@dataclass(frozen=True)
class Trace:
    """One forward pass: the leaf modules called, in order, by name and with what each gave, and what the pass gave.

    ``last``: the leaf that made the output, if it is the output as it was. A leaf that hands on what it was given, as
    an identity does, makes nothing. ``shapes``: those of the tensors that leaves gave, by name, in order.
    """

    calls: list[tuple[str, str]]
    output: Any
    last: str | None
    shapes: list[tuple[str, tuple[int, ...]]]


@torch.no_grad()
def watch(model: nn.Module, batch: Tensor) -> Trace:
    """Return the trace of a model over a batch; no activation is kept but the output."""
    calls: list[tuple[str, str]] = []
    shapes: list[tuple[str, tuple[int, ...]]] = []

    def leave(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_module: nn.Module, _args: Any, output: Any) -> None:
            calls.append((name, str(tuple(output.shape)) if isinstance(output, Tensor) else _describe(output)))
            if isinstance(output, Tensor):
                shapes.append((name, tuple(output.shape)))
            if isinstance(output, Tensor) and _maker(output) is None:
                setattr(output, _MAKER, (name, output._version))

        return hook

    leaves = [(n, m) for n, m in model.named_modules() if not any(m.children())]
    handles = [m.register_forward_hook(leave(n)) for n, m in leaves]
    try:
        output = model(batch)
    finally:
        for handle in handles:
            handle.remove()
    return Trace(calls, output, _maker(output), shapes)


def _maker(value: Any) -> str | None:
    """Return the name of the leaf that made a value; None where it was made, or changed since, by other code."""
    name, version = getattr(value, _MAKER, (None, None))
    return name if name and value._version == version else None


def classifier_of(model: nn.Module, trace: Trace) -> str:
    """Return the name of the final classifier: the linear layer that made the model's output.

    Raises ConfigError, which lists the last layers, if no such layer did: then the model has no classifier, or
    something follows it, or there are several, and what its features are is for its user to say.
    """
    output, last = trace.output, trace.last
    is_row = isinstance(output, Tensor) and output.ndim == 2
    if last and is_row and isinstance(model.get_submodule(last), nn.Linear):
        return last
    whole = f"use that output with --layer {OUTPUT}, or name" if isinstance(output, Tensor) else "name"
    layers = [f"{name}: {given}" for name, given in trace.calls if name]
    raise ConfigError(
        f"can't find the final classifier: no linear layer produced the network's output, {_describe(output)}; {whole} "
        f"a layer with --layer. The last layers, for 2 images:\n{listing(layers[-_LAST:])}"
    )


def module_of(model: nn.Module, layer: str) -> nn.Module:
    """Return the module that a layer's name means; for ``output``, unless a module is called so, the model itself.

    Raises ConfigError with the nearest names.
    """
    modules: dict[str, nn.Module] = dict(model.named_modules())
    if layer == OUTPUT and layer not in modules:
        return model
    name = layer.removesuffix(INPUT)
    if not name or name not in modules:
        names = [n for n in modules if n]
        outer = ", ".join(n for n in (*names, OUTPUT) if "." not in n)
        inner = next((n for n in names if "." in n), "")
        wanted = f"expected one of {outer}" + (f", or a layer inside one, such as {inner}" if inner else "")
        raise unknown_name("layer", name, [*names, OUTPUT], wanted)
    return modules[name]


class Reached(BaseException):
    """Ends a forward pass at the layer; no Exception, which the model's own code might catch."""


class Cut(nn.Module):
    """A model up to a layer: a batch to what the layer gives; nothing after it is run.

    The layer ``output`` is the whole model.
    Where a layer is called more than once in a pass, its first call counts. Of a layer that
    gives several values the first is taken, if the model says by ``first_of_several`` that its
    hidden states come first. Raises ConfigError, when made, if there is no such layer; when
    called, if the layer isn't reached or gives anything but one tensor.
    """

    def __init__(self, model: nn.Module, layer: str) -> None:
        super().__init__()
        self.model, self.layer = model, layer
        self._taken: list[Any] = []
        module_of(model, layer)

    def forward(self, batch: Tensor) -> Tensor:
        self._taken.clear()
        with self._hooked(), suppress(Reached):
            self.model(batch)
        value = self._taken.pop() if self._taken else "nothing, because it is never called"
        if getattr(self.model, "first_of_several", False):
            value = _first(value)
        if isinstance(value, Tensor | fx.Proxy):
            return cast(Tensor, value)
        found = value if isinstance(value, str) else _describe(value)
        raise ConfigError(f"layer {self.layer!r} gives {found}; expected a tensor. Choose another layer with --layer")

    def whole(self) -> nn.Module:
        """Return the same without hooks, which can't be exported, where that is known; else this.

        That is the model itself where nothing of it is cut off, or what its ``ending_at`` gives for the layer.
        """
        if module_of(self.model, self.layer) is self.model:
            return self.model
        ending_at: Any = getattr(self.model, "ending_at", None)
        found: nn.Module | None = ending_at(self.layer) if ending_at else None
        return self if found is None else found

    def stop_with(self, value: Any) -> None:
        """End the forward pass with what the layer gives."""
        self._taken.append(value)
        raise Reached

    def _before(self, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.stop_with(next(iter([*args, *kwargs.values()]), None))

    @contextmanager
    def _hooked(self) -> Iterator[None]:
        module = module_of(self.model, self.layer)
        if self.layer.endswith(INPUT):
            hook = module.register_forward_pre_hook(self._before, with_kwargs=True)
        else:
            hook = module.register_forward_hook(lambda _, _args, output: self.stop_with(output))
        try:
            yield
        finally:
            hook.remove()


def _first(value: Any) -> Any:
    """Return the first of several values, in order or by name; one alone as it is."""
    several = tuple(value.values()) if isinstance(value, Mapping) else value
    return several[0] if isinstance(several, tuple) and several else value


def _describe(value: Any) -> str:
    return f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
