"""Progress: a bar on a terminal, nothing in a pipe; stages tell and never print."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios

import numpy as np

from frostline.stages.heads.solvers.logistic import logistic_path
from frostline.stages.metrics import bootstrap
from frostline.stages.metrics.statistic import means
from frostline.stages.progress import tell, watched

SHOWN = """
from frostline.pipeline import progress
from frostline.stages.progress import tell
progress._AFTER = 0
with progress.showing():
    for i in range(4):
        tell("solving", "values", i, 3)
        tell("bootstrap", "resamples", i, 3)
with progress.bar("reading", "files") as shown:
    shown.at(2, 0)
"""


def test_on_a_terminal_there_is_one_bar_at_a_time_with_its_unit() -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    environ = {**os.environ, "TQDM_MININTERVAL": "0"}
    subprocess.run([sys.executable, "-c", SHOWN], stderr=theirs, env=environ, check=True)
    os.set_blocking(ours, False)
    text = os.read(ours, 1 << 16).decode()
    os.close(theirs)
    os.close(ours)
    assert "solving" in text and "3/3" in text and "values/s" in text
    assert "reading: 2 files" in text and "bootstrap" not in text


def test_in_a_pipe_nothing_is_shown() -> None:
    done = subprocess.run([sys.executable, "-c", SHOWN], capture_output=True, check=True)
    assert done.stdout == done.stderr == b""


def test_a_watcher_is_told_of_resamples_up_to_the_last_and_nobody_is_without_one() -> None:
    told: list[tuple[str, str, int, int]] = []
    values = means([np.arange(50.0)])
    with watched(lambda *what: told.append(what)):
        bootstrap([values], 50, seed=0, resamples=100)
    assert told[-1] == ("bootstrap", "resamples", 100, 100)
    before = len(told)
    bootstrap([values], 50, seed=0, resamples=100)
    tell("other", "things", 1, 1)
    assert {one[0] for one in told} == {"bootstrap"} and len(told) == before


def test_a_path_tells_how_many_values_are_solved() -> None:
    told: list[tuple[str, str, int, int]] = []
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)).astype("float32"), np.repeat([0, 1, 2], 20)
    with watched(lambda *what: told.append(what)):
        logistic_path(X, y, (0.1, 1.0, 10.0))
    assert {one[:2] for one in told} == {("solving", "values")} and told[-1][2] == told[-1][3] >= 3
