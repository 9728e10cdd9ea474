"""A process that has loaded what the command loads and forks the others from itself: imports take their seconds once.

What is to be seen of imports, or of the environment before them, needs a process of its own.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from support import syncs

LOADED = (
    "frostline.pipeline.bench.bench",
    "frostline.pipeline.cli.flags",
    "frostline.pipeline.cli.main",
    "frostline.pipeline.diagnose.rank",
    "frostline.pipeline.engines.local",
    "frostline.pipeline.report.each",
    "frostline.pipeline.report.html.comparison",
    "frostline.pipeline.report.html.run_page",
    "frostline.pipeline.run.each",
    "frostline.pipeline.serve.predict",
    "frostline.stages.backbones.calibrate.precision",
    "frostline.stages.backbones.families.resnet8",
    "frostline.stages.backbones.inference.load",
    "frostline.stages.heads.solvers.logistic",
    "jinja2",
    "matplotlib.backends.backend_svg",
    "matplotlib.pyplot",
    "open_clip",
    "pydantic.dataclasses",
    "sklearn.datasets",
    "sklearn.linear_model",
    "timm",
    "torch",
    "torchvision",
    "transformers",
)


@dataclass
class Started:
    """A process that was forked, with what of ``subprocess.Popen`` the tests need."""

    folder: Path
    told: IO[str]
    pid: int
    returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        if self.returncode is None and select.select([self.told], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self) -> int:
        """Return the exit code once it has ended."""
        if self.returncode is None:
            with self.told:
                self.returncode = int(self.told.readline())
        return self.returncode

    def send_signal(self, sent: int) -> None:
        """Send a signal to it."""
        os.kill(self.pid, sent)

    def printed(self) -> tuple[str, str]:
        """Wait for it, and return what it printed on stdout and stderr."""
        self.wait()
        return (self.folder / "out").read_text(), (self.folder / "err").read_text()


class Warm:
    """Starts Python as ``python ARGUMENTS`` does."""

    def __init__(self) -> None:
        how: Any = {"stdin": subprocess.PIPE, "cwd": Path(__file__).parents[1]}
        how["env"] = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}  # as the command has it, which is too late here
        self._process = subprocess.Popen([sys.executable, "-m", "support.warm"], text=True, **how)
        self._room = tempfile.TemporaryDirectory()
        self._started = 0

    def start(self, arguments: Sequence[str], env: Mapping[str, str] = os.environ, cwd: Path | None = None) -> Started:
        """Start ``-m MODULE``, ``-c CODE`` or a file, with its arguments."""
        assert self._process.stdin
        self._started += 1
        folder = Path(self._room.name, str(self._started))
        folder.mkdir()
        os.mkfifo(folder / "told")
        asked = {"arguments": [*arguments], "env": dict(env), "cwd": str(cwd or Path.cwd()), "folder": str(folder)}
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        told = self._hear(folder / "told")
        return Started(folder, told, int(told.readline()))

    def _hear(self, pipe: Path) -> IO[str]:
        """Return what a process is told by, once there is something; raise RuntimeError if there will be nothing."""
        handle = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        while not select.select([handle], [], [], 1)[0]:
            if self._process.poll() is not None:
                raise RuntimeError("the process that starts the others has ended; its error is above")
        os.set_blocking(handle, True)
        return os.fdopen(handle)

    def run(
        self, arguments: Sequence[str], env: Mapping[str, str] = os.environ, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one to its end."""
        started = self.start(arguments, env, cwd)
        out, err = started.printed()
        return subprocess.CompletedProcess(arguments, started.wait(), out, err)

    def close(self) -> None:
        """End the process; what was started goes on."""
        with self._room, self._process:
            assert self._process.stdin
            self._process.stdin.close()


def _serve() -> None:
    gc.disable()  # what is loaded stays
    for name in LOADED:
        with suppress(ImportError):  # of an extra: its tests say so
            importlib.import_module(name)
    _draw()
    gc.freeze()
    gc.enable()
    syncs.leave_out()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        if os.fork() == 0:
            _watch(**json.loads(line))


def _draw() -> None:
    """Have templates compiled and fonts found, as the first page of a process does."""
    from frostline.pipeline.report.html.pages import _environment
    from frostline.pipeline.report.html.svg import figure

    for name in _environment().list_templates("html"):
        _environment().get_template(name)
    figure("first", "", (2, 2), lambda axes: axes.plot([0, 1]))


def _watch(folder: str, **asked: Any) -> None:
    """Start a process, and tell its number and how it ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid == 0:
        _become(folder=folder, **asked)
    with Path(folder, "told").open("w", buffering=1) as told:
        print(pid, file=told)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), file=told)
    os._exit(0)


def _become(arguments: list[str], env: dict[str, str], cwd: str, folder: str) -> None:
    """Be what ``python ARGUMENTS`` would be."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for handle, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(Path(folder, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND), handle)
    if env.get("PYTHONPATH") != os.environ.get("PYTHONPATH"):
        _look_again(env.get("PYTHONPATH", "").split(os.pathsep))
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    code: Any = 0
    try:
        _python(arguments)
    except SystemExit as end:
        code = end.code
        if not isinstance(code, int | None):
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        os._exit(code or 0)  # to tidy up what was loaded takes longer than most commands


def _look_again(folders: list[str]) -> None:
    """Find modules in these folders too; which distributions there are, Frostline looks at as it is loaded."""
    sys.path[:0] = folders
    for name in [name for name in sys.modules if name.partition(".")[0] == "frostline"]:
        del sys.modules[name]


def _python(arguments: list[str]) -> None:
    what, *rest = arguments
    sys.argv = [what, *rest]
    if what == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif what == "-c":
        sys.argv = ["-c", *rest[1:]]
        exec(rest[0], {"__name__": "__main__"})
    else:
        runpy.run_path(what, run_name="__main__")


if __name__ == "__main__":
    _serve()
