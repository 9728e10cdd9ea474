"""Checkpoints: read without running code, loaded only if every name and shape fits."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stages.errors import ConfigError, listing

_NESTED = ("state_dict", "model_state_dict", "model")


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Return the named tensors of a ``.safetensors`` file or a PyTorch checkpoint.

    A nested ``state_dict`` is taken out and ``module.`` prefixes are cut off. Raises
    ConfigError if the file can't be read or holds Python objects, which would run code.
    """
    try:
        content = _read(path)
    except Exception as error:  # a damaged or hostile file raises whatever its parser meets
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError(
            f"can't load the weights {path}: {reason}\n"
            "Wanted a .safetensors file or a PyTorch checkpoint of tensors only (weights_only=True); "
            "save a state_dict, torch.save(model.state_dict(), file), not a whole model."
        ) from error
    for name in _NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()):
        raise ConfigError(f"{path} holds no state_dict: found {type(content).__name__}; wanted names with tensors")
    return {name.removeprefix("module."): tensor for name, tensor in content.items()}


def load_weights(model: nn.Module, tensors: Mapping[str, Tensor], where: object) -> None:
    """Copy the tensors into the model. Raises ConfigError that lists every one that doesn't fit."""
    own = model.state_dict()
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
        raise ConfigError(f"the weights {where} don't fit the model:\n{listing(wrong)}")
    model.load_state_dict(dict(tensors), strict=False)


def state_digest(model: nn.Module) -> str:
    """Return the SHA-256 over a model's named tensors: names, types, shapes and bytes."""
    total = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)
