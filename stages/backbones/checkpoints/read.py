"""Checkpoints: read without running code, loaded only if every name and shape fits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from frostline.stages.backbones.checkpoints.inspect_pickle import check_pickles
from frostline.stages.errors import ConfigError, listing, shortened

_NESTED = ("state_dict", "model_state_dict", "model")
_PARALLEL = "module."  # the prefix that nn.DataParallel leaves


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Return the named tensors of a ``.safetensors`` file or a PyTorch checkpoint, on the CPU.

    A nested ``state_dict`` is taken out. Raises ConfigError if the file can't be read or
    holds Python objects, which would run code.
    """
    try:
        content = _read(path)
    except Exception as error:  # a damaged or hostile file raises whatever its parser meets
        raise ConfigError(
            f"can't load the weights {path}: {_reason(error)}\n"
            "Wanted a .safetensors file or a PyTorch checkpoint of tensors alone; from a whole model, "
            "save a state_dict: torch.save(model.state_dict(), FILE)."
        ) from error
    for name in _NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping):
        raise ConfigError(f"{path} holds no state_dict but a {type(content).__name__}; wanted names with tensors")
    others = [f"{_named(n)}: {type(v).__name__}" for n, v in content.items() if not _is_entry(n, v)]
    if others or not content:
        found = listing(others) if others else "  nothing"
        raise ConfigError(f"{path} holds no state_dict; wanted names with tensors, found beside or instead:\n{found}")
    return dict(content)


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], where: object) -> None:
    """Copy the tensors into the model, without the prefixes that ``nn.DataParallel`` leaves.

    Raises ConfigError that lists every name that is missing or unexpected and every shape
    that differs. Counters of seen batches may be missing.
    """
    own = model.state_dict()
    if all(n.startswith(_PARALLEL) for n in tensors) and not tensors.keys() & own.keys():
        tensors = {n.removeprefix(_PARALLEL): tensor for n, tensor in tensors.items()}
    wrong = [
        *(f"missing: {n}" for n in own if n not in tensors and not n.endswith("num_batches_tracked")),
        *(f"unexpected: {n}" for n in tensors if n not in own),
        *(
            f"shape of {n}: {tuple(tensors[n].shape)} found, {tuple(t.shape)} wanted"
            for n, t in own.items()
            if n in tensors and tensors[n].shape != t.shape
        ),
    ]
    if wrong:
        raise ConfigError(f"the weights {where} don't fit the model:\n{listing(wrong, len(wrong))}")
    model.load_state_dict(dict(tensors), strict=False)


def state_digest(model: nn.Module) -> str:
    """Return the SHA-256 over a model's named tensors: names, types, shapes and bytes."""
    total = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    check_pickles(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _is_entry(name: Any, value: Any) -> bool:
    return isinstance(name, str) and isinstance(value, Tensor)


def _named(key: Any) -> str:
    """Return a key in a line; any but names and numbers may take long to write."""
    if isinstance(key, str):
        return repr(shortened(key))
    return repr(key) if isinstance(key, int | float) else f"under a {type(key).__name__}"


def _reason(error: Exception) -> str:
    """Return why a file can't be read, without PyTorch's advice to run what is in it."""
    if "weights only load failed" in str(error).lower():
        return "it is damaged, or holds more than tensors"
    return shortened(str(error).splitlines()[0]) if str(error) else type(error).__name__
