"""The command as a process: signals that end it, and streams that are full or closed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.project import REPOSITORY
from support.warm import Warm


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_command_with_its_own_code_and_finished_shards_kept(
    tmp_path: Path, warm: Warm, sent: signal.Signals, code: int
) -> None:
    listening = "signal.signal(signal.SIGINT, signal.default_int_handler)"  # a shell's background jobs do not listen
    program = (
        f"import signal, sys; {listening}; from frostline.pipeline.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    slow = ["--resize", "72x72"]  # seconds from the first shard to the end
    clean = {n: v for n, v in os.environ.items() if not n.startswith("FROSTLINE_")}
    process = warm.start(["-c", program, "extract", "--data-dir", str(tmp_path), *slow], clean, REPOSITORY)
    while process.poll() is None and not list(tmp_path.glob("features/*/shards/00000.json")):
        time.sleep(0.001)
    process.send_signal(sent)
    said = process.printed()[1]
    assert (process.returncode, "finished shards are kept" in said) == (code, True)
    assert list(tmp_path.glob("features/*/shards/00000.json"))


@pytest.mark.parametrize(("sent", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_that_comes_within_a_finaliser_ends_the_command_too(
    tmp_path: Path, warm: Warm, sent: str, code: int
) -> None:
    (tmp_path / "late.py").write_text(
        "import signal, time\n"
        "class Dropped:\n"
        f"    def __del__(self): signal.raise_signal(signal.{sent})\n"
        "def net():\n"
        "    Dropped()\n"
        "    time.sleep(600)\n"
    )
    program = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program += "from frostline.pipeline.cli.main import main; sys.exit(main(sys.argv[1:]))"
    what = ["extract", "--backbone", f"{tmp_path / 'late.py'}:net", "--weights", "factory", "--data-dir", str(tmp_path)]
    done = warm.run(["-c", program, *what], cwd=REPOSITORY)
    assert (done.returncode, "ignored" in done.stderr) == (code, False), done.stderr


def test_output_that_can_not_be_written_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    command = [sys.executable, "-m", "frostline", "ls", "--data-dir", str(tmp_path / "data")]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize(
    ("closed", "arguments", "code"),
    [
        (">&-", "ls", 1),
        (">&- 2>&-", "ls", 1),
        ("<&- >&- 2>&-", "ls", 1),
        ("2>&-", "ls", 0),
        ("2>&-", "ls --data-dir elsewhere", 2),
        ("2>&-", "sl", 2),
    ],
)
def test_streams_that_are_closed_are_said_where_that_can_be_and_nothing_traces_back(
    tmp_path: Path, closed: str, arguments: str, code: int
) -> None:
    (tmp_path / "data").mkdir()
    line = f"{sys.executable} -m frostline {arguments} {closed}"
    clean = {**os.environ}
    done = subprocess.run(line, shell=True, capture_output=True, text=True, cwd=tmp_path, env=clean, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (code, closed == ">&-"), done.stderr
    assert done.stdout == ("nothing is cached\n" if code == 0 else "")
    assert closed != ">&-" or "stdout is closed" in done.stderr


@pytest.mark.parametrize(("given", "counts"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_idle_threads_of_torch_sleep_unless_the_environment_says_otherwise(given: str | None, counts: str) -> None:
    # Threads that spin take the cores that busy ones need: two beside a busy core took 25 times as long as one.
    clean = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    program = (
        "import os, sys; from frostline.pipeline.cli.main import main; before = 'torch' in sys.modules\n"
        "try: main(['--version'])\n"
        "finally: print(os.environ['OMP_WAIT_POLICY'], before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=clean if given is None else clean | {"OMP_WAIT_POLICY": given},
        check=True,
    )
    assert done.stdout.splitlines()[-1] == f"{counts} False"


def test_the_collector_leaves_what_is_imported_alone_at_the_end_and_no_sooner() -> None:
    program = (
        "import atexit, gc; from frostline.pipeline.cli.main import main\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 1000))\n"
        "try: main(['--version'])\n"
        "finally: print(gc.isenabled(), gc.get_freeze_count())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["True 0", "True"]


def test_an_extraction_by_torchvision_does_not_import_torchs_compiler(tmp_path: Path, folder: Path) -> None:
    what = ["extract", "--backbone", "squeezenet1_1", "--weights", "random", "--resize", "32x32"]
    what += ["--layer", "features.3", "--dataset", f"folder:{folder}", "--data-dir", str(tmp_path / "data")]
    what += ["--precision", "fp32"]
    program = (
        "import sys; from frostline.pipeline.cli.main import main\n"
        f"code = main({what!r})\n"
        "print(code, 'torchvision' in sys.modules, sorted({'torch._dynamo', 'sympy'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 True []"
