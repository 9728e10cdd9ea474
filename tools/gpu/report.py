"""Steps with a limit each; what they find is written after every one, so that nothing is lost."""

from __future__ import annotations

import json
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

Found = dict[str, object]
_LEAST = 5.0  # seconds: a step that is left less is not begun


class Skipped(Exception):
    """A step that does not apply here; the message says why."""


class TooLate(BaseException):
    """A step took longer than its limit; no ``except Exception`` of a library holds it back."""


class Report:
    """What was found: ``result.json`` by step, ``log.txt`` for people, ``errors.txt``; ``keep``: what is there stays.

    ``seconds``: for all steps together.
    """

    def __init__(self, folder: Path, seconds: float, *, keep: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._file, self._started = folder, folder / "result.json", time.perf_counter()
        self._seconds = seconds
        self.steps: dict[str, Found] = json.loads(self._file.read_text()) if keep and self._file.exists() else {}

    def say(self, text: str) -> None:
        line = f"[{time.perf_counter() - self._started:6.1f} s] {text}"
        print(line, flush=True)
        self.append("log.txt", line)

    def append(self, name: str, text: str) -> None:
        """Add text to a file beside the results."""
        with (self.folder / name).open("a") as file:
            file.write(f"{text}\n")

    def run(self, name: str, limit: float, work: Callable[[Found], object]) -> None:
        """Run a step, for so many seconds at most; note what it raises, and write all that was found."""
        found = self.steps[name] = {}
        started = time.perf_counter()
        self.say(f"{name} begins")
        try:
            with _alarm(self._left(limit)):
                work(found)
        except Skipped as reason:
            found["skipped"] = str(reason)
        except (Exception, TooLate) as error:
            found["error"] = f"{type(error).__name__}: {error}"[:500]
            self.append("errors.txt", f"== {name}\n{traceback.format_exc()}")
        found["seconds"] = round(time.perf_counter() - started, 1)
        self._file.write_text(json.dumps(self.steps, indent=1))
        self._tell(name, found)

    def _left(self, limit: float) -> float:
        left = self._seconds - (time.perf_counter() - self._started)
        if left < _LEAST:
            raise Skipped("no time was left for it; run it alone with --only")
        return min(limit, left)

    def _tell(self, name: str, found: Found) -> None:
        for key, value in found.items():
            self.say(f"{name}: {key}: {value}")


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise TooLate in the main thread after so many seconds."""

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise TooLate(f"it took more than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
