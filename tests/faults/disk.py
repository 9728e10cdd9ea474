"""What a disk holds after a power loss: a model of which bytes and names were made durable.

POSIX promises that a file's bytes last once the file is fsynced, and its name once its folder is. What
was not fsynced may be there or not, in any combination; three of them are tried, each of which is
what some file system does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from faults.layer import Step

LOSSES = ("nothing else lasts", "names last, bytes don't", "the newest names last, older ones don't")
Names = dict[str, "Inode | None"]


@dataclass
class Inode:
    """A file's bytes, and those of its last fsync; or a folder."""

    folder: bool = False
    data: bytes = b""
    durable: bytes = b""


@dataclass
class Disk:
    """``names``: what a process sees. ``durable``: what lasts. ``pending``: each folder's changes since its fsync."""

    names: Names = field(default_factory=dict)
    durable: Names = field(default_factory=dict)
    pending: dict[str, list[Names]] = field(default_factory=lambda: defaultdict(list))

    def replay(self, steps: Iterable[Step]) -> Disk:
        for step in steps:
            self._do(step)
        return self

    def after(self, loss: str) -> dict[str, bytes | None]:
        """Return what is there after a power loss: each path's bytes, None for a folder."""
        names = dict(self.durable)
        for changes in self.pending.values():
            for change in {"nothing": [], "names": changes, "the": changes[-1:]}[loss.partition(" ")[0]]:
                names.update(change)
        whole = loss == LOSSES[2]
        there = {path: inode for path, inode in names.items() if inode and _reached(path, names)}
        return {path: None if i.folder else i.data if whole else i.durable for path, i in there.items()}

    def seen(self) -> dict[str, bytes | None]:
        """Return what is there for the next process while the power is on."""
        return {path: None if i.folder else i.data for path, i in self.names.items() if i}

    def _do(self, step: Step) -> None:
        if step.kind == "mkdir":
            self._change({step.path: Inode(folder=True)})
        elif step.kind == "create":
            self._change({step.path: Inode()})
        elif step.kind == "unlink":
            self._change({step.path: None})
        elif step.kind == "replace":
            self._change({step.to: self.names[step.path], step.path: None})
        elif step.kind == "write":
            self._inode(step.path).data += step.data
        elif step.kind == "fsync":
            self._sync(step.path)

    def _change(self, change: Names) -> None:
        self.names.update(change)
        self.pending[str(PurePosixPath(next(iter(change))).parent)].append(change)

    def _sync(self, path: str) -> None:
        if path == "." or self._inode(path).folder:
            for change in self.pending.pop(path, []):
                self.durable.update(change)
        else:
            self._inode(path).durable = self._inode(path).data

    def _inode(self, path: str) -> Inode:
        inode = self.names[path]
        assert inode is not None
        return inode


def _reached(path: str, names: Names) -> bool:
    return all(names.get(str(parent)) for parent in PurePosixPath(path).parents if str(parent) != ".")


def moments(steps: list[Step]) -> list[int]:
    """Return after how many steps the power may go away; before a promise is as after it, but for the promise."""
    return [k for k in range(len(steps) + 1) if k == len(steps) or steps[k].kind != "promise"]


def rebuild(root: Path, there: dict[str, bytes | None]) -> None:
    """Write what is left of a disk to a real folder, which may be there."""
    root.mkdir(parents=True, exist_ok=True)
    for path, data in sorted(there.items()):
        if data is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(data)
