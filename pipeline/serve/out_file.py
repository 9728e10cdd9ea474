"""The file that ``predict --out`` writes: never one that is read, and the folder next to it of what is done so far."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from frostline.stages.datasets import Samples, local_files
from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.serve.table_file import check_table_file
from frostline.stages.store.locks import Lock, locked

log = logging.getLogger("frostline")
_PAUSE = 0.1  # seconds between two looks at a lock that another command holds


def check_out(out: Path, dataset: str) -> None:
    """Raise ConfigError where a file can't be written, or where a dataset is read from it."""
    check_table_file(out)
    if out.exists() and any(map(out.samefile, filter(Path.exists, local_files(dataset)))):
        raise ConfigError(f"{out} is an input of {dataset}, and --out would overwrite it; choose another name")


def check_apart(out: Path, samples: Samples, folder: Path) -> None:
    """Raise ConfigError where a file is one of samples, whose ids are paths below a folder."""
    place, below = out.resolve(), folder.expanduser().resolve()
    among = samples.encoded is not None and out.exists() and place.is_relative_to(below)
    if among and place.relative_to(below).as_posix() in samples.ids:
        raise ConfigError(f"{out} is a sample of {samples.dataset}, and --out would overwrite it; choose another")


@contextmanager
def parts_of(out: Path) -> Iterator[Path]:
    """Hold the folder of what is done of a file, made if it is not there, against other commands; wait for them.

    Raises ConfigError: it is a link or a file, or nothing can be written into it.
    """
    parts = out.with_name(f"{out.name}.parts")
    if parts.is_symlink() or (parts.exists() and not parts.is_dir()):
        found = "a link" if parts.is_symlink() else "a file"
        raise ConfigError(
            f"{parts} is {found}; a folder of this name is needed to store the finished parts of {out.name}: remove it"
        )
    lock = parts / "lock"
    with _held(parts, lock):
        try:
            yield parts
        finally:
            with suppress(OSError):
                lock.unlink()
                parts.rmdir()  # unless anything is in it


@contextmanager
def _held(parts: Path, lock: Path) -> Iterator[None]:
    told = False
    while True:
        _make(parts)
        with _tried(lock) as got:
            if got is Lock.NONE or (got is Lock.HELD and lock.exists()):  # else its holder before removed it
                yield
                return
        if not told:
            log.info("another command is using %s; waiting for it to finish", parts)
        told = True
        time.sleep(_PAUSE)


@contextmanager
def _tried(lock: Path) -> Iterator[Lock]:
    with ExitStack() as stack:
        try:
            got = stack.enter_context(locked(lock, wait=False))
        except StoreError as error:
            if not isinstance(error.__cause__, OSError):
                raise
            if not isinstance(error.__cause__, FileNotFoundError):  # its holder has just removed the folder
                raise _unwritable(lock.parent, error.__cause__) from error
            got = Lock.TAKEN
        yield got


def _make(parts: Path) -> None:
    try:
        parts.mkdir(exist_ok=True)
    except OSError as error:
        raise _unwritable(parts, error) from error


def _unwritable(parts: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"can't write into {parts}, where finished parts are stored: {error.strerror}; choose another --out, "
        "or fix the permissions"
    )


def remove_sets(folders: Iterable[Path]) -> None:
    """Remove the folders of sets; what can't be removed stays."""
    for folder in folders:
        with suppress(OSError):
            (folder / "key.json").unlink(missing_ok=True)  # first, so that a half-removed set is no set
        shutil.rmtree(folder, ignore_errors=True)
