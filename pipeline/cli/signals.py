"""Signals that end a command: raised where it is, so that what is open is closed on the way out."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import NoReturn


class Terminated(BaseException):
    """SIGTERM; no Exception, so that nothing on the way takes it for a failure of its own."""


def listen() -> None:
    """Raise Terminated in the main thread on SIGTERM; SIGINT raises KeyboardInterrupt, as Python has it."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.unraisablehook = _unraisable


def _terminate(_signum: int, _frame: FrameType | None) -> NoReturn:
    raise Terminated


def _unraisable(dropped: sys.UnraisableHookArgs) -> None:
    """Send a signal again whose exception came up in a finaliser: Python drops what is raised there."""
    sent = {KeyboardInterrupt: signal.SIGINT, Terminated: signal.SIGTERM}.get(dropped.exc_type)
    if sent is None:
        sys.__unraisablehook__(dropped)
    else:
        main_thread = threading.main_thread().ident
        threading.Timer(0.01, signal.pthread_kill, [main_thread, sent]).start()
