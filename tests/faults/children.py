"""Child processes by fork, which is fast: they can be killed, and what they tell is heard."""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

from frostline.stages.errors import FrostlineError


@dataclass
class Child:
    """A process that runs one function, which may tell lines and return an exit code.

    ``wait`` gives that code, negative for a signal.
    """

    function: Callable[[Callable[[str], object]], int | None]
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader, writer = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of fork beside threads, which the child leaves alone
            self.pid = os.fork()
        if self.pid == 0:
            self._run(writer)
        os.close(writer)

    def wait(self) -> int:
        with os.fdopen(self._reader) as lines:
            self.told += lines.read().split("\n")[:-1]
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _run(self, writer: int) -> None:
        code = 1
        try:
            os.close(self._reader)
            code = int(self.function(lambda line: os.write(writer, f"{line}\n".encode())) or 0)
        except FrostlineError as error:
            code = error.exit_code
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
