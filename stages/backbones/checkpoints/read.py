"""Checkpoints: read without running code, loaded only if every name and shape fits."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from frostline.stages.backbones.checkpoints.fit import load_weights
from frostline.stages.backbones.checkpoints.identify import is_safetensors, told_apart
from frostline.stages.backbones.checkpoints.inspect_pickle import check_pickles
from frostline.stages.backbones.checkpoints.parts import flattened, main_part, part_of
from frostline.stages.errors import ConfigError, listing, printable, shortened

__all__ = ["load_weights", "read_checkpoint", "state_digest"]
log = logging.getLogger("frostline")


def read_checkpoint(path: Path, part: str = "") -> dict[str, Tensor]:
    """Return the named tensors of a safetensors file or a PyTorch checkpoint, whatever its ending, on the CPU.

    A nested ``state_dict`` is taken out, and what lies next to it is logged; of other nested mappings all tensors are
    returned, by dotted names. ``part``: the dotted name, or its end, of the mapping or prefix that alone is expected.
    Raises ConfigError if the file can't be read, says what it is instead, or holds Python objects, which would run
    code.
    """
    content = _content(path)
    if part:
        return part_of(flattened(content), part, path)
    if isinstance(content, Mapping):
        content, taken, beside = main_part(content)
        if beside:
            names = ", ".join(f"{path}#{printable(shortened(name))}" for name in beside)
            log.info("%s: using %s; choose another with --weights %s", path, ".".join(taken), names)
    if not isinstance(content, Mapping):
        raise ConfigError(f"{path} holds a {type(content).__name__}; expected a state_dict of names and tensors")
    nested = any(flattened(value) for value in content.values())
    others = [f"{_named(n)}: {type(v).__name__}" for n, v in content.items() if not _is_entry(n, v)]
    if (others and not nested) or not content:
        found = listing(others) if others else "  nothing"
        raise ConfigError(f"{path} holds no state_dict; expected names and tensors, but found:\n{found}")
    return flattened(content)


def state_digest(model: nn.Module) -> str:
    """Return the SHA-256 over a model's named tensors: names, types, shapes and bytes."""
    total = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        total.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        total.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return total.hexdigest()


def _content(path: Path) -> Any:
    try:
        return _read(path)
    except Exception as error:  # a damaged or hostile file raises whatever its parser meets
        raise ConfigError(
            f"can't load the weights {path}: {told_apart(path) or _reason(error)}\nExpected a .safetensors file or a "
            "PyTorch checkpoint that contains only tensors. To convert a whole model, save a state_dict: "
            "torch.save(model.state_dict(), FILE)."
        ) from error


def _read(path: Path) -> Any:
    if is_safetensors(path):
        from safetensors.torch import load_file

        return load_file(path)
    check_pickles(path)
    with path.open("rb") as file:  # by its name PyTorch would take it for what its ending says
        return torch.load(file, map_location="cpu", weights_only=True)


def _is_entry(name: Any, value: Any) -> bool:
    return isinstance(name, str) and isinstance(value, Tensor)


def _named(key: Any) -> str:
    """Return a key in a line; any but names and numbers may take long to write."""
    if isinstance(key, str):
        return repr(shortened(key))
    return repr(key) if isinstance(key, int | float) else f"under a {type(key).__name__}"


def _reason(error: Exception) -> str:
    """Return why a file can't be read, without PyTorch's advice to run what is in it."""
    said = str(error)
    if "weights only load failed" in said.lower():
        return "it is damaged, or holds more than tensors"
    if isinstance(error, EOFError) or "unexpected EOF" in said or "truncated" in said:
        return "it is cut off; download it again"
    return shortened(said.splitlines()[0]) if said else type(error).__name__
