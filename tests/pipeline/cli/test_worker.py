"""``frostline worker``: tasks that are started alike fill one set, to the bytes of one process."""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from frostline.pipeline.cli.main import main
from frostline.pipeline.plan.one_reader import one_reader
from frostline.stages.datasets.memo import GRAIN_NS
from frostline.stages.store import open_set
from frostline.stages.store.locks import is_taken
from support.warm import Warm

JOB = 'dataset = "folder:pets"\nbackbone = "pixels"\nbatch_size = 5\nresize = "8x8"\n'


def shard_files(data: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data)): path.read_bytes() for path in data.glob("features/*/shards/*")}


def test_tasks_that_start_together_all_succeed_with_the_bytes_of_one_process(
    work: Path, folder: Path, warm: Warm
) -> None:
    root = folder.parent
    (root / "job.toml").write_text(JOB)
    assert main(["extract", "--config", "job.toml", "--data-dir", "alone"]) == 0
    time.sleep(1.1 * GRAIN_NS / 1e9)  # younger files are not remembered
    command = ["-m", "frostline", "worker", "job.toml", "--data-dir", "shared"]
    array = {"SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_MAX": "2", "SLURM_ARRAY_TASK_COUNT": "3"}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **array}
    tasks = [warm.start(command, {**environment, "SLURM_ARRAY_TASK_ID": str(i)}, root) for i in range(3)]
    for one in tasks:
        _, err = one.printed()
        assert one.returncode == 0, err
    assert shard_files(root / "shared") == shard_files(root / "alone")
    assert all(open_set(path).published for path in (root / "shared" / "features").iterdir())
    assert len([*(root / "shared" / "index").iterdir()]) == 1  # no lock is left


def test_a_worker_takes_no_engine_and_no_task_that_is_none(
    work: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.parent / "job.toml").write_text(JOB)
    assert main(["worker", "job.toml", "--engine", "ray"]) == 2
    assert "the tasks are the engine" in capsys.readouterr().err
    assert main(["worker", "job.toml", "--part", "4/4"]) == 2
    assert "expected I/N with I from 0 to N - 1" in capsys.readouterr().err


def test_one_task_reads_a_new_dataset_and_the_others_wait_for_its_index(tmp_path: Path) -> None:
    index, seen = tmp_path / "index" / "0.index", []
    reading, may_end = threading.Event(), threading.Event()

    def first() -> None:
        with one_reader(index):
            reading.set()
            may_end.wait(60)
            index.touch()
        seen.append("first")

    def second() -> None:
        with one_reader(index):
            seen.append("second" if index.exists() else "without an index")

    threads = [threading.Thread(target=first), threading.Thread(target=second)]
    threads[0].start()
    assert reading.wait(60)
    threads[1].start()
    time.sleep(0.3)
    assert not seen
    may_end.set()
    for thread in threads:
        thread.join()
    assert set(seen) == {"first", "second"}


def test_a_task_that_looks_at_the_lock_just_after_its_end_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, first = tmp_path / "index" / "0.index", ExitStack()
    first.enter_context(one_reader(index))

    def just_after(lock: Path) -> bool:
        index.touch()
        first.close()
        return is_taken(lock)

    monkeypatch.setattr("frostline.pipeline.plan.one_reader.is_taken", just_after)
    with one_reader(index):
        assert list(index.parent.iterdir()) == [index]
