"""Shards made durable while the caller computes the next ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType


class WriteBack:
    """Does commits in the order given, in a thread of its own or, unless ``behind``, at once.

    Each comes with what holds its shard, which is let go of when the commit is done, by the caller's thread: a lock
    belongs to the thread that took it. What a commit raises, a later call raises; those after it may be done.
    """

    def __init__(self, *, behind: bool) -> None:
        self._thread = ThreadPoolExecutor(1, "frostline-write") if behind else None
        self._pending: deque[tuple[Future[None], ExitStack]] = deque()

    def __enter__(self) -> WriteBack:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._thread:
            self._thread.shutdown(cancel_futures=True)

    def commit(self, work: Callable[[], None], held: ExitStack) -> None:
        """Do a commit; where it is done behind the caller's back, at most one other waits for it."""
        if self._thread is None:
            with held:
                work()
            return
        self.finish(but=1)
        self._pending.append((self._thread.submit(work), held))

    def finish(self, but: int = 0) -> None:
        """Wait until all commits are done, or all but so many."""
        while len(self._pending) > but:
            future, held = self._pending.popleft()
            with held:
                future.result()
