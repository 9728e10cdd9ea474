"""The engine ``ray`` on a real cluster: nodes are killed and added, and so is the command; the bytes are local's."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.ray_cluster import RunningCluster, environment, running_cluster
from support.warm import Started, Warm

pytest.importorskip("ray", reason="ray is not installed; pip install 'frostline[ray]'")

Start = Callable[[str, str], Started]
# The command, with small shards; the pixels of a slow network: whoever runs it leaves its process' number in "seen".
COMMAND = """
import signal
import sys
from functools import partial
from frostline.pipeline.cli.main import main
from frostline.pipeline.plan import begin
from frostline.stages.store import Layout

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs do not listen
begin.Layout = partial(Layout, shard_rows=96)
sys.exit(main(sys.argv[1:]))
"""
SLOW = """
import os, time
from torch import nn

class Slow(nn.Module):
    def forward(self, x):
        time.sleep(float(os.environ.get("SLOW", "0")))
        return x.mean((2, 3))

def net():
    return nn.Sequential(Slow(), nn.Linear(3, 10, bias=False).requires_grad_(False).apply(fill))

def fill(layer):
    nn.init.eye_(layer.weight)
"""
FLAGS = (
    *("extract", "--backbone", "slow.py:net", "--weights", "factory", "--mean", "0", "--std", "1", "--resize", "8x8"),
    *("--precision", "fp32", "--batch-size", "16", "--optimize", "none", "--json"),
)


@pytest.fixture(scope="module")
def started(folder: Path, warm: Warm) -> Start:
    """Start the command with an engine and a workspace, in the folder that holds the network."""
    (folder / "slow.py").write_text(SLOW)

    def start(engine: str, data: str) -> Started:
        return warm.start(["-c", COMMAND, *FLAGS, "--engine", engine, "--data-dir", data], environment(), folder)

    return start


def ended(process: Started) -> tuple[int, str, str]:
    out, err = process.printed()
    return process.wait(), out, err


def shard_files(data: Path) -> dict[str, bytes]:
    return {str(path.relative_to(data)): path.read_bytes() for path in data.glob("features/*/shards/*")}


def committed(data: Path) -> int:
    return len([*data.glob("features/*/shards/*.json")])


def until(seen: Callable[[], bool], process: Started) -> None:
    """Wait for something to be so while the command runs."""
    while not seen():
        assert process.poll() is None, ended(process)
        time.sleep(0.05)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def wanted(folder: Path, started: Start) -> dict[str, bytes]:
    """The shards of ``--engine local``."""
    code, _, err = ended(started("local", "local"))
    assert code == 0, err
    return shard_files(folder / "local")


@pytest.fixture(scope="module")
def cluster(folder: Path) -> Iterator[RunningCluster]:
    with running_cluster(folder, 2, SLOW="0.06") as found:
        yield found


def test_a_node_that_is_killed_costs_its_unfinished_shards_alone_and_the_bytes_are_those_of_local(
    folder: Path, started: Start, wanted: dict[str, bytes], cluster: RunningCluster
) -> None:
    run = started(f"ray:{cluster.address}", "killed")
    until(lambda: committed(folder / "killed") >= 4, run)
    before = shard_files(folder / "killed")
    cluster.kill()
    cluster.add()
    code, out, err = ended(run)
    assert code == 0 and "done here" not in err, err
    found = shard_files(folder / "killed")
    assert found == wanted and {name: found[name] for name in before} == before
    assert len(wanted) == 2 * (15 + 4)  # every shard once, of 1,438 and 359 rows
    assert json.loads(out)[1]["computed"] == 359


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_command_that_is_ended_keeps_finished_shards_and_goes_on_when_it_is_given_again(
    folder: Path, started: Start, wanted: dict[str, bytes], cluster: RunningCluster, sent: signal.Signals, code: int
) -> None:
    data = sent.name
    run = started(f"ray:{cluster.address}", data)
    until(lambda: committed(folder / data) >= 2, run)
    run.send_signal(sent)
    assert ended(run)[0] == code
    left = committed(folder / data)
    assert 2 <= left < 19
    code, _, err = ended(started(f"ray:{cluster.address}", data))
    assert code == 0 and shard_files(folder / data) == wanted, err


def test_workers_that_do_not_see_the_store_are_said_by_name_at_once(
    folder: Path, started: Start, cluster: RunningCluster
) -> None:
    run = started(f"ray:{cluster.address}", "gone")
    until(lambda: any((folder / "gone").glob("features/*/key.json")), run)
    next((folder / "gone").glob("features/*/key.json")).unlink()
    code, _, err = ended(run)
    assert code == 2 and "no node of the Ray cluster can take part" in err and "sees no feature set" in err
    assert str(folder / "gone") in err and "a folder that all machines share" in err


MATRIX = """
[[dataset]]
dataset = "digits"

[[backbone]]
backbone = "resnet8-cifar10"
layer = ["default", "layer2"]
precision = "fp32"
batch_size = 32

[[head]]
head = ["ridge", "centroid"]

[[head]]
head = "ridge"
shots = [1, 5]
draws = 2
name = "few"
"""
TIMES = {"folder", "made", "seconds", "costs", "fit_seconds", "notes"}  # a note says how long all took


def without_times(value: object) -> object:
    """Return a leaderboard's document without what differs from run to run."""
    if isinstance(value, dict):
        return {name: without_times(inner) for name, inner in value.items() if name not in TIMES}
    return [without_times(one) for one in value] if isinstance(value, list) else value


def test_a_bench_has_the_leaderboard_and_the_bytes_of_local(folder: Path, warm: Warm, cluster: RunningCluster) -> None:
    (folder / "matrix.toml").write_text(MATRIX)
    boards = []
    for engine, data in (("local", "here"), (f"ray:{cluster.address}", "there")):
        command = ["-m", "frostline", "bench", "matrix.toml", "--engine", engine, "--data-dir", data, "--json"]
        done = warm.run(command, environment(), folder)
        assert done.returncode == 0 and "done here" not in done.stderr, done.stderr
        assert ("in one pass" in done.stderr) and "not fitted elsewhere" not in done.stderr
        boards.append(without_times(json.loads(done.stdout)))
    assert boards[0] == boards[1]
    assert shard_files(folder / "here") == shard_files(folder / "there")


def test_a_node_without_frostline_is_named_and_left_out(
    folder: Path, started: Start, tmp_path: Path, wanted: dict[str, bytes], cluster: RunningCluster
) -> None:
    (tmp_path / "frostline.py").write_text("raise ImportError('not installed')")
    cluster.add(str(tmp_path))
    code, _, err = ended(started(f"ray:{cluster.address}", "mixed"))
    assert code == 0 and shard_files(folder / "mixed") == wanted, err
    assert "takes no part: no frostline here (not installed); install frostline" in err
