"""Fits side by side: the same bits on one core and on two, the same errors, and an end when it is asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frostline.stages.errors import ConfigError
from frostline.stages.fit import fit
from frostline.stages.heads import head_spec, parallel
from frostline.stages.heads.parallel import in_parallel
from support.features import features
from support.parallel_jobs import about, doubled, killed, nested


@pytest.fixture(params=["1", "2"])
def cores(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """So many cores, all of which are used from the second job on."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", request.param)
    monkeypatch.setattr(parallel, "_PAYS", 0.0)
    return int(request.param)


def test_the_first_job_runs_here_the_others_elsewhere_and_each_has_one_thread(cores: int) -> None:
    found = in_parallel(about, [(i,) for i in range(5)], 1)
    assert found[0][0] == os.getpid() and {threads for _, threads in found} == {1}
    assert ({pid for pid, _ in found[1:]} == {os.getpid()}) == (cores == 1)


def test_a_job_alone_has_every_thread() -> None:
    assert in_parallel(about, [(0,)], 1) == [about(0)]


def test_a_worker_starts_no_workers(cores: int) -> None:
    for found in in_parallel(nested, [(i,) for i in range(3)], 1)[1:]:
        assert len({pid for pid, _ in found}) == 1 or cores == 1 or found[0][0] == os.getpid()
        assert {threads for _, threads in found} == {1}


def test_what_has_no_room_twice_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_PAYS", 0.0)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert {pid for pid, _ in in_parallel(about, [(i,) for i in range(3)], memory // 3)} == {os.getpid()}


def test_rows_are_mapped_and_not_copied_for_each_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_PAYS", 0.0)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    rows = np.ones((1000, 500), np.float32)
    found = in_parallel(doubled, [(rows, i) for i in range(4)], 1)
    assert found == [("ndarray", 0.0), *(("memmap", i * 5e5) for i in range(1, 4))]


def test_a_process_that_the_system_ends_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "_PAYS", 0.0)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    with pytest.raises(ConfigError, match="was killed by the system, probably because memory ran out"):
        in_parallel(killed, [(0,), (1,), (2,)], 1)


HEADS: list[tuple[str, str, tuple[Any, ...], dict[str, Any]]] = [
    ("sklearn.svm:SVC", "C", (0.1, 1.0, 10.0), {}),
    ("sklearn.linear_model:LogisticRegression", "C", (0.1, 1.0, 10.0), {"folds": 3, "scaling": "l2"}),
    ("sklearn.neural_network:MLPClassifier", "alpha", (0.1, 1.0), {"options": {"max_iter": 3}, "folds": 2}),
    ("FILE:near", "n_neighbors", (1, 5), {"scaling": "standardize"}),
]


@pytest.mark.parametrize(("name", "parameter", "grid", "more"), HEADS, ids=[name for name, *_ in HEADS])
def test_a_head_is_the_same_on_one_core_and_on_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, parameter: str, grid: Any, more: dict[str, Any]
) -> None:
    file = tmp_path / "head.py"
    file.write_text(
        "from sklearn.neighbors import KNeighborsClassifier\nclass Near(KNeighborsClassifier):\n    pass\n"
        "def near():\n    return Near()\n"
    )
    spec = head_spec(name.replace("FILE", str(file)), grid, parameter=parameter, **more)
    monkeypatch.setattr(parallel, "_PAYS", 0.0)
    found = []
    for cores in ("1", "2"):
        monkeypatch.setenv("LOKY_MAX_CPU_COUNT", cores)
        head, selection = fit([features()], spec)
        found.append((head.decision_values(features(seed=1).X).tobytes(), selection))
    assert found[0] == found[1]
    if "MLP" in name:
        assert found[0][1].converged == (False, False)


def test_the_first_fit_that_fails_is_the_one_that_is_told(cores: int) -> None:
    spec = head_spec("sklearn.svm:SVC", (-2.0, -1.0, 1.0), parameter="C")
    with pytest.raises(ConfigError, match=r"sklearn.svm:SVC raised InvalidParameterError: .* Got -2\.0 instead"):
        fit([features()], spec)


SLOW = """
import time
from sklearn.naive_bayes import GaussianNB

class Slow(GaussianNB):
    def fit(self, X, y, sample_weight=None):
        time.sleep(60 if self.var_smoothing > 1e-9 else 0.2)
        return super().fit(X, y)

def slow():
    return Slow()
"""
PROGRAM = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from frostline.pipeline.cli import signals
signals.listen()
from frostline.stages.fit import fit
from frostline.stages.heads import head_spec, parallel
sys.path.insert(0, sys.argv[2])
from support.features import features
from support.parallel_jobs import about, doubled, killed, nested
parallel._PAYS = 0.0
try:
    fit([features()], head_spec(sys.argv[1] + ":slow", (1e-9, 1e-8, 1e-7, 1e-6), parameter="var_smoothing"))
except (KeyboardInterrupt, signals.Terminated):
    print("ended")
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_fits_at_once_and_leaves_no_process(tmp_path: Path, sent: signal.Signals) -> None:
    file = tmp_path / "head.py"
    file.write_text(SLOW)
    command = [sys.executable, "-c", PROGRAM, str(file), str(Path(__file__).parents[2])]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "LOKY_MAX_CPU_COUNT": "2"},
    )
    deadline = time.monotonic() + 120
    while len(workers(process.pid)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    if sent == signal.SIGINT:
        os.killpg(process.pid, sent)  # as a terminal does
    else:
        process.send_signal(sent)
    out, err = process.communicate(timeout=50)
    assert (out, "Traceback" in err) == ("ended\n", False), err
    while workers(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not workers(process.pid)


def workers(session: int) -> list[int]:
    """Return the processes of a session that loky started to work."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat, line = (folder / "stat").read_text(), (folder / "cmdline").read_text()
        except OSError:
            continue
        if int(stat.rpartition(")")[2].split()[3]) == session and "popen_loky_posix" in line:
            found.append(int(folder.name))
    return found
