"""A Ray cluster on this machine, in a process of its own: a head without processors, and nodes with one each.

``python -m support.ray_cluster``: prints the head's address. For a line ``add`` of standard input it adds a node and
prints ``added``; with ``add FOLDER``, one that finds modules in a folder first. For ``kill`` it kills the oldest node
and prints ``killed``. It ends with the input.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.project import REPOSITORY

_QUICK = {  # a dead node is noticed within two seconds; nothing runs at a lower priority than what waits for it
    "worker_niceness": 0,
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 500,
    "health_check_failure_threshold": 3,
}


def environment(**more: str) -> dict[str, str]:
    """Return the environment of whatever has to do with a cluster: nothing is sent anywhere."""
    own = {n: v for n, v in os.environ.items() if not n.startswith(("FROSTLINE_", "RAY_", "PYTEST_"))}
    path = os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "tests")))
    return {**own, "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1", "PYTHONPATH": path, **more}


@dataclass(frozen=True)
class RunningCluster:
    """A cluster whose nodes come and go."""

    address: str
    _process: subprocess.Popen[str]

    def add(self, modules: str = "") -> None:
        """Add a node with one processor; ``modules``: a folder in which it finds these first."""
        self._say(f"add {modules}", "added")

    def kill(self) -> None:
        """Kill the oldest node, without a warning to anyone."""
        self._say("kill", "killed")

    def _say(self, what: str, answer: str) -> None:
        assert self._process.stdin and self._process.stdout
        print(what, file=self._process.stdin, flush=True)
        for line in self._process.stdout:
            if line.strip() == answer:
                return
        raise RuntimeError(f"the cluster ended before it was {answer}")


@contextmanager
def running_cluster(folder: Path, nodes: int, **more: str) -> Iterator[RunningCluster]:
    """Start a cluster of so many nodes, whose processes have this folder as theirs; end it."""
    command = [sys.executable, "-m", "support.ray_cluster"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=folder, env=environment(**more), text=True, **pipes)
    try:
        assert process.stdout
        address = next(line.split()[1] for line in process.stdout if line.startswith("address "))
        found = RunningCluster(address, process)
        for _ in range(nodes):
            found.add()
        yield found
    finally:
        assert process.stdin and process.stdout
        process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
        process.stdout.close()


def _serve() -> None:
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": _QUICK}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    print("address", cluster.address, flush=True)
    nodes = []
    for line in sys.stdin:
        what, _, modules = line.strip().partition(" ")
        if what == "add":
            path = os.pathsep.join([modules, os.environ["PYTHONPATH"]])
            nodes.append(cluster.add_node(num_cpus=1, env_vars={"PYTHONPATH": path} if modules else None))
            print("added", flush=True)
        else:
            cluster.remove_node(nodes.pop(0), allow_graceful=False)
            print("killed", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    _serve()
