"""A process that has loaded what the command loads, and forks a child for each: imports take their seconds once."""

from __future__ import annotations

import gc
import importlib
import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LOADED = (
    "frostline.pipeline.bench.bench",
    "frostline.pipeline.cli.main",
    "frostline.pipeline.run.each",
    "frostline.pipeline.serve.predict",
    "jinja2",
    "matplotlib.backends.backend_svg",
    "matplotlib.pyplot",
    "sklearn.linear_model",
    "torch",
    "torchvision",
)


class Warm:
    """Runs commands as children of one process, one after another."""

    def __init__(self) -> None:
        how: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "cwd": Path(__file__).parents[1]}
        how["env"] = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}  # as the command has it, which is too late here
        self._process = subprocess.Popen([sys.executable, "-m", "support.warm"], **how)

    def run(self, arguments: tuple[str, ...], env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
        """Return what a command printed and its exit code."""
        with tempfile.TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            asked = {"arguments": arguments, "env": dict(env), "cwd": str(cwd), "out": str(out), "err": str(err)}
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()
            code = int(self._process.stdout.readline())
            return subprocess.CompletedProcess(arguments, code, out.read_text(), err.read_text())

    def close(self) -> None:
        """End the process."""
        with self._process:
            self._process.stdin.close()


def _serve() -> None:
    for name in LOADED:
        importlib.import_module(name)
    gc.freeze()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    for line in sys.stdin.buffer:
        pid = os.fork()
        if pid == 0:
            _become(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), file=answers)


def _become(arguments: list[str], env: dict[str, str], cwd: str, out: str, err: str) -> None:
    """Be the command from here on."""
    from frostline.pipeline.cli.main import main

    for handle, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND), handle)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.path[:0] = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.argv = ["frostline", *arguments]
    code: Any = 1
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)  # to tidy up what was loaded takes longer than most commands


if __name__ == "__main__":
    _serve()
