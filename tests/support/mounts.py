"""A real mount that refuses what network file systems refuse: a folder shown through FUSE.

``python mounts.py FOLDER MOUNT '{"flock": 37}'`` serves until it is unmounted; each operation named fails with its
number.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_STAT = ("st_mode", "st_ino", "st_nlink", "st_uid", "st_gid", "st_size")
_SPACE = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_files", "f_ffree", "f_frsize", "f_namemax")


def mount_obstacle() -> str | None:
    """Return why nothing can be mounted here, None if it can."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "no mount: /dev/fuse is not there, or may not be opened"
    if shutil.which("fusermount3") is None:
        return "no mount: fusermount3 is not there (apt-get install fuse3)"
    found = subprocess.run([sys.executable, "-c", "import mfusepy"], capture_output=True, text=True, check=False)
    return f"no mount: {found.stderr.splitlines()[-1]}" if found.returncode else None


@contextmanager
def mounted(folder: Path, mount: Path, refused: Mapping[str, int]) -> Iterator[Path]:
    """Show a new folder at ``mount``; raise OSError with the server's words where the system forbids it."""
    folder.mkdir()
    mount.mkdir()
    asked = [sys.executable, __file__, str(folder), str(mount), json.dumps(refused)]
    log = folder.with_suffix(".log")  # a pipe that nobody reads would fill: the server says each error
    with log.open("w") as said:
        server = subprocess.Popen(asked, stderr=said)
    try:
        while not mount.is_mount():
            if server.poll() is not None:
                raise OSError(log.read_text())
            time.sleep(0.01)
        yield mount
    finally:
        subprocess.run(["fusermount3", "-u", "-z", str(mount)], capture_output=True, check=False)
        server.wait()


class Passed:
    """Every operation that a folder needs, handed on to it."""

    use_ns = True

    def __init__(self, folder: str, refused: Mapping[str, int]) -> None:
        self.folder = folder
        for name, number in refused.items():
            setattr(self, name, _refusing(number))

    def flock(self, path: str, fh: int, op: int) -> int:
        raise NotImplementedError("a mount without its own answer to flock would have the kernel's locks")

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:
        return 0

    def getattr(self, path: str, fh: int | None = None) -> dict[str, int]:
        found = os.lstat(self.folder + path)
        times = {f"st_{kind}time": getattr(found, f"st_{kind}time_ns") for kind in "amc"}
        return {name: getattr(found, name) for name in _STAT} | times

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", "..", *os.listdir(self.folder + path)]

    def open(self, path: str, flags: int) -> int:
        return os.open(self.folder + path, flags)

    def create(self, path: str, mode: int, fi: object = None) -> int:
        return os.open(self.folder + path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:
        return _done(os.truncate(self.folder + path if fh is None else fh, length))

    def fsync(self, path: str, datasync: int, fh: int) -> int:
        return _done(os.fsync(fh))

    def release(self, path: str, fh: int) -> int:
        return _done(os.close(fh))

    def mkdir(self, path: str, mode: int) -> int:
        return _done(Path(self.folder + path).mkdir(mode))

    def rmdir(self, path: str) -> int:
        return _done(Path(self.folder + path).rmdir())

    def unlink(self, path: str) -> int:
        return _done(Path(self.folder + path).unlink())

    def rename(self, old: str, new: str) -> int:
        Path(self.folder + old).replace(self.folder + new)
        return 0

    def symlink(self, target: str, source: str) -> int:
        return _done(Path(self.folder + target).symlink_to(source))

    def readlink(self, path: str) -> str:
        return str(Path(self.folder + path).readlink())

    def chmod(self, path: str, mode: int) -> int:
        return _done(Path(self.folder + path).chmod(mode))

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        return _done(os.utime(self.folder + path, ns=times))

    def statfs(self, path: str) -> dict[str, int]:
        found = os.statvfs(self.folder + path)
        return {name: getattr(found, name) for name in _SPACE}


def _done(_: None) -> int:
    return 0


def _refusing(number: int) -> Callable[..., Any]:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return refuse


def _serve(folder: str, mount: str, refused: str) -> None:
    import mfusepy

    served = type("Served", (Passed, mfusepy.Operations), {})
    mfusepy.FUSE(served(folder, json.loads(refused)), mount, foreground=True, nothreads=True, fsname="refusing")


if __name__ == "__main__":
    _serve(*sys.argv[1:])
