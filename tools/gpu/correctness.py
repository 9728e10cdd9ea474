"""The tests that need a GPU. A capture that fails has a process of its own, with the tests that it could harm."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tools.gpu.bench import Bench
from tools.gpu.report import Found, Skipped

REPOSITORY = Path(__file__).parents[2]
_EXTRACT = "tests/stages/extract/test_cuda_extract.py"
BAD_CAPTURE = f"{_EXTRACT}::test_a_network_that_can_not_be_captured_runs_all_the_same"
AFTER_A_FAILED_CAPTURE = (
    "-n",
    "0",
    BAD_CAPTURE,
    f"{_EXTRACT}::test_out_of_memory_halves_the_batch_and_goes_on",
    f"{_EXTRACT}::test_a_long_stream_takes_no_more_memory_than_a_short_one",
)
_HOW = ("-q", "-rfE", "-o", "filterwarnings=default", "-p", "no:cacheprovider", "--durations=5")


def cuda_tests() -> list[str]:
    return sorted(str(path.relative_to(REPOSITORY)) for path in (REPOSITORY / "tests").rglob("test_cuda*.py"))


MOST = ("-n", "6", "--dist", "load", *cuda_tests(), "--deselect", BAD_CAPTURE)


def tests(bench: Bench, found: Found) -> None:
    if not bench.on_gpu:
        raise Skipped("these tests need a GPU; the suite runs what can be tested without one")
    log = bench.report.folder / "tests.txt"
    most, found["all but a failed capture"] = _pytest(log, *MOST)
    after, found["a failed capture, then out of memory and a long stream"] = _pytest(log, *AFTER_A_FAILED_CAPTURE)
    if most or after:
        raise AssertionError("tests failed; see tests.txt")


def _pytest(log: Path, *arguments: str) -> tuple[int, str]:
    """Return pytest's exit code and its last line; all lines go to a log. Its processes end with this call."""
    command = [sys.executable, "-m", "pytest", *_HOW, *arguments]
    with log.open("a") as file:
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=file, stderr=file, start_new_session=True)
        try:
            code = process.wait()
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    return code, log.read_text().strip().rpartition("\n")[2]
