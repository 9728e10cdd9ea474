"""The threads of this process that wait for answers: they take no CPU. One that gives up stops the others."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from frostline.stages.errors import DataError

T = TypeVar("T")
AT_ONCE = 32


class Unanswered(DataError):
    """A server gave no answer for so long that nothing more is asked of it."""


class _Pool:
    """Started when it is first needed, in each process again."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(AT_ONCE, "bucket-fetch")
        self._why: Unanswered | None = None

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Have a thread do the work."""
        with self._lock:
            return self._threads.submit(partial(self._do, work))

    def result(self, future: Future[T]) -> T:
        """Return what the work gave, or raise what it raised."""
        try:
            return future.result()
        except CancelledError:
            raise DataError(str(self._why)) from None

    def _do(self, work: Callable[[], T]) -> T:
        try:
            return work()
        except Unanswered as error:
            with self._lock:
                self._why = error
                self._threads.shutdown(wait=False, cancel_futures=True)
                self._threads = ThreadPoolExecutor(AT_ONCE, "bucket-fetch")
            raise


POOL = _Pool()
