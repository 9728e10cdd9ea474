"""What a PyTorch checkpoint would have its reader do, looked at before anything is done.

PyTorch's own restricted unpickler runs no code of a stranger's, but calls what takes any amount of memory on the
word of a few bytes, such as ``bytearray``.
"""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path
from typing import IO

import torch

_REBUILT = ("tensor", "tensor_v2", "tensor_v3", "parameter", "parameter_with_state", "qtensor")
_NAMES = {
    *(f"torch._utils._rebuild_{what}" for what in _REBUILT),
    *("collections.OrderedDict", "collections.Counter", "_codecs.encode"),
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("set", "complex")),
    *("torch.Size", "torch.device", "torch.nn.parameter.Parameter", "torch.storage.UntypedStorage"),
}
_PICKLES = 5  # of the format before archives: mark, version, system, tensors, names of their storages


def check_pickles(path: Path) -> None:
    """Raise ValueError, or what the parsers raise, if a checkpoint names more than tensors or unpacks to more bytes."""
    with path.open("rb") as file:
        is_archive = file.read(4) == b"PK\3\4"  # as PyTorch itself decides
        file.seek(0)
        if is_archive:
            _check_archive(file, path.stat().st_size)
            return
        for _ in range(_PICKLES):
            _check_names(file)


def _check_archive(file: IO[bytes], size: int) -> None:
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("its entries are compressed, which PyTorch never does, and could unpack to any size")
        # Else PyTorch's reader could find other entries than this one.
        if archive.comment or min((entry.header_offset for entry in entries), default=0):
            raise ValueError("its archive begins or ends with something else, which PyTorch never writes")
        if sum(entry.file_size for entry in entries) > size:
            raise ValueError("its entries overlap and would unpack to more than it holds")
        for entry in entries:
            if entry.filename.lower().endswith(".pkl"):
                with archive.open(entry) as pickle:
                    _check_names(pickle)


def _check_names(pickle: IO[bytes]) -> None:
    """Read one pickle up to its end without doing what it says."""
    for opcode, argument, _ in pickletools.genops(pickle):
        if opcode.name == "GLOBAL" and not _makes_tensors(name := str(argument).replace(" ", ".", 1)):
            raise ValueError(f"it holds more than tensors ({name}); unpickling that could run code or take all memory")


def _makes_tensors(name: str) -> bool:
    module, _, last = name.rpartition(".")
    found = vars(torch).get(last) if module == "torch" else None
    is_kind = isinstance(found, torch.dtype | torch.qscheme) or (found is not None and last.endswith("Storage"))
    return name in _NAMES or is_kind
