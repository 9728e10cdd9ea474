"""A layer between the store and the operating system: it counts every step, and any of them can go wrong."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

KINDS = ("open", "write", "fsync", "close", "replace", "mkdir", "unlink")
REAL = {kind: getattr(os, kind) for kind in KINDS}
# What is opened with none of these is only read: no step. A folder is opened to be synced.
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_DIRECTORY


@dataclass(frozen=True)
class Step:
    """One call below the root that was made: ``path`` relative to it, "." for the root itself.

    ``kind``: one of KINDS, or ``create`` for an open that makes a file, or ``promise``. ``by``: the
    function of the store that made it.
    """

    kind: str
    path: str
    to: str = ""
    data: bytes = b""
    by: str = ""


# The call itself; of a write, what to write can be given.
Call = Callable[..., Any]
# What happens at step n: told the number, the step and the call.
Fault = Callable[[int, Step, Call], Any]
Act = Callable[[Step, Call], Any]


class Layer:
    """Records the steps below ``root`` while it is installed, and lets ``fault`` disturb them.

    An fsync is noted and not done: the model of the disk decides what lasts, and this machine's is slow.
    """

    def __init__(self, root: Path, fault: Fault | None = None) -> None:
        self.root = root
        self.steps: list[Step] = []
        self.calls: list[str] = []  # the kind of each call, done or not
        self._fault = fault or (lambda n, step, do: do())
        self._open: dict[int, str] = {}

    @contextmanager
    def installed(self) -> Iterator[Layer]:
        for kind in KINDS:
            setattr(os, kind, partial(self._call, kind))
        try:
            yield self
        finally:
            for kind in KINDS:
                setattr(os, kind, REAL[kind])

    def promise(self, what: str) -> None:
        """Note that the store has returned from making something durable."""
        self.steps.append(Step("promise", what))

    def _call(self, kind: str, target: Any, *args: Any, **named: Any) -> Any:
        step = self._step(kind, target, args)
        if step is None:
            return REAL[kind](target, *args, **named)
        n = len(self.calls)
        self.calls.append(step.kind)

        def do(data: bytes | None = None) -> Any:
            return None if kind == "fsync" else REAL[kind](target, *(args if data is None else [data]), **named)

        result = self._fault(n, step, do)
        self._note(step, target, result)
        return result

    def _note(self, step: Step, target: Any, result: Any) -> None:
        if step.kind in ("open", "create"):
            self._open[result] = step.path
        elif step.kind == "close":
            del self._open[target]
        elif step.kind == "write":
            step = replace(step, data=step.data[:result])
        self.steps.append(step)

    def _step(self, kind: str, target: Any, args: tuple[Any, ...]) -> Step | None:
        path = self._open.get(target) if kind in ("write", "fsync", "close") else self._below(target)
        if path is None:
            return None
        if kind == "open" and not args[0] & _CHANGES:
            return None
        if kind == "open" and args[0] & os.O_CREAT and not os.path.lexists(target):
            kind = "create"
        to = self._below(args[0]) or "" if kind == "replace" else ""
        return Step(kind, path, to, bytes(args[0]) if kind == "write" else b"", _caller())

    def _below(self, path: Any) -> str | None:
        full = Path(path)
        return full.relative_to(self.root).as_posix() if full.is_relative_to(self.root) else None


def _caller() -> str:
    frame = sys._getframe(3)
    while frame.f_back and frame.f_code.co_name == "sync_folder":
        frame = frame.f_back
    return frame.f_code.co_name


def at(k: int, act: Act) -> Fault:
    """Disturb step k alone."""
    return lambda n, step, do: act(step, do) if n == k else do()


def since(k: int, act: Act) -> Fault:
    """Disturb step k and all after it."""
    return lambda n, step, do: act(step, do) if n >= k else do()


def kill(step: Step, do: Call) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail(code: int) -> Act:
    """The call fails with an error number; a file is closed all the same, as Linux does."""

    def act(step: Step, do: Call) -> None:
        if step.kind == "close":
            do()
        raise OSError(code, os.strerror(code), step.path)

    return act


def skip(step: Step, do: Call) -> None:
    """The call is not made, and nothing says so."""


def half(step: Step, do: Call) -> Any:
    """Write half of what is asked, and say so, as the system may."""
    return do(step.data[: len(step.data) // 2 or 1]) if step.kind == "write" else do()


def half_and_kill(step: Step, do: Call) -> None:
    half(step, do)
    kill(step, do)


def half_and_full(step: Step, do: Call) -> None:
    half(step, do)
    fail(errno.ENOSPC)(step, do)


ERRORS = {
    "ENOSPC from a step on": (since, fail(errno.ENOSPC)),
    "EROFS from a step on": (since, fail(errno.EROFS)),
    "EIO once": (at, fail(errno.EIO)),
    "EACCES once": (at, fail(errno.EACCES)),
    "half a write, then ENOSPC": (at, half_and_full),
}


def chosen(undisturbed: Layer, act: Act) -> list[int]:
    """Return the steps that a fault makes sense at: half writes at writes alone."""
    halves = act in (half, half_and_kill, half_and_full)
    return [k for k, kind in enumerate(undisturbed.calls) if kind == "write" or not halves]
