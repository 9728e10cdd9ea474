"""Several devices: a process for each does shards of one set; the processor stands for all of them here."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from frostline.pipeline.cli.main import main
from frostline.pipeline.engines import local, processes
from frostline.pipeline.engines.base import Here, Job
from frostline.pipeline.engines.fill import fill
from frostline.pipeline.engines.processes import rows_done, start_python, worker_arguments
from frostline.pipeline.engines.registry import engine_for
from frostline.pipeline.engines.shards import run_job
from frostline.pipeline.plan.begin import begin
from frostline.pipeline.plan.inputs import open_inputs
from frostline.pipeline.plan.lookup import look_up
from frostline.pipeline.plan.machine import device_of, devices_of
from frostline.pipeline.plan.make import make_plan
from frostline.pipeline.plan.plan import Plan
from frostline.pipeline.settings import ExtractSettings
from frostline.pipeline.steps.features import extract_missing
from frostline.stages.errors import ConfigError, StoreError
from frostline.stages.store import open_set
from support.project import REPOSITORY
from support.warm import Warm

SLEEPS = ["-c", "import time; time.sleep(600)"]


def shard_files(work: Path) -> dict[str, bytes]:
    return {str(path.relative_to(work)): path.read_bytes() for path in work.glob("features/*/shards/*")}


def planned(**settings: Any) -> Plan:
    return make_plan(open_inputs(ExtractSettings(engine="processes", resize=(8, 8), **settings)))


def test_a_process_beside_this_one_does_shards_of_the_set_that_this_one_began(
    work: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["--dataset", f"folder:{folder}", "--resize", "8x8", "--batch-size", "5"]
    assert main(["extract", *asked, "--data-dir", "alone"]) == 0
    plan = planned(dataset=f"folder:{folder}", batch_size=5)
    request = look_up(plan, "train", "plain")
    begun = begin(plan, request)
    done: list[int] = []

    def elsewhere(job: Job, here: Here) -> int:
        with pytest.raises(StoreError, match="sees no feature set that of anot"):
            run_job(replace(job, digest="that of another key"))
        with start_python([worker_arguments(job)]) as (worker,):
            done.append(rows_done(worker))
        assert begun.complete
        return sum(done)

    monkeypatch.setattr("frostline.pipeline.engines.fill.engine_for", lambda *_: elsewhere)
    assert fill(plan, request, begun)[0] == 36 and done == [36]
    extract_missing(plan)
    assert shard_files(work) == shard_files(work.parent / "alone")


def on_processors(monkeypatch: pytest.MonkeyPatch, n: int) -> None:
    monkeypatch.setattr(processes, "devices_of", lambda name: ["cpu"] * n)
    monkeypatch.setattr(processes, "MIN_ROWS", 400)


def test_what_a_process_that_dies_leaves_is_done_here(
    work: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    on_processors(monkeypatch, 3)
    monkeypatch.setattr(Job, "to_json", lambda job: "no job")
    with caplog.at_level(logging.WARNING, "frostline"):
        (train, _) = extract_missing(planned())
    assert train.computed == 1438 and len(caplog.messages) == 2
    assert all("ended early (JSONDecodeError: " in message for message in caplog.messages)


def test_a_process_that_is_killed_is_said_and_counts_for_nothing(caplog: pytest.LogCaptureFixture) -> None:
    dies = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    with caplog.at_level(logging.WARNING, "frostline"), start_python([["-c", dies]]) as (dead,):
        assert rows_done(dead) == 0
    assert "ended early (status -9)" in caplog.text


def test_when_this_process_fails_those_beside_it_are_ended_and_not_waited_for() -> None:
    with pytest.raises(OSError, match="disk full"), start_python([SLEEPS, SLEEPS]) as sleeping:
        raise OSError("disk full")
    assert [process.returncode for process in sleeping] == [-signal.SIGKILL] * 2


SLOW = """
import time
from torch import nn

class Slow(nn.Module):
    def forward(self, x):
        with open("seen", "a") as file:
            file.write(f"{__import__('os').getpid()}\\n")
        time.sleep(2 if len(x) == 1 else 0.1)  # which no graph can hold; a process beside it takes seconds to begin
        return x.mean((2, 3))

def net():
    return nn.Sequential(Slow(), nn.Linear(3, 10))
"""
RUN = """
import sys
from frostline.pipeline.engines import processes
from frostline.pipeline.cli.main import main
processes.devices_of, processes.MIN_ROWS = lambda name: ["cpu", "cpu"], 5
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_leaves_no_process_behind(
    tmp_path: Path, warm: Warm, folder: Path, sent: signal.Signals
) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    network = ["--backbone", "slow.py:net", "--weights", "factory", "--mean", "0", "--std", "1", "--resize", "8x8"]
    flags = ["--engine", "processes", "--precision", "fp32", "--batch-size", "1", "--dataset", f"folder:{folder}"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    run = warm.start(["-c", RUN, "extract", *network, *flags], environment, tmp_path)
    helper = next(pid for pid in seen_in(tmp_path / "seen") if pid != run.pid)
    run.send_signal(sent)
    assert run.wait() == (143 if sent == signal.SIGTERM else -signal.SIGKILL)
    while is_running(helper):
        time.sleep(0.01)
    computed = len((tmp_path / "seen").read_text().split())
    assert computed < 36  # or it ended by itself


def seen_in(file: Path) -> Iterator[int]:
    """Yield the processes that a file names, without end."""
    while True:
        yield from map(int, file.read_text().split("\n")[:-1] if file.exists() else [])
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_devices_share_the_rows_and_the_threads_that_decode(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Sequence[str]] = []

    @contextmanager
    def noted(commands: Sequence[Sequence[str]]) -> Iterator[object]:
        asked.extend(commands)
        with start_python([["-c", "print(4)"] for _ in commands]) as workers:
            yield workers

    monkeypatch.setattr(processes, "devices_of", lambda name: ["cuda:0", "cuda:1", "cuda:2"])
    monkeypatch.setattr(processes, "MIN_ROWS", 700)
    monkeypatch.setattr(processes, "start_python", noted)
    (train, test) = extract_missing(planned(workers=9))
    ((_, module, text),) = asked  # 1,438 rows are enough for two devices, 359 for one
    job = Job.from_json(text)
    assert module == "frostline.pipeline.engines.worker" and job.settings["device"] == "cuda:1"
    assert (job.batch.workers, job.rows, job.digest) == (4, 1438, train.key.digest)
    assert train.computed == 1438 + 4 and test.computed == 359


def test_devices_are_as_many_as_rows_to_compute_want_and_copied_rows_want_none(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_missing(planned())
    started: list[int] = []
    on_processors(monkeypatch, 2)
    monkeypatch.setattr(
        processes, "start_python", lambda commands: started.append(len(commands)) or start_python(commands)
    )
    done = extract_missing(planned(seed=1))  # the same digits, split otherwise
    assert not started and [one.computed for one in done] == [0, 0]


def test_a_script_that_extracts_on_several_devices_is_not_run_again(tmp_path: Path, warm: Warm, folder: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "print('once')\nfrom frostline.pipeline.engines import processes\n"
        "from frostline.pipeline.settings import ExtractSettings\n"
        "from frostline.pipeline.run.run import extract\n"
        "processes.devices_of, processes.MIN_ROWS = lambda name: ['cpu', 'cpu'], 15\n"
        f"settings = ExtractSettings(engine='processes', dataset='folder:{folder}', resize=(8, 8))\n"
        "print([done.computed for done in extract(settings)])\n"
    )
    environment = {"OMP_NUM_THREADS": "1", "PATH": "/usr/bin:/bin"}
    ran = warm.run([str(script)], environment, tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "once\n[36, 12]\n" and "ended early" not in ran.stderr
    assert all(open_set(folder).complete for folder in tmp_path.glob("data/features/*"))


def test_auto_means_processes_where_there_are_several_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert engine_for("auto", "auto") is processes.fill and engine_for("auto", "cpu") is local.fill
    assert engine_for("local", "auto") is local.fill
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert engine_for("auto", "auto") is local.fill and engine_for("processes", "auto") is processes.fill


def test_every_gpu_is_meant_unless_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices_of("cuda") == devices_of("auto") == ["cuda:0", "cuda:1"] and devices_of("cpu") == ["cpu"]
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert devices_of("auto") == [device_of("auto")]
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match="device 'cuda' is not available; torch sees no GPU"):
            devices_of("cuda")
