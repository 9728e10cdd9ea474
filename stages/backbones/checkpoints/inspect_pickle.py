"""What a PyTorch checkpoint would have its reader do, looked at before anything is done.

PyTorch's own restricted unpickler runs no code of a stranger's, but calls what takes any amount of memory on the
word of a few bytes, such as ``bytearray``, and hashes tuples that hold each other any number of times.
"""

from __future__ import annotations

import pickletools
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import torch

_REBUILT = ("tensor", "tensor_v2", "tensor_v3", "parameter", "parameter_with_state", "qtensor")
_NAMES = {
    *(f"torch._utils._rebuild_{what}" for what in _REBUILT),
    *("collections.OrderedDict", "collections.Counter"),
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in ("set", "complex")),
    *("torch.Size", "torch.device", "torch.nn.parameter.Parameter", "torch.storage.UntypedStorage"),
}
_DEEPEST = 100
_SHARED = 1 << 20  # objects that are there again; an optimizer's groups share their betas, a copied state is all there
_FILL = ("APPEND", "APPENDS", "SETITEM", "SETITEMS", "BUILD")
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
            _check_pickle(file)


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
                    _check_pickle(pickle)


class _Made:
    """What a pickle makes: of how many objects, shared ones counted each time, and how deeply nested."""

    __slots__ = ("depth", "size")

    def __init__(self, items: Sequence[_Made] = ()) -> None:
        self.size = self.depth = 1
        self.take(items)

    def take(self, items: Sequence[_Made]) -> None:
        self.size += sum(item.size for item in items)
        self.depth = max(self.depth, 1 + max((item.depth for item in items), default=0))
        if self.depth > _DEEPEST:
            raise ValueError(f"it is nested more than {_DEEPEST} deep")


_ATOM = _Made()


class _Reader:
    """A pickle's stack and memo as PyTorch's reader would have them, of sizes instead of objects."""

    def __init__(self) -> None:
        self.stack: list[_Made] = []
        self.below: list[list[_Made]] = []
        self.memo: dict[int, _Made] = {}
        self.shared = 0

    def step(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        if opcode.name == "MARK":
            self.below.append(self.stack)
            self.stack = []
        elif opcode.name.endswith("PUT"):
            self.memo[argument] = self.stack[-1]
        elif opcode.name.endswith("GET"):
            self._again(self.memo[argument])
        elif opcode.name in _FILL:
            self._fill(self._popped(opcode.stack_before[1:]))
        else:
            items = self._popped(opcode.stack_before)
            is_atom = not items and not opcode.name.startswith("EMPTY")
            self.stack += [_ATOM if is_atom else _Made(items)] * len(opcode.stack_after)

    def _popped(self, wanted: Sequence[pickletools.StackObject]) -> list[_Made]:
        if pickletools.markobject in wanted:
            items, self.stack = self.stack, self.below.pop()
            return items
        return [self.stack.pop() for _ in wanted]

    def _fill(self, items: Sequence[_Made]) -> None:
        if self.stack[-1] is _ATOM:
            raise ValueError("it adds items to an object that is not a container")
        self.stack[-1].take(items)

    def _again(self, made: _Made) -> None:
        self.shared += made.size - 1
        if self.shared > _SHARED:
            raise ValueError(f"it would expand to more than {_SHARED:,} objects")
        self.stack.append(made)


def _check_pickle(pickle: IO[bytes]) -> None:
    """Read one pickle up to its end without doing what it says."""
    reader = _Reader()
    for opcode, argument, _ in pickletools.genops(pickle):
        if opcode.name == "GLOBAL" and not _makes_tensors(name := str(argument).replace(" ", ".", 1)):
            raise ValueError(f"it holds more than tensors ({name}); unpickling that could run code or take all memory")
        reader.step(opcode, argument)


def _makes_tensors(name: str) -> bool:
    module, _, last = name.rpartition(".")
    found = vars(torch).get(last) if module == "torch" else None
    is_kind = isinstance(found, torch.dtype | torch.qscheme) or (found is not None and last.endswith("Storage"))
    return name in _NAMES or is_kind
